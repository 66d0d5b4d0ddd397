// Starts the program and a browser, and ends both. Every window notes what must not happen: errors in
// the console, exceptions, and requests to another server.
//
// - ORDERS_BIN: the program; by default target/debug/orders of this repository.
// - CHROMIUM: the browser; by default /usr/bin/chromium.
// - DATABASE_URL: the tests of orders run on this database too, which must be empty.
// - SCREENSHOTS: a folder for pictures of all pages.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { after, before, describe } from "node:test";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const PROGRAM = process.env.ORDERS_BIN ?? fileURLToPath(new URL("../../../target/debug/orders", import.meta.url));
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";

/** How long anything may take to appear, in milliseconds. The machine may have other things to do. */
const PATIENCE = 30_000;

/** Where the events are kept: in memory, and in a database if there is one. */
export const STORES = process.env.DATABASE_URL ? ["memory", "PostgreSQL"] : ["memory"];

export const LAMP = { product_id: "SKU-001", product_name: "Desk lamp", quantity: 2, unit_price_cents: 3_490 };
export const DESK = { product_id: "SKU-007", product_name: "Standing desk", quantity: 1, unit_price_cents: 64_900 };

/** Tests that share a program and a browser. `tests` gets the shop. */
export function describeShop(title, { store = "memory" }, tests) {
  describe(`${title}, in ${store}`, () => {
    const shop = new Shop(store);
    before(() => shop.open());
    after(() => shop.close());
    tests(shop);
  });
}

class Shop {
  constructor(store) {
    this.store = store;
  }

  async open() {
    [this.program, this.browser] = await Promise.all([startProgram(this.store), startBrowser()]);
    this.url = this.program.url;
    await this.post("/seed", { orders: 0 });
  }

  async close() {
    await this.browser?.close();
    await this.program?.stop();
  }

  /**
   * Opens a window with a memory of its own, does something in it, and checks that nothing was wrong.
   * `problems` are parts of the messages that the console may have.
   */
  async visit(path, use, { problems = [], url = this.url, ...options } = {}) {
    const context = await this.browser.newContext({ viewport: { width: 1200, height: 900 }, reducedMotion: "reduce", ...options });
    const wrong = [];
    context.setDefaultTimeout(PATIENCE);
    context.on("weberror", (error) => wrong.push(`exception: ${error.error().stack}`));
    context.on("console", (message) => {
      const isExpected = problems.some((problem) => message.text().includes(problem));
      if (["error", "warning"].includes(message.type()) && !isExpected) wrong.push(`console: ${message.text()}`);
    });
    context.on("request", (request) => {
      if (!request.url().startsWith(`${url}/`)) wrong.push(`foreign request: ${request.url()}`);
    });
    try {
      const page = await context.newPage();
      await goto(page, `${url}/#${path}`);
      await use(page, context);
      assert.deepEqual(wrong, []);
    } finally {
      await context.close();
    }
  }

  async post(path, body) {
    return this.send("POST", path, body);
  }

  async send(method, path, body) {
    const request = { method };
    if (body) Object.assign(request, { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } });
    const response = await fetch(this.url + path, request);
    assert.ok(response.ok, `${method} ${path}: ${response.status}`);
    return response.json();
  }

  /** Creates an order without the page. */
  async createOrder(...items) {
    return (await this.post("/orders", { items })).order_id;
  }
}

/** Goes to a page, and waits until it is shown and live. */
export async function goto(page, url) {
  await page.goto(url);
  await page.locator("main[aria-busy=false] h1").waitFor();
  await page.locator("#connection[data-state=live]").waitFor();
}

/** Starts the program on a port that is free. */
export async function startProgram(store) {
  const { DATABASE_URL: url = "", ...rest } = process.env;
  const env = { ...rest, HOST: "127.0.0.1", PORT: "0", DATABASE_URL: store === "memory" ? "" : url };
  const child = spawn(PROGRAM, [], { env, stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise((done) => child.once("close", done));
  // Whatever happens to the tests, the program does not stay.
  process.once("exit", () => child.kill("SIGKILL"));
  const announced = new Promise((found, failed) => {
    let output = "";
    child.once("error", (error) => failed(new Error(`${PROGRAM} cannot be started: ${error.message}`)));
    child.once("close", (code) => failed(new Error(`${PROGRAM} ended with ${code}`)));
    child.stdout.on("data", (data) => {
      output += data;
      const address = output.match(/http:\/\/[\w.:]+/);
      if (address) found(address[0]);
    });
  });
  const stop = async () => {
    child.kill("SIGTERM");
    await ended;
  };
  return { url: await announced, stop };
}

function startBrowser() {
  // The browser refuses to run as root in its sandbox.
  const args = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
  return chromium.launch({ executablePath: CHROMIUM, args });
}
