// A table that scrolls within itself where the screen is narrow.

import { h } from "../lib/dom.js";

/**
 * `columns` are `[title, cell(row), class]`; the first cell of a row is its heading. `key(row)` tells
 * rows apart.
 */
export function table({ label, columns, rows, key, empty }) {
  if (rows.length === 0) return h("p", { class: "empty" }, empty);
  const head = columns.map(([title, , kind]) => h("th", { scope: "col", class: kind }, title));
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label },
    h("table", {},
      h("thead", {}, h("tr", {}, head)),
      h("tbody", {}, rows.map((row) => h("tr", { "data-key": key(row) }, cells(columns, row))))));
}

function cells(columns, row) {
  return columns.map(([, cell, kind], at) =>
    at === 0 ? h("th", { scope: "row", class: kind }, cell(row)) : h("td", { class: kind }, cell(row)));
}
