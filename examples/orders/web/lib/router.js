// Opens the page that the address names, and keeps it up to date.
//
// A page is a function that gets `{ params, query, redraw, refresh, go }` and returns
//
// - `title`
// - `load()`: the data that it shows
// - `view(data)`: the elements that show them; called after every load
// - `follow(data)`: which events to follow, as `live.js` takes it; by default all from now on
// - `onEvent(event)`: whether the data must be loaded again; by default they must
//
// `redraw()` shows the same data again, `refresh()` loads them first, `go(path)` opens another page.

import { focusHeading, heading } from "../parts/heading.js";
import { h, update } from "./dom.js";
import { follow } from "./live.js";
import { complain, leave } from "./notice.js";

/** The shortest time between two loads, in milliseconds. */
const PAUSE = 150;

/**
 * Opens pages in `main`. `routes` are pairs of a path, such as `/orders/:id`, and a page. `onOpen(path)`
 * is called for every page, `onState(state)` for every state of the live connection.
 */
export function start({ routes, main, onOpen, onState }) {
  let hash, path, close;

  function open() {
    hash = location.hash;
    const address = new URL(hash.slice(1) || "/", location.origin);
    const moveFocus = path !== undefined && address.pathname !== path;
    path = address.pathname;
    close?.();
    leave();
    onOpen(path);
    close = openPage({ route: find(routes, address), main, moveFocus, onState, reopen: open });
  }

  addEventListener("hashchange", () => {
    if (location.hash === "#main") history.replaceState(null, "", hash || "#/"); // The skip link.
    else open();
  });
  open();
}

function find(routes, { pathname, searchParams }) {
  for (const [pattern, page] of routes) {
    const found = pathname.match(new RegExp(`^${pattern.replace(/:(\w+)/g, "(?<$1>[^/]+)")}$`));
    if (found) return { page, params: { ...found.groups }, query: Object.fromEntries(searchParams) };
  }
  return { page: missing, params: {}, query: {} };
}

/** Opens a page. Returns what closes it. */
function openPage({ route, main, moveFocus, onState, reopen }) {
  let isOpen = true, isLoaded = false, data, unfollow;
  const refresh = coalesce(load);
  const go = (path) => { location.hash = path; };
  const page = route.page({ ...route, redraw, refresh, go });

  async function load() {
    try {
      const loaded = await page.load?.();
      if (!isOpen) return;
      data = loaded;
      isLoaded = true;
      redraw();
    } catch (error) {
      if (!isOpen) return;
      if (isLoaded) complain(error, { action: ["Try again", refresh] });
      else update(main, failure(error, reopen));
    }
  }

  function redraw() {
    if (!isOpen || !isLoaded) return;
    const focused = document.activeElement;
    const isOurs = main.contains(focused);
    update(main, page.view(data));
    if (isOurs && (!focused.isConnected || focused.disabled)) focusHeading();
  }

  async function begin() {
    main.setAttribute("aria-busy", "true");
    await refresh();
    if (!isOpen) return;
    main.setAttribute("aria-busy", "false");
    document.title = `${page.title} · Orders`;
    if (moveFocus) {
      scrollTo(0, 0);
      focusHeading();
    }
    if (!isLoaded) return;
    unfollow = follow(page.follow?.(data) ?? {}, {
      onState,
      onEvent: (event) => { if (page.onEvent?.(event) ?? true) refresh(); },
      // Something may have happened between the load and the connection.
      onConnected: refresh,
      onReset: reopen,
    });
  }

  begin();
  return () => {
    isOpen = false;
    unfollow?.();
  };
}

/** Runs `work` when asked, one at a time, and once more if asked meanwhile. */
function coalesce(work) {
  let running, isAsked;
  async function run() {
    while (isAsked) {
      isAsked = false;
      await work();
      if (isAsked) await new Promise((done) => setTimeout(done, PAUSE));
    }
    running = undefined;
  }
  return () => {
    isAsked = true;
    running ??= run();
    return running;
  };
}

function failure(error, reopen) {
  return [
    heading(error.status === 404 ? "Not found" : "This page cannot be shown"),
    h("p", { role: "alert" }, error.message),
    h("p", { class: "actions" },
      h("button", { type: "button", onclick: reopen }, "Try again"),
      h("a", { class: "button", href: "#/orders" }, "All orders")),
  ];
}

function missing() {
  const title = "Not found";
  return { title, view: () => [heading(title), h("p", {}, "There is no page with this address.")] };
}
