// A question in a dialog.

import { h } from "../lib/dom.js";

/** Asks for a text. The answer is the text, or null if the reader does not want to. */
export function ask({ title, label, confirm, value = "" }) {
  return new Promise((done) => {
    const dialog = h("dialog", { "aria-labelledby": "ask-title" },
      h("form", { method: "dialog" },
        h("h2", { id: "ask-title" }, title),
        h("div", { class: "field" },
          h("label", { for: "answer" }, label),
          h("input", { id: "answer", value, required: true, maxlength: 200, autocomplete: "off" })),
        h("p", { class: "actions" },
          h("button", { class: "main", value: "confirm" }, confirm),
          h("button", { value: "back", formnovalidate: true }, "Back"))));
    dialog.addEventListener("close", () => {
      done(dialog.returnValue === "confirm" ? dialog.querySelector("input").value : null);
      dialog.remove();
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
