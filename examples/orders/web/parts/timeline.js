// Events in their order: what happened, where it is stored, and the stored payload.

import { h } from "../lib/dom.js";
import { describe } from "../lib/events.js";
import { time } from "../lib/format.js";

export function timeline(events, { empty = "Nothing has happened yet." } = {}) {
  if (events.length === 0) return h("p", { class: "empty" }, empty);
  return h("ol", { class: "timeline" }, events.map(entry));
}

function entry(event) {
  const kind = event.stream.split("-")[0];
  return h("li", { "data-key": event.position, "data-kind": kind },
    h("p", { class: "event" }, h("strong", {}, event.event_type), " ", describe(event)),
    h("details", {},
      h("summary", {}, `${kind} stream, version ${event.version}, position ${event.position}, `, time(event.timestamp)),
      h("p", { class: "where" }, "Payload in stream ", h("code", {}, event.stream)),
      h("pre", {}, JSON.stringify(event.payload, null, 2))));
}
