// Makes elements and keeps the page up to date. Text is always text: nothing here reads markup from a
// string, so a name from outside cannot become an element or a script.

const SVG = "http://www.w3.org/2000/svg";
const HANDLERS = ["onclick", "onchange", "oninput", "onsubmit"];

/**
 * An HTML element. Attributes that are false, null or undefined are left out, `true` is the empty text,
 * and `on…` is a handler. Children are nodes, texts, numbers, or lists of them.
 */
export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** An SVG element, in the same way. */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

/**
 * Makes `children` the children of `parent` and changes only what differs. Elements that stay keep
 * their focus, their scroll position and what was typed into them. An element with a `data-key` is
 * recognised by it wherever it has moved to.
 */
export function update(parent, ...children) {
  const next = nodes(children);
  const keys = new Set(next.map(key).filter(Boolean));
  for (const old of [...parent.childNodes]) {
    if (key(old) && !keys.has(key(old))) old.remove();
  }
  const keyed = new Map([...parent.childNodes].map((old) => [key(old), old]));
  let place = parent.firstChild;
  for (const node of next) {
    const same = key(node) ? keyed.get(key(node)) : isLike(place, node) && place;
    if (!same) {
      parent.insertBefore(node, place);
      continue;
    }
    if (same !== place) parent.insertBefore(same, place);
    patch(same, node);
    place = same.nextSibling;
  }
  while (place) {
    const rest = place.nextSibling;
    place.remove();
    place = rest;
  }
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...nodes(children));
  return element;
}

function nodes(children) {
  const shown = children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
  return shown.map((child) => (child instanceof Node ? child : document.createTextNode(child)));
}

function key(node) {
  return node.dataset?.key;
}

function isLike(old, next) {
  return old && old.nodeName === next.nodeName && !key(old);
}

/** Makes `old` equal to `next`, which is of the same kind. */
function patch(old, next) {
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== next.data) old.data = next.data;
    return;
  }
  for (const { name } of [...old.attributes]) {
    // The reader has opened it.
    if (!next.hasAttribute(name) && name !== "open") old.removeAttribute(name);
  }
  for (const { name, value } of next.attributes) {
    if (old.getAttribute(name) === value) continue;
    old.setAttribute(name, value);
    // Text that is not yet a number stays.
    if (name === "value" && "value" in old && !old.validity?.badInput) old.value = value;
  }
  for (const handler of HANDLERS) old[handler] = next[handler];
  update(old, [...next.childNodes]);
  if (old.nodeName === "SELECT") old.value = next.value;
}
