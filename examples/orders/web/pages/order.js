// An order: its items, its state, its fulfilment, and everything that has happened to it.

import * as api from "../lib/api.js";
import { h } from "../lib/dom.js";
import { count, money, plural, short, time } from "../lib/format.js";
import { complain, hush, say } from "../lib/notice.js";
import { ask } from "../parts/ask.js";
import { badge } from "../parts/badge.js";
import { fulfilment } from "../parts/fulfilment.js";
import { heading } from "../parts/heading.js";
import { addItemForm, itemList } from "../parts/order_items.js";
import { stateMachine } from "../parts/state_machine.js";
import { timeline } from "../parts/timeline.js";

/** The state that an event leads to. */
const LEADS_TO = {
  OrderCreated: "Draft", OrderReserved: "Reserved", OrderProcessing: "Processing",
  OrderCompleted: "Completed", OrderCancelled: "Cancelled",
};
const ACTIVE = ["Draft", "Reserved", "Processing"];

export function orderPage({ params: { id }, redraw, refresh }) {
  // By position. The first load brings those of the order, the live events those of its payment, its
  // shipment and its fulfilment too.
  const events = new Map();
  let isBusy = false;

  /**
   * Changes the order: `change(version)` sends the request. If the order was changed meanwhile, the
   * reader sees that, and can have the change made to the order as it is then.
   */
  async function act(done, version, change) {
    if (isBusy) return;
    isBusy = true;
    hush();
    redraw();
    try {
      await change(version);
      say(done);
    } catch (error) {
      explain(error, () => act(done, null, async () => change((await api.order(id)).version)));
    }
    isBusy = false;
    await refresh();
  }

  function explain(error, again) {
    if (error.status === 412) {
      say("The order was changed meanwhile, so your change was not made. The order is now shown as it is.", {
        kind: "problem", action: ["Make my change all the same", again],
      });
    } else if (error.status === 409) {
      say(`${error.message} The order is now shown as it is.`, { kind: "problem" });
    } else {
      complain(error);
    }
  }

  async function cancel({ version }) {
    const reason = await ask({ title: "Cancel this order?", label: "Reason", confirm: "Cancel the order", value: "ordered by mistake" });
    if (reason !== null) await act("The order is cancelled.", version, (at) => api.cancel(id, at, reason));
  }

  const list = itemList({ act, id, redraw });
  const form = addItemForm({ act, id, redraw });

  return {
    title: `Order …${short(id)}`,

    async load() {
      const [order, saga, stored] = await Promise.all([api.order(id), api.saga(id), events.size === 0 ? api.events(id) : []]);
      for (const event of stored) events.set(event.position, { ...event, stream: `order-${id}` });
      const isOpen = order.state === "Draft" && !order.submitted;
      return { order, saga, isOpen, products: isOpen ? await form.products() : null };
    },

    follow: () => ({ orderId: id, after: Math.min(...events.keys()) - 1 }),

    onEvent(event) {
      const isNew = !events.has(event.position);
      events.set(event.position, event);
      redraw();
      return isNew;
    },

    view({ order, saga, isOpen, products }) {
      const history = [...events.values()].sort((a, b) => a.position - b.position);
      const states = history.map((event) => LEADS_TO[event.event_type]).filter(Boolean);
      return [
        h("p", { class: "path" }, h("a", { href: "#/orders" }, "Orders"), " / "),
        h("div", { class: "title" }, heading("Order ", h("code", {}, `…${short(id)}`)), badge(order.state),
          order.submitted && order.state === "Draft" && h("span", { class: "badge" }, "submitted")),
        facts(order),
        actions({ order, saga, isOpen }),
        section("State", stateMachine(states)),
        section("Items", list.view(order, isOpen), isOpen && form.view(order, products)),
        section("Fulfilment", fulfilment(saga)),
        section("Timeline", timeline(history)),
      ];
    },
  };

  function actions({ order, saga, isOpen }) {
    const isWaiting = order.state === "Draft" && saga.state === "NotStarted" && order.items.length > 0;
    const button = (title, isAllowed, run, kind) =>
      h("button", { type: "button", class: kind, disabled: !isAllowed, "aria-disabled": isBusy ? "true" : null, onclick: run }, title);
    return [
      h("p", { class: "actions" },
        button("Submit", isOpen && order.items.length > 0, () => act("The order is submitted.", order.version, (at) => api.submit(id, at))),
        button("Fulfil", isWaiting, () => act("The fulfilment has begun.", order.version, (at) => api.startFulfilment(id, at)), "main"),
        button("Cancel", ACTIVE.includes(order.state), () => cancel(order), "danger")),
      h("p", { class: "hint" }, adviceFor(order, saga)),
    ];
  }
}

function adviceFor(order, saga) {
  if (!ACTIVE.includes(order.state)) return `The order is ${order.state}: nothing more happens to it.`;
  if (order.items.length === 0) return "Add an item first: an order without items can only be cancelled.";
  if (saga.state !== "NotStarted") return "The order is being fulfilled.";
  if (order.submitted) return "The items are fixed. Fulfil sets the stock aside, takes the payment, and books the shipment.";
  return "Submit fixes the items. Fulfil does that too, sets the stock aside, takes the payment, and books the shipment.";
}

function facts(order) {
  const fact = (term, ...what) => h("div", {}, h("dt", {}, term), h("dd", {}, what));
  return h("dl", { class: "facts" },
    fact("Total", money(order.total_cents)),
    fact("Customer", h("a", { href: `#/orders?view=all&customer_id=${order.customer_id}`, title: order.customer_id }, `…${short(order.customer_id)}`)),
    fact("Created", time(order.created_at)),
    fact("Changed", time(order.updated_at)),
    fact("Version", count(order.version)),
    order.tracking_number && fact("Tracking number", order.tracking_number),
    order.cancellation_reason && fact("Cancelled because", order.cancellation_reason),
    fact("Id", h("code", { class: "id" }, order.id)));
}

function section(title, ...content) {
  const id = `${title.toLowerCase()}-title`;
  return h("section", { class: "card", "aria-labelledby": id }, h("h2", { id }, title), content);
}
