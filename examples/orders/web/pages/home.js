// The shop in a few numbers, and its newest events.

import * as api from "../lib/api.js";
import { h } from "../lib/dom.js";
import { count, money } from "../lib/format.js";
import { complain, say } from "../lib/notice.js";
import { heading } from "../parts/heading.js";
import { timeline } from "../parts/timeline.js";

/** So many events are shown. */
const SHOWN = 8;
const STATES = ["Draft", "Reserved", "Processing", "Completed", "Cancelled"];
const ENDED = ["Completed", "Cancelled"];

export function homePage({ refresh, redraw }) {
  let events = [], isSeeding = false;

  async function seed(event) {
    event.preventDefault();
    isSeeding = true;
    redraw();
    try {
      const { products, orders } = await api.seed(Number(event.target.elements.orders.value));
      say(`Sample data: stock of ${products} products, and ${orders} orders.`);
    } catch (error) {
      complain(error);
    }
    isSeeding = false;
    await refresh();
  }

  return {
    title: "Home",
    load: api.statistics,
    // Some from before the statistics, and then all that come. Not every position has an event for us.
    follow: ({ position }) => ({ after: Math.max(0, position - 4 * SHOWN) }),
    onEvent(event) {
      events = [event, ...events].slice(0, SHOWN);
      redraw();
      return true;
    },
    view: (statistics) => [
      heading("The shop"),
      h("p", { class: "lead" }, "Every number is made from events, and changes as soon as an event is written."),
      h("ul", { class: "numbers", "aria-label": "Orders by state" }, STATES.map((state) => h("li", { "data-state": state },
        h("a", { href: `#/orders?view=${ENDED.includes(state) ? "history" : "current"}&state=${state}` },
          h("strong", {}, count(statistics.orders[state])), h("span", {}, state))))),
      h("ul", { class: "numbers", "aria-label": "The shop" },
        number("Customers", count(statistics.customers), "#/customers"),
        number("Products", count(statistics.products), "#/inventory"),
        number("Revenue", money(statistics.revenue_cents), "#/customers"),
        number("Newest event", count(statistics.position), "#/read-models")),
      h("div", { class: "columns" },
        h("section", { class: "card", "aria-labelledby": "seed-title" },
          h("h2", { id: "seed-title" }, "Sample data"),
          h("p", {}, "Receives stock, and makes orders that end in different ways."),
          h("form", { onsubmit: seed, class: "row" },
            h("div", { class: "field" },
              h("label", { for: "orders" }, "Orders"),
              h("input", { id: "orders", name: "orders", type: "number", min: 0, max: 200, value: 12, required: true })),
            h("button", { class: "main", disabled: isSeeding }, isSeeding ? "Working …" : "Make sample data")),
          h("p", {}, "New here? The ", h("a", { href: "#/demo" }, "demo"), " shows an order from creation to shipping in four steps.")),
        h("section", { class: "card", "aria-labelledby": "events-title" },
          h("h2", { id: "events-title" }, "Newest events"),
          timeline(events, { empty: statistics.position > 0
            ? "The newest events follow as soon as the page is connected."
            : "There are no events yet. Make sample data to begin." }))),
    ],
  };
}

function number(title, value, href) {
  return h("li", {}, h("a", { href }, h("strong", {}, value), h("span", {}, title)));
}
