// Shows amounts, times and ids.

import { h } from "./dom.js";

const amount = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const whole = new Intl.NumberFormat("en");
const moment = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });

/** Cents, as `1,234.50`. */
export const money = (cents) => amount.format(cents / 100);

/** A whole number, as `1,234`. */
export const count = (number) => whole.format(number);

/** `1 piece`, `2 pieces`. */
export const plural = (number, noun) => `${count(number)} ${noun}${number === 1 ? "" : "s"}`;

/** A time in the reader's zone. */
export const time = (timestamp) => h("time", { datetime: timestamp }, moment.format(new Date(timestamp)));

/** The end of a UUID: its beginning is the time for UUIDs that were made one after the other. */
export const short = (id) => id.slice(-8);

/** `12.50` in cents; null if it is not an amount. */
export function cents(text) {
  return /^\d{1,8}(\.\d{1,2})?$/.test(text.trim()) ? Math.round(Number(text) * 100) : null;
}
