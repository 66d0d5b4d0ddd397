// How far the fulfilment of an order is: its steps, and those that were undone.

import { h } from "../lib/dom.js";
import { steps } from "../lib/events.js";
import { badge } from "./badge.js";

const REFERENCES = {
  reserve_inventory: "reservation_id",
  process_payment: "payment_id",
  create_shipment: "tracking_number",
};

const WORDS = { waiting: "waiting", running: "under way", done: "done", refused: "refused", undone: "undone", skipped: "not reached" };

export function fulfilment(saga) {
  return [
    h("p", {}, badge(saga.state), " ", saga.failure_reason && h("span", { class: "reason" }, saga.failure_reason)),
    h("ol", { class: "steps" }, steps.map(([name, title]) => {
      const outcome = outcomeOf(name, saga);
      return h("li", { "data-outcome": outcome },
        h("strong", {}, title), " ",
        h("span", { class: "outcome" }, WORDS[outcome]), " ",
        h("span", { class: "where" }, saga[REFERENCES[name]] ?? ""));
    })),
  ];
}

function outcomeOf(name, { state, completed_steps: done, compensated_steps: undone }) {
  if (undone.includes(name)) return "undone";
  if (done.includes(name)) return "done";
  if (state === "NotStarted") return "waiting";
  const isNext = steps[done.length]?.[0] === name;
  if (state === "Running") return isNext ? "running" : "waiting";
  return isNext ? "refused" : "skipped";
}
