// Starts a console on a database of its own and a browser, and ends both. Every window notes what must
// not happen: messages in the browser's console (violations of the page's policy are some), exceptions,
// and requests to another server.
//
// - EVENTCORE_BIN: the command; by default target/debug/eventcore of this repository.
// - CHROMIUM: the browser; by default /usr/bin/chromium.
// - SCREENSHOTS: a folder for pictures of all pages.
// - and what database.js needs.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe } from "node:test";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { Database } from "./database.js";

const PROGRAM = process.env.EVENTCORE_BIN ?? fileURLToPath(new URL("../../target/debug/eventcore", import.meta.url));
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";

/** How long anything may take to appear, in milliseconds. The machine may have other things to do. */
const PATIENCE = 30_000;

/** What people sign in with. */
export const SECRET = "correct horse battery";

/**
 * Every page, with a path in the data of the shop. `PID` is the process of a transaction in flight, and
 * `EVENT_ID` the id of an event that the server has made.
 */
export const PAGES = JSON.parse(await readFile(new URL("pages.json", import.meta.url), "utf8"));

/**
 * Tests that share a database, a console and a browser. `tests` gets the desk.
 *
 * - files: what is loaded into the database.
 * - options: of `eventcore console`.
 * - holds: whether a transaction is in flight all the time.
 */
export function describeConsole(title, { files = ["data.sql"], options = [], holds = false }, tests) {
  describe(`the console: ${title}`, () => {
    const desk = new Desk(`eventcore_console_${title.replaceAll(/\W+/g, "_")}`, options);
    before(() => desk.open(files, holds));
    after(() => desk.close());
    tests(desk);
  });
}

/** A database, a console and a browser. */
class Desk {
  constructor(name, options) {
    this.name = name;
    this.options = options;
  }

  async open(files, holds) {
    const [database, browser] = await Promise.all([Database.create(this.name), startBrowser()]);
    this.database = database;
    this.browser = browser;
    for (const file of files) await database.load(file);
    this.eventId = await database.sql("SELECT event_id FROM eventcore.events WHERE stream_id = 'import-legacy'");
    if (holds) this.pid = await database.hold("import-nightly");
    this.folder = await mkdtemp(join(tmpdir(), "eventcore-console-"));
    await this.start();
  }

  async close() {
    await this.browser?.close();
    await this.program?.stop();
    await this.database?.drop();
    if (this.folder) await rm(this.folder, { recursive: true });
  }

  /** Starts the console, on the port that it had before. */
  async start() {
    const options = [...this.options];
    if (options.includes("--auth")) {
      const file = join(this.folder, "secret");
      await writeFile(file, SECRET, { mode: 0o600 });
      options.splice(options.indexOf("--auth") + 1, 0, file);
    }
    const port = this.url ? new URL(this.url).port : 0;
    this.program = await startProgram(["console", "--listen", `127.0.0.1:${port}`, ...options], this.database.environment);
    this.url = this.program.url;
  }

  /** The pages, with what is only known now. */
  pages() {
    const pages = PAGES.filter(({ isDocument, path }) => !isDocument && (this.pid || !path.includes("PID")));
    return pages.map((page) => ({ ...page, path: page.path.replace("PID", this.pid).replace("EVENT_ID", this.eventId) }));
  }

  /**
   * Opens a window with a memory of its own, does something in it, and checks that nothing was wrong.
   * `problems` are parts of the messages that the console of the browser may have.
   */
  async visit(path, use, { problems = [], ...options } = {}) {
    const context = await this.browser.newContext({ viewport: { width: 1200, height: 900 }, reducedMotion: "reduce", ...options });
    const wrong = [];
    context.setDefaultTimeout(PATIENCE);
    context.on("weberror", (error) => wrong.push(`exception: ${error.error().stack}`));
    context.on("console", (message) => {
      const isExpected = problems.some((problem) => message.text().includes(problem));
      if (!isExpected) wrong.push(`console: ${message.type()}: ${message.text()} (${message.location().url})`);
    });
    context.on("request", (request) => {
      if (!request.url().startsWith(`${this.url}/`)) wrong.push(`foreign request: ${request.url()}`);
    });
    try {
      const page = await context.newPage();
      await this.go(page, path);
      await use(page, context);
      assert.deepEqual(wrong, []);
    } finally {
      await context.close();
    }
  }

  /** Goes to a page, which has to be there. */
  async go(page, path, status = 200) {
    const response = await page.goto(this.url + path);
    assert.equal(response.status(), status, `${path}: ${await page.locator("body").innerText()}`);
    await page.locator("h1").first().waitFor();
  }
}

/** Presses Tab until the focus is on what has this text. */
export async function tabTo(page, text) {
  for (let presses = 0; presses < 80; presses += 1) {
    if (await focused(page) === text) return;
    await page.keyboard.press("Tab");
  }
  assert.fail(`Tab does not lead to ${text}`);
}

/** The text of what has the focus. */
const focused = (page) => page.evaluate(() => document.activeElement.textContent.trim());

/** Waits until something is so: a browser and a server may need a moment after what led to it. */
export async function until(what, isSo) {
  const end = Date.now() + PATIENCE;
  while (!await isSo()) {
    if (Date.now() > end) assert.fail(`not so after ${PATIENCE / 1_000} s: ${what}`);
    await new Promise((done) => setTimeout(done, 20));
  }
}

/** Waits until the focus is on what has this text. */
export const focusMovesTo = (page, text) => until(`the focus is on ${text}`, async () => await focused(page) === text);

/** Starts the command with these arguments, and waits until it says where it listens. */
async function startProgram(given, env) {
  const child = spawn(PROGRAM, given, { env, stdio: ["ignore", "pipe", "pipe"] });
  const ended = new Promise((done) => child.once("close", done));
  // Whatever happens to the tests, the program does not stay.
  process.once("exit", () => child.kill("SIGKILL"));
  const program = { log: "" };
  program.stop = async () => {
    child.kill("SIGTERM");
    await ended;
  };
  program.url = await new Promise((found, failed) => {
    child.once("error", (error) => failed(new Error(`${PROGRAM} cannot be started: ${error.message}`)));
    child.once("close", (code) => failed(new Error(`${PROGRAM} ended with ${code}: ${program.log}`)));
    for (const output of [child.stdout, child.stderr]) {
      output.on("data", (data) => {
        program.log += data;
        const address = program.log.match(/console at (http:\/\/[\w.:]+)/);
        if (address) found(address[1]);
      });
    }
  });
  return program;
}

function startBrowser() {
  // The browser refuses to run as root in its sandbox.
  const args = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
  return chromium.launch({ executablePath: CHROMIUM, args });
}
