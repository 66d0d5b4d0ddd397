// The customers: how many orders they have, and what they spent.

import * as api from "../lib/api.js";
import { h } from "../lib/dom.js";
import { count, money, short } from "../lib/format.js";
import { choice } from "../parts/field.js";
import { heading } from "../parts/heading.js";
import { table } from "../parts/table.js";

const SORTS = [["spent", "Money spent"], ["orders", "Orders"]];

const COLUMNS = [
  ["Customer", ({ customer_id: id }) => h("a", { href: `#/orders?view=all&customer_id=${id}`, title: id }, `…${short(id)}`)],
  ["Orders", (it) => count(it.total_orders), "number"],
  ["Under way", (it) => count(it.active_orders), "number"],
  ["Completed", (it) => count(it.completed_orders), "number"],
  ["Cancelled", (it) => count(it.cancelled_orders), "number"],
  ["Spent", (it) => money(it.total_spent_cents), "number"],
];

export function customersPage({ query: { sort = "spent" }, go }) {
  return {
    title: "Customers",
    load: () => api.customers(sort),
    onEvent: (event) => event.stream.startsWith("order-"),
    view: (customers) => [
      heading("Customers"),
      h("form", { class: "row" }, choice({
        id: "sort", label: "Sort by", options: SORTS, value: sort, onchange: ({ target }) => go(`/customers?sort=${target.value}`),
      })),
      table({ label: "Customers", columns: COLUMNS, rows: customers, key: (it) => it.customer_id, empty: "There are no customers yet." }),
    ],
  };
}
