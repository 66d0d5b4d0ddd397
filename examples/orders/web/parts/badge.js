// The state of an order or of its fulfilment.

import { h } from "../lib/dom.js";

const TITLES = { NotStarted: "Not started" };

export const badge = (state) => h("span", { class: "badge", "data-state": state }, TITLES[state] ?? state);
