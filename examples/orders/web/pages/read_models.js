// The read models: where they are kept, how far they are, and a button that rebuilds them.

import * as api from "../lib/api.js";
import { h } from "../lib/dom.js";
import { count } from "../lib/format.js";
import { complain, say } from "../lib/notice.js";
import { heading } from "../parts/heading.js";

const PLACES = {
  memory: "In maps of the program, kept by a projection of the client.",
  client: "In tables of PostgreSQL, kept by a projection of the client.",
  server: "In tables of PostgreSQL, kept by a projection inside the server.",
};

/** The time between two looks at a rebuild, in milliseconds. No event tells how far it is. */
const PAUSE = 300;

export function readModelsPage({ redraw, refresh }) {
  let isRebuilding = false;

  async function rebuild() {
    isRebuilding = true;
    redraw();
    const timer = setInterval(refresh, PAUSE);
    try {
      await api.rebuild();
      while ((await api.readModels()).rebuilding) await new Promise((done) => setTimeout(done, PAUSE));
      say("The read models are rebuilt.");
    } catch (error) {
      complain(error);
    }
    clearInterval(timer);
    isRebuilding = false;
    await refresh();
  }

  return {
    title: "Read models",
    load: api.readModels,
    view({ runs_in: place, checkpoint, safe_position: newest, rebuilding, rebuilt_percent: percent }) {
      const isUnderWay = isRebuilding || rebuilding;
      return [
        heading("Read models"),
        h("p", { class: "lead" }, "Lists and statistics come from tables that a projection makes from the events. They can be made again at any time."),
        h("section", { class: "card", "aria-labelledby": "progress-title" },
          h("h2", { id: "progress-title" }, "Orders, customers, inventory"),
          h("dl", { class: "facts" },
            h("div", {}, h("dt", {}, "Kept"), h("dd", {}, PLACES[place] ?? place)),
            h("div", {}, h("dt", {}, "Checkpoint"), h("dd", {}, count(checkpoint))),
            h("div", {}, h("dt", {}, "Newest event"), h("dd", {}, count(newest))),
            h("div", {}, h("dt", {}, "State"), h("dd", {}, isUnderWay ? `being rebuilt${percent === undefined ? "" : `, ${percent} %`}` : checkpoint < newest ? "catching up" : "up to date"))),
          h("label", { for: "progress" }, "Events included"),
          h("progress", { id: "progress", max: Math.max(newest, 1), value: checkpoint }),
          h("p", { class: "actions" },
            h("button", { type: "button", class: "main", disabled: isUnderWay, onclick: rebuild }, isUnderWay ? "Rebuilding …" : "Rebuild"))),
        h("p", { class: "hint" }, "Readers see the old rows until the new ones are complete."),
      ];
    },
  };
}
