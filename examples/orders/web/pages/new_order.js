// A form for a new order.

import * as api from "../lib/api.js";
import { h } from "../lib/dom.js";
import { money, short } from "../lib/format.js";
import { complain, hush, say } from "../lib/notice.js";
import { choice, focusError } from "../parts/field.js";
import { heading } from "../parts/heading.js";
import { catalogue, emptyItem, isFine, itemBody, itemFields, itemTotal } from "../parts/item_form.js";

export function newOrderPage({ redraw, go }) {
  const rows = [{ number: 1, item: emptyItem() }];
  let customer = "", showErrors = false, isSending = false;
  // One key for this form: a double click, or a second try after a lost answer, makes one order.
  let key = api.newKey();

  function addRow() {
    const number = rows.at(-1).number + 1;
    rows.push({ number, item: emptyItem() });
    redraw();
    document.getElementById(`item-${number}-product`).focus();
  }

  function removeRow(row) {
    const at = rows.indexOf(row);
    rows.splice(at, 1);
    redraw();
    document.getElementById(`item-${rows[Math.max(0, at - 1)].number}-product`).focus();
  }

  async function send(form, products) {
    showErrors = !rows.every(({ item }) => isFine(item));
    redraw();
    if (showErrors) return focusError(form);
    isSending = true;
    hush();
    redraw();
    const items = rows.map(({ item }) => itemBody(item, products));
    try {
      const { order_id: id } = await api.createOrder({ items, ...(customer && { customer_id: customer }) }, key);
      say("The order is created.", { stays: true });
      go(`/orders/${id}`);
    } catch (error) {
      explain(error);
    }
    isSending = false;
    redraw();
  }

  function explain(error) {
    if (error.code !== "key_reused") return complain(error);
    const again = () => { key = api.newKey(); };
    say("This form has already made an order, with other items. You find it among the orders.", {
      kind: "problem", action: ["Make one more order", again],
    });
  }

  return {
    title: "New order",
    async load() {
      const [inventory, customers, { orders }] = await Promise.all(
        [api.inventory("name"), api.customers("orders"), api.orders({ view: "all", limit: 200 })]);
      return { products: catalogue(inventory, orders), customers };
    },
    onEvent: (event) => event.event_type.startsWith("Stock"),
    view: ({ products, customers }) => [
      heading("New order"),
      products.size === 0 && h("p", { class: "empty" }, "There are no products yet: receive some on the page ",
        h("a", { href: "#/inventory" }, "Inventory"), ", or make sample data on the page ", h("a", { href: "#/" }, "Home"), "."),
      h("form", { class: "card", novalidate: true, onsubmit: (event) => { event.preventDefault(); if (!isSending) send(event.target, products); } },
        choice({
          id: "customer", label: "Customer", value: customer, onchange: ({ target }) => { customer = target.value; },
          options: [["", "A new customer"], ...customers.map(({ customer_id: id, total_orders: orders }) => [id, `…${short(id)}, with ${orders} so far`])],
        }),
        rows.map((row) => itemRow(row, products)),
        h("p", { class: "actions" },
          h("button", { type: "button", onclick: addRow }, "Add another item")),
        h("p", { class: "total" }, "Total ", h("output", {}, money(rows.reduce((sum, { item }) => sum + itemTotal(item), 0)))),
        h("p", { class: "actions" },
          h("button", { class: "main", "aria-disabled": isSending ? "true" : null }, isSending ? "Creating …" : "Create the order"),
          h("a", { class: "button", href: "#/orders" }, "Back to the orders"))),
    ],
  };

  function itemRow(row, products) {
    return h("fieldset", { class: "item", "data-key": row.number },
      h("legend", {}, `Item ${rows.indexOf(row) + 1}`),
      itemFields({ prefix: `item-${row.number}`, item: row.item, products, showErrors, change: redraw }),
      h("p", { class: "line" }, money(itemTotal(row.item))),
      rows.length > 1 && h("button", { type: "button", class: "quiet", "aria-label": `Remove item ${rows.indexOf(row) + 1}`, onclick: () => removeRow(row) }, "Remove"));
  }
}
