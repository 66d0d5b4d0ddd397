// The fields of an item: a product from the inventory, how many pieces, and at which price.

import { cents, count, money } from "../lib/format.js";
import { choice, field, quantityError } from "./field.js";

/** An item that is not filled in. */
export const emptyItem = () => ({ product: "", quantity: "1", price: "" });

/** What is known about the products: those of the inventory, with the price of the newest order. */
export function catalogue(inventory, orders) {
  const prices = new Map();
  for (const order of orders.toReversed()) {
    for (const item of order.items) prices.set(item.product_id, item.unit_price_cents);
  }
  return new Map(inventory.map((product) => [product.product_id, { ...product, price: prices.get(product.product_id) }]));
}

/** What is wrong with an item, by field. */
export function itemErrors({ product, quantity, price }) {
  return {
    product: product ? null : "Choose a product.",
    quantity: quantityError(quantity),
    price: cents(price) > 0 && cents(price) <= 1_000_000_000 ? null : "An amount such as 12.50, at most 10,000,000.00.",
  };
}

export const isFine = (item) => Object.values(itemErrors(item)).every((error) => error === null);

/** What the item costs, in cents; 0 if it is not filled in. */
export const itemTotal = (item) => (isFine(item) ? cents(item.price) * Number(item.quantity) : 0);

/** The item as the API takes it. */
export function itemBody(item, products) {
  return {
    product_id: item.product,
    product_name: products.get(item.product).product_name,
    quantity: Number(item.quantity),
    unit_price_cents: cents(item.price),
  };
}

/** `change()` is called when a field of `item` has changed. `showErrors` says what is wrong. */
export function itemFields({ prefix, item, products, showErrors, change }) {
  const errors = showErrors ? itemErrors(item) : {};
  const known = products.get(item.product);
  const set = (name) => ({ target }) => {
    item[name] = target.value;
    if (name === "product") propose(item, products);
    change();
  };
  const options = [...products.values()].map(({ product_id: id, product_name: name }) => [id, `${name} (${id})`]);
  return [
    choice({
      id: `${prefix}-product`, label: "Product", options: [["", "Choose …"], ...options], value: item.product,
      error: errors.product, hint: known && `${count(known.available)} in stock`, onchange: set("product"),
    }),
    field({
      id: `${prefix}-quantity`, label: "Quantity", value: item.quantity, inputmode: "numeric", autocomplete: "off",
      error: errors.quantity, oninput: set("quantity"),
    }),
    field({
      id: `${prefix}-price`, label: "Unit price", value: item.price, inputmode: "decimal", autocomplete: "off",
      error: errors.price, oninput: set("price"),
    }),
  ];
}

/** Proposes the price at which the product was last ordered. */
function propose(item, products) {
  const price = products.get(item.product)?.price;
  if (price) item.price = money(price).replaceAll(",", "");
}
