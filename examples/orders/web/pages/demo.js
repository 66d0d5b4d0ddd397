// The demo: four steps that do what they say, and show the events that they have written.

import * as api from "../lib/api.js";
import { h } from "../lib/dom.js";
import { money, plural, short } from "../lib/format.js";
import { complain } from "../lib/notice.js";
import { heading } from "../parts/heading.js";
import { timeline } from "../parts/timeline.js";

const DESK = { product_id: "SKU-007", product_name: "Standing desk", quantity: 1, unit_price_cents: 64_900 };
const LAMP = { product_id: "SKU-001", product_name: "Desk lamp", quantity: 2, unit_price_cents: 3_490 };
const TOO_EXPENSIVE = { ...DESK, quantity: 20 };

const STEPS = [
  {
    title: "Fill the shop",
    text: "Ten products get stock. Each product has a stream of its own.",
    async run() {
      const { products } = await api.seed(0);
      return { says: `${plural(products, "product")} received stock.` };
    },
  },
  {
    title: "Create an order",
    text: `Two lamps and a desk, for ${money(2 * LAMP.unit_price_cents + DESK.unit_price_cents)}. The order and its items are one append.`,
    async run() {
      const { order_id: order } = await api.createOrder({ items: [LAMP, DESK] }, api.newKey());
      return { order, says: "The order is a draft." };
    },
  },
  {
    title: "Fulfil it",
    text: "The fulfilment sets the stock aside, takes the payment, and books the shipment.",
    async run([, created]) {
      const { saga_state: state } = await api.fulfil(created.order);
      return { order: created.order, says: `The fulfilment is ${state}.` };
    },
  },
  {
    title: "See a payment fail",
    text: `Twenty desks cost ${money(20 * DESK.unit_price_cents)}. The payment provider declines more than 10,000.00, so the stock is released again and the order is cancelled.`,
    async run() {
      const { order_id: order } = await api.createOrder({ items: [TOO_EXPENSIVE] }, api.newKey());
      const { saga_state: state } = await api.fulfil(order);
      return { order, says: `The fulfilment is ${state}, and everything that it had done is undone.` };
    },
  },
];

export function demoPage({ redraw }) {
  const results = [];
  // The events since this page was opened, each with the step in which it arrived.
  const events = [];
  let running = null;

  async function run(at) {
    if (running !== null) return;
    running = at;
    redraw();
    try {
      results[at] = await STEPS[at].run(results);
    } catch (error) {
      complain(error);
    }
    running = null;
    redraw();
    if (results[at]) document.getElementById(`do-${at + 2}`)?.focus();
  }

  const isNext = (at) => at === 0 || results[at - 1] !== undefined;

  /** The events of a step: those of its order, or of the stock that it received. */
  function eventsOf(at) {
    const order = results[at]?.order;
    const isOurs = (event) => (at === 0 ? event.event_type === "StockReceived" : !order || event.order_id === order);
    return events.filter((event) => event.step === at && isOurs(event));
  }

  function step({ title, text }, at) {
    const [result, isRunning] = [results[at], running === at];
    const id = `step-${at + 1}`;
    return h("li", { class: "card", "data-done": result ? "true" : null },
      h("h2", { id }, `${at + 1}. ${title}`),
      h("p", {}, text),
      h("p", { class: "actions" },
        !result && h("button", { type: "button", id: `do-${at + 1}`, class: "main", disabled: !isNext(at), "aria-disabled": running !== null ? "true" : null, "aria-describedby": id, onclick: () => run(at) },
          isRunning ? "Working …" : "Do it"),
        result?.order && h("a", { class: "button", href: `#/orders/${result.order}` }, `Order …${short(result.order)}`)),
      h("div", { role: "status" }, result && h("p", { class: "outcome" }, `✓ ${result.says}`)),
      (result || isRunning) && [h("h3", {}, "Events written"), timeline(eventsOf(at), { empty: "None yet." })]);
  }

  return {
    title: "Demo",
    load: api.statistics,
    follow: ({ position }) => ({ after: position }),
    onEvent(event) {
      events.push({ ...event, step: running ?? results.length - 1 });
      redraw();
      return false;
    },
    view: () => [
      heading("Demo"),
      h("p", { class: "lead" }, "An order from creation to shipping, and one that cannot be paid. Nothing is staged: each step calls the API, and the events come from the store."),
      h("ol", { class: "demo" }, STEPS.map(step)),
    ],
  };
}
