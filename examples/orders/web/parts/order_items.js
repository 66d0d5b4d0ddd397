// The items of an order: a list whose quantities can be changed, and a form for one more.

import * as api from "../lib/api.js";
import { h } from "../lib/dom.js";
import { count, money } from "../lib/format.js";
import { focusError, quantityError } from "./field.js";
import { catalogue, emptyItem, isFine, itemBody, itemFields } from "./item_form.js";

/** The list. `act` changes the order, as the page of the order explains. */
export function itemList({ act, id, redraw }) {
  // What the reader types, by product, with the version of the order that they saw when they began.
  const edits = new Map();

  function edit(order, item, text) {
    const begun = edits.get(item.product_id) ?? { version: order.version, before: item.quantity };
    if (text === String(item.quantity)) edits.delete(item.product_id);
    else edits.set(item.product_id, { ...begun, text });
    redraw();
  }

  async function change(event, order, item) {
    event.preventDefault();
    const { text, version } = edits.get(item.product_id) ?? { text: String(item.quantity), version: order.version };
    if (quantityError(text, { least: 0 })) return focusError(event.target);
    await act("The quantity is changed.", version, (at) => api.setQuantity(id, at, item.product_id, Number(text)));
    edits.delete(item.product_id);
    redraw();
  }

  function remove(order, item) {
    act("The item is removed.", order.version, (at) => api.removeItem(id, at, item.product_id));
  }

  function row(order, item, isOpen) {
    const { product_id: product, product_name: name, quantity, unit_price_cents: price } = item;
    return h("li", { "data-key": product },
      h("p", { class: "name" }, h("strong", {}, name), " ", h("span", { class: "where" }, product)),
      isOpen ? editor(order, item) : h("p", {}, `${count(quantity)} ×`),
      h("p", { class: "number" }, `${money(price)} each`),
      h("p", { class: "number line" }, money(price * quantity)),
      isOpen && h("button", { type: "button", class: "quiet", "aria-label": `Remove ${name}`, onclick: () => remove(order, item) }, "Remove"));
  }

  function editor(order, item) {
    const typed = edits.get(item.product_id);
    const text = typed?.text ?? String(item.quantity);
    const error = quantityError(text, { least: 0 });
    const news = typed && typed.before !== item.quantity && `Changed meanwhile to ${count(item.quantity)}.`;
    const field = `quantity-${encodeURIComponent(item.product_id)}`;
    const [about, isSame] = [error ?? news, text === String(item.quantity)];
    return h("form", { class: "row", novalidate: true, onsubmit: (event) => change(event, order, item) },
      h("label", { for: field, class: "hidden" }, `Quantity of ${item.product_name}`),
      h("input", {
        id: field, value: text, inputmode: "numeric", autocomplete: "off", class: "short",
        "aria-invalid": error ? "true" : null, "aria-describedby": about ? `${field}-about` : null,
        oninput: ({ target }) => edit(order, item, target.value),
      }),
      h("button", { disabled: isSame, "aria-label": `Change the quantity of ${item.product_name}` }, "Change"),
      about && h("p", { id: `${field}-about`, class: error ? "error" : "news" }, about));
  }

  return {
    view: (order, isOpen) => order.items.length === 0
      ? h("p", { class: "empty" }, "The order has no items.")
      : [
        h("ul", { class: `items ${isOpen ? "open" : ""}` }, order.items.map((item) => row(order, item, isOpen))),
        h("p", { class: "total" }, "Total ", h("output", {}, money(order.total_cents))),
      ],
  };
}

/** The form for one more item. */
export function addItemForm({ act, id, redraw }) {
  let item = emptyItem(), showErrors = false, known;

  async function add(event, order, products) {
    event.preventDefault();
    showErrors = !isFine(item);
    redraw();
    if (showErrors) return focusError(event.target);
    const body = itemBody(item, products);
    await act("The item is added.", order.version, (at) => api.addItem(id, at, body));
    item = emptyItem();
    redraw();
  }

  return {
    /** The products to choose from. */
    async products() {
      if (known) return known;
      const [inventory, { orders }] = await Promise.all([api.inventory("name"), api.orders({ view: "all", limit: 200 })]);
      known = catalogue(inventory, orders);
      return known;
    },

    view: (order, products) => h("form", { novalidate: true, onsubmit: (event) => add(event, order, products) },
      h("fieldset", { class: "item" },
        h("legend", {}, "Add an item"),
        itemFields({ prefix: "add", item, products, showErrors, change: redraw }),
        h("button", {}, "Add"))),
  };
}
