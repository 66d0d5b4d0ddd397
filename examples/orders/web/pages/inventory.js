// The products: their stock, what is ordered of them, and a form for stock that arrives.

import * as api from "../lib/api.js";
import { h } from "../lib/dom.js";
import { count, money, plural } from "../lib/format.js";
import { complain, say } from "../lib/notice.js";
import { choice, field, focusError, quantityError } from "../parts/field.js";
import { heading } from "../parts/heading.js";
import { table } from "../parts/table.js";

const SORTS = [["demand", "Demand"], ["revenue", "Revenue"], ["name", "Name"]];

const COLUMNS = [
  ["Product", (it) => [it.product_name, h("span", { class: "where" }, ` ${it.product_id}`)], "text"],
  ["Available", (it) => count(it.available), "number"],
  ["Reserved", (it) => count(it.quantity_reserved), "number"],
  ["In orders under way", (it) => count(it.quantity_in_active_orders), "number"],
  ["Completed", (it) => count(it.quantity_completed), "number"],
  ["Orders", (it) => count(it.order_count), "number"],
  ["Revenue", (it) => money(it.total_revenue_cents), "number"],
];

export function inventoryPage({ query: { sort = "demand" }, go, redraw, refresh }) {
  let arrived = { id: "", name: "", quantity: "100" }, showErrors = false;

  function errors() {
    return {
      id: arrived.id.trim() ? null : "What the product is ordered by, such as SKU-001.",
      name: arrived.name.trim() ? null : "What the product is called.",
      quantity: quantityError(arrived.quantity),
    };
  }

  async function receive(event) {
    event.preventDefault();
    showErrors = Object.values(errors()).some((error) => error);
    redraw();
    if (showErrors) return focusError(event.target);
    const { id, name, quantity } = arrived;
    try {
      const { available } = await api.receiveStock(id.trim(), { product_name: name.trim(), quantity: Number(quantity) });
      say(`${plural(Number(quantity), "piece")} of ${name.trim()} arrived. ${count(available)} are available.`);
      arrived = { id: "", name: "", quantity: "100" };
    } catch (error) {
      complain(error);
    }
    await refresh();
  }

  /** Fills in the name of a product that is known. */
  function setId(products, id) {
    arrived.id = id;
    arrived.name = products.find((product) => product.product_id === id)?.product_name ?? arrived.name;
    redraw();
  }

  return {
    title: "Inventory",
    load: () => api.inventory(sort),
    view(products) {
      const wrong = showErrors ? errors() : {};
      const set = (name) => ({ target }) => { arrived[name] = target.value; redraw(); };
      return [
        heading("Inventory"),
        h("form", { class: "row" }, choice({
          id: "sort", label: "Sort by", options: SORTS, value: sort, onchange: ({ target }) => go(`/inventory?sort=${target.value}`),
        })),
        table({ label: "Products", columns: COLUMNS, rows: products, key: (it) => it.product_id, empty: "There are no products yet." }),
        h("section", { class: "card", "aria-labelledby": "receive-title" },
          h("h2", { id: "receive-title" }, "Stock arrives"),
          h("form", { class: "row", novalidate: true, onsubmit: receive },
            field({ id: "product", label: "Product id", value: arrived.id, error: wrong.id, maxlength: 50, list: "products", autocomplete: "off",
              oninput: ({ target }) => setId(products, target.value) }),
            h("datalist", { id: "products" }, products.map((it) => h("option", { value: it.product_id }, it.product_name))),
            field({ id: "name", label: "Name", value: arrived.name, error: wrong.name, maxlength: 100, autocomplete: "off", oninput: set("name") }),
            field({ id: "quantity", label: "Quantity", value: arrived.quantity, error: wrong.quantity, inputmode: "numeric", autocomplete: "off", oninput: set("quantity") }),
            h("button", { class: "main" }, "Receive"))),
      ];
    },
  };
}
