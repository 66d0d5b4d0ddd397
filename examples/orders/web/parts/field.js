// Fields of forms, each with its label and, if it is wrong, with the reason.

import { h } from "../lib/dom.js";

/** A field with a label. `error` is what is wrong with it; `hint` helps to fill it in. */
export function field({ id, label, error, hint, tag = "input", children = [], ...attributes }) {
  const about = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(" ");
  return h("div", { class: "field" },
    h("label", { for: id }, label),
    h(tag, { id, name: id, "aria-invalid": error ? "true" : null, "aria-describedby": about || null, ...attributes }, children),
    hint && h("p", { id: `${id}-hint`, class: "hint" }, hint),
    error && h("p", { id: `${id}-error`, class: "error" }, error));
}

/** A choice. `options` are pairs of a value and a title. */
export function choice({ options, value, ...attributes }) {
  const children = options.map(([one, title]) => h("option", { value: one, selected: one === value }, title));
  return field({ tag: "select", children, ...attributes });
}

/** What is wrong with a quantity, if anything. */
export function quantityError(text, { least = 1 } = {}) {
  const isFine = /^\d{1,7}$/.test(text) && Number(text) >= least && Number(text) <= 1_000_000;
  return isFine ? null : `A whole number, ${least} to 1,000,000.`;
}

/** Moves the focus to the first field that is wrong. */
export function focusError(form) {
  form.querySelector("[aria-invalid=true]")?.focus();
}
