// The message above the page. Screen readers speak it.

import { focusHeading } from "../parts/heading.js";
import { h, update } from "./dom.js";

const place = document.getElementById("notice");
let stays = false;

/**
 * Says something. `kind` is `done` or `problem`; `action` is a button, as `[title, run]`; `stays`
 * keeps the message when the next page opens.
 */
export function say(text, { kind = "done", action, ...options } = {}) {
  stays = Boolean(options.stays);
  const button = action && h("button", { type: "button", onclick: () => { dismiss(); action[1](); } }, action[0]);
  const close = h("button", { type: "button", class: "quiet", "aria-label": "Close the message", onclick: dismiss }, "✕");
  update(place, h("div", { class: `notice ${kind}` }, h("p", {}, text), button, close));
}

/** Says what went wrong. */
export const complain = (error, options) => say(error.message, { kind: "problem", ...options });

/** Removes the message. */
export function hush() {
  stays = false;
  update(place);
}

/** Removes the message when another page opens, unless it is about that page. */
export function leave() {
  if (!stays) hush();
  stays = false;
}

function dismiss() {
  hush();
  focusHeading();
}
