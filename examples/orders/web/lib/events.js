// The events of the shop, each in a sentence.

import { count, money, plural, short } from "./format.js";

const STEPS = {
  reserve_inventory: "Reserve the stock",
  process_payment: "Take the payment",
  create_shipment: "Book the shipment",
};

/** The steps of a fulfilment, in their order: name and title. */
export const steps = Object.entries(STEPS);

const step = (name) => STEPS[name] ?? name;

const SENTENCES = {
  OrderCreated: (it) => `Customer …${short(it.customer_id)} has begun an order.`,
  ItemAdded: (it) => `${count(it.quantity)} × ${it.product_name}, at ${money(it.unit_price.cents)} each.`,
  ItemRemoved: (it) => `${it.product_id} was taken out.`,
  ItemQuantityUpdated: (it) => `${it.product_id}: ${count(it.new_quantity)} instead of ${count(it.old_quantity)}.`,
  OrderSubmitted: (it) => `${plural(it.item_count, "product")} for ${money(it.total_amount.cents)}. The items are fixed now.`,
  OrderReserved: (it) => `The stock is set aside: ${it.reservation_id}.`,
  OrderProcessing: (it) => `The order is paid: ${it.payment_id}.`,
  OrderCompleted: (it) => `The order is on its way: ${it.tracking_number}.`,
  OrderCancelled: (it) => `Cancelled${it.cancelled_by ? ` by ${it.cancelled_by}` : ""}: ${it.reason}.`,
  StockReceived: (it) => `${plural(it.quantity, "piece")} of ${it.product_name} arrived.`,
  StockReserved: (it) => `${plural(it.quantity, "piece")} set aside for order …${short(it.order_id)}.`,
  StockReleased: (it) => `${plural(it.quantity, "piece")} of order …${short(it.order_id)} available again.`,
  BookOpened: (it) => `A new book of the stock begins, number ${it.book}, with ${plural(it.available, "piece")}.`,
  PaymentTaken: (it) => `${money(it.amount.cents)} taken: ${it.payment_id}.`,
  PaymentDeclined: (it) => `The payment provider refuses: ${it.reason}.`,
  PaymentRefunded: () => "The provider keeps no money.",
  ShipmentBooked: (it) => `The carrier ships it: ${it.tracking_number}.`,
  ShipmentRefused: (it) => `The carrier refuses: ${it.reason}.`,
  ShipmentWithdrawn: () => "The carrier ships nothing.",
  FulfilmentStarted: () => "The fulfilment begins.",
  StepCompleted: (it) => `${step(it.step)}: done, ${it.reference}.`,
  CompensationStarted: (it) => `${it.reason}: what was done is undone from here on.`,
  StepCompensated: (it) => `${step(it.step)}: undone.`,
  FulfilmentCompleted: () => "The fulfilment is complete.",
  FulfilmentFailed: (it) => `The fulfilment has failed: ${it.reason}.`,
};

/** The types of all events. */
export const types = Object.keys(SENTENCES);

/** What has happened. */
export function describe({ event_type: type, payload }) {
  return SENTENCES[type]?.(payload) ?? "";
}
