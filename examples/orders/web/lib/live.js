// The live updates: server-sent events. A browser that loses the connection opens it again and sends
// the id of the last event, so that none is missed.

import { forgetPosition, notePosition } from "./api.js";
import { types } from "./events.js";

/** How long to wait where the browser does not open the connection again, in milliseconds. */
const PAUSE = 2_000;

/**
 * Follows the events after a position, or those of one order; without a position those from now on.
 * Returns what ends it.
 *
 * - `onEvent(event)` gets each event.
 * - `onConnected()` is called when all events from before the connection are there.
 * - `onReset()` is called when the server has another history than before.
 * - `onState(state)` gets `connecting`, `live` or `offline`.
 */
export function follow({ after, orderId }, { onEvent, onConnected, onReset, onState }) {
  let source, timer, last = after;

  function open() {
    const query = new URLSearchParams();
    if (last !== undefined) query.set("after", last);
    if (orderId) query.set("order_id", orderId);
    let isNew = true;
    source = new EventSource(`/live?${query}`);
    source.onopen = () => {
      isNew = true;
      onState("live");
    };
    source.onerror = () => {
      onState("offline");
      if (source.readyState === EventSource.CLOSED) timer = setTimeout(open, PAUSE);
    };
    for (const type of types) source.addEventListener(type, (message) => onEvent(read(message)));
    source.addEventListener("caught-up", (message) => {
      read(message);
      if (isNew) onConnected();
      isNew = false;
    });
    source.addEventListener("reset", (message) => {
      forgetPosition();
      read(message);
      onReset();
    });
  }

  function read(message) {
    const data = JSON.parse(message.data);
    if (data.position !== undefined) {
      last = data.position;
      notePosition(last);
    }
    return data;
  }

  function close() {
    clearTimeout(timer);
    source?.close();
  }

  /** A browser has six connections to a server for all its tabs, so a hidden one gives its own back. */
  function turn() {
    close();
    if (!document.hidden) open();
  }

  onState("connecting");
  document.addEventListener("visibilitychange", turn);
  turn();
  return () => {
    document.removeEventListener("visibilitychange", turn);
    close();
  };
}
