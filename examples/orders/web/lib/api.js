// The HTTP API. Every function answers with the body of the response, or throws a `Problem`.

/** What the server, or the way to it, has against a request. `code` is for programs. */
export class Problem extends Error {
  constructor(status, code, message) {
    super(message);
    Object.assign(this, { status, code });
  }
}

// The newest event that this page knows of. Lists and statistics are asked to include it, so that
// readers see what they have just written.
let newest = 0;

/** Remembers that there is an event at this position. */
export function notePosition(position) {
  newest = Math.max(newest, position);
}

/** Forgets the newest event: the server has another history now. */
export function forgetPosition() {
  newest = 0;
}

export const statistics = () => list("/statistics");
export const customers = (sort) => list(`/customers?sort=${sort}&limit=100`);
export const inventory = (sort) => list(`/inventory?sort=${sort}&limit=500`);

/** A page of orders, and the cursor of the next one if there is one. */
export async function orders(query) {
  const response = await send("GET", `/orders?${new URLSearchParams(query)}`, { headers: minimum() });
  const next = response.headers.get("Link")?.match(/<([^>]*)>; rel="next"/)?.[1];
  const cursor = next && new URL(next, location.href).searchParams.get("cursor");
  return { orders: await response.json(), cursor };
}

export const order = (id) => json("GET", `/orders/${id}`);
export const saga = (id) => json("GET", `/orders/${id}/saga`);
export const events = (id) => json("GET", `/orders/${id}/events`);

/** Creates an order. The same order with the same key is created once, however often it is sent. */
export const createOrder = (order, key) =>
  json("POST", "/orders", { body: order, headers: { "Idempotency-Key": key } });

/** Changes to an order happen only if it is still at `version`. */
export const addItem = (id, version, item) => change("POST", id, "items", version, item);
export const setQuantity = (id, version, product, quantity) =>
  change("PUT", id, `items/${encodeURIComponent(product)}`, version, { quantity });
export const removeItem = (id, version, product) =>
  change("DELETE", id, `items/${encodeURIComponent(product)}`, version);
export const submit = (id, version) => change("POST", id, "submit", version);
export const cancel = (id, version, reason) => change("POST", id, "cancel", version, { reason });

/** Starts the fulfilment. Its end comes by live events. */
export const startFulfilment = (id, version) =>
  change("POST", id, "fulfill", version, undefined, { Prefer: "respond-async" });

/** Fulfils an order and waits for the end. */
export const fulfil = (id) => json("POST", `/orders/${id}/fulfill`);

export const receiveStock = (product, body) =>
  json("POST", `/inventory/${encodeURIComponent(product)}/receive`, { body });
export const seed = (orders) => json("POST", "/seed", { body: { orders } });
export const readModels = () => json("GET", "/read-models");
export const rebuild = () => json("POST", "/read-models/rebuild");

/** A new idempotency key. `crypto.randomUUID` would need HTTPS. */
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

const minimum = () => (newest > 0 ? { "Min-Position": String(newest) } : {});
const list = (path) => json("GET", path, { headers: minimum() });

function change(method, id, path, version, body, headers = {}) {
  return json(method, `/orders/${id}/${path}`, { body, headers: { "If-Match": `"${version}"`, ...headers } });
}

async function json(method, path, options) {
  const response = await send(method, path, options);
  return response.json();
}

async function send(method, path, { body, headers = {} } = {}) {
  const request = { method, headers, cache: "no-cache" };
  if (body !== undefined) {
    request.body = JSON.stringify(body);
    request.headers = { "Content-Type": "application/json", ...headers };
  }
  const response = await fetch(path, request).catch(() => {
    throw new Problem(0, "no_answer", "The server does not answer.");
  });
  notePosition(Number(response.headers.get("Event-Position")));
  if (!response.ok) throw await problem(response);
  return response;
}

async function problem(response) {
  const { code, error } = await response.json().catch(() => ({}));
  return new Problem(response.status, code, sentence(error ?? `The server answers ${response.status}`));
}

function sentence(text) {
  return `${text[0].toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
}
