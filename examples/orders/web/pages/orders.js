// The orders, the newest first, by view, state and customer.

import * as api from "../lib/api.js";
import { h } from "../lib/dom.js";
import { money, plural, short, time } from "../lib/format.js";
import { badge } from "../parts/badge.js";
import { choice } from "../parts/field.js";
import { heading } from "../parts/heading.js";
import { table } from "../parts/table.js";

const PAGE = 20;
const VIEWS = [["current", "Under way"], ["history", "Ended"], ["all", "All"]];
const STATES = {
  current: ["Draft", "Reserved", "Processing"],
  history: ["Completed", "Cancelled"],
  all: ["Draft", "Reserved", "Processing", "Completed", "Cancelled"],
};

export function ordersPage({ query, go }) {
  const { view = "current", state, customer_id: customer, cursor } = query;

  /** The address of this list with other parameters; without those that are undefined. */
  function address(other) {
    const all = { view, state, customer_id: customer, ...other };
    const given = Object.entries(all).filter(([, value]) => value);
    return `/orders?${new URLSearchParams(given)}`;
  }

  function chooseView({ target: { value } }) {
    go(address({ view: value, state: STATES[value].includes(state) ? state : undefined }));
  }

  const columns = [
    ["Order", (order) => h("a", { href: `#/orders/${order.id}`, title: order.id }, `…${short(order.id)}`)],
    ["State", (order) => badge(order.state)],
    ["Items", (order) => order.items.map((item) => `${item.quantity} × ${item.product_name}`).join(", ") || "none", "wide-only text"],
    ["Total", (order) => money(order.total_cents), "number"],
    ["Customer", (order) => h("a", { href: `#${address({ view: "all", state: undefined, customer_id: order.customer_id })}`, title: order.customer_id },
      `…${short(order.customer_id)}`), "wide-only"],
    ["Created", (order) => time(order.created_at), "wide-only"],
  ];

  return {
    title: "Orders",
    load: () => api.orders({ view, limit: PAGE, ...(state && { state }), ...(customer && { customer_id: customer }), ...(cursor && { cursor }) }),
    onEvent: (event) => event.stream.startsWith("order-"),
    view: ({ orders, cursor: next }) => [
      h("div", { class: "title" }, heading("Orders"), h("a", { class: "button main", href: "#/new" }, "New order")),
      h("form", { class: "row", "aria-label": "Which orders" },
        choice({ id: "view", label: "Show", options: VIEWS, value: view, onchange: chooseView }),
        choice({
          id: "state", label: "State", value: state ?? "",
          options: [["", "any"], ...STATES[view].map((one) => [one, one])],
          onchange: ({ target: { value } }) => go(address({ state: value })),
        }),
        customer && h("p", { class: "filter" }, "Of customer ", h("code", { title: customer }, `…${short(customer)}`), " ",
          h("a", { href: `#${address({ customer_id: undefined })}` }, "Of all customers"))),
      table({ label: "Orders", columns, rows: orders, key: (order) => order.id, empty: "There are no such orders." }),
      h("nav", { class: "row pages", "aria-label": "Pages of the list" },
        h("p", {}, `${plural(orders.length, "order")} on this page`),
        cursor && h("a", { class: "button", href: `#${address({})}` }, "Newest"),
        next && h("a", { class: "button", href: `#${address({ cursor: next })}` }, "Older")),
    ],
  };
}
