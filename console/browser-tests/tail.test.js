// The live tail: an append is seen at once, nothing is missed and nothing seen twice, whatever ends in
// between.

import assert from "node:assert/strict";
import { test } from "node:test";
import { server } from "./database.js";
import { describeConsole } from "./harness.js";

/** What a browser says when its connection is cut. */
const LOST = ["net::ERR"];

describeConsole("tail", { files: [] }, (desk) => {
  const rows = (page) => page.locator("ec-tail tbody tr");
  /** The positions that the page shows, the oldest first. */
  const shown = async (page, prefix) => {
    const links = rows(page).filter({ hasText: prefix }).locator('a[href^="/events/"]');
    const found = await links.evaluateAll((all) => all.map((link) => link.getAttribute("href").match(/\d+/)[0]));
    return [...new Set(found)].length === found.length ? found.reverse() : assert.fail(`seen twice: ${found}`);
  };
  const live = (page) => page.locator("ec-tail[data-live]").waitFor();
  const arrived = (page, position) => rows(page).locator(`a[href="/events/${position}"]`).first().waitFor();
  const appendMany = async (stream, count) => {
    let last;
    for (let n = 0; n < count; n += 1) last = await desk.database.append(`${stream}-${n % 3}`);
    return last;
  };

  test("an append is shown without loading the page again", () => desk.visit("/tail", async (page) => {
    await live(page);
    await arrived(page, await desk.database.append("one-1", "Seen"));
    await arrived(page, await desk.database.append("one-2", "Seen"));
    assert.deepEqual(await shown(page, "one-"), await desk.database.positions("one-"));
  }));

  test("a pause collects and counts, and going on shows what was collected", () => desk.visit("/tail", async (page) => {
    await live(page);
    await page.getByRole("button", { name: "Pause" }).click();
    await appendMany("paused", 7);
    await page.getByText(/\b7 new/).waitFor();
    assert.deepEqual(await shown(page, "paused-"), []);
    await page.getByRole("button", { name: "Go on" }).click();
    await rows(page).filter({ hasText: "paused-" }).nth(6).waitFor();
    assert.deepEqual(await shown(page, "paused-"), await desk.database.positions("paused-"));
  }));

  test("a filter is in the address, survives loading again, and holds for what comes", () => desk.visit("/tail", async (page) => {
    await page.getByLabel("Stream begins with").fill("wanted-");
    await page.getByRole("button", { name: "Show" }).click();
    await page.waitForURL(/prefix=wanted-/);
    await page.reload();
    assert.equal(await page.getByLabel("Stream begins with").inputValue(), "wanted-");
    await live(page);
    await desk.database.append("other-1");
    await arrived(page, await desk.database.append("wanted-1"));
    assert.equal(await rows(page).count(), 1);
  }));

  test("nothing is missed and nothing seen twice when the console ends and comes back", () => desk.visit("/tail", async (page) => {
    await live(page);
    await arrived(page, await appendMany("console", 5));
    await desk.program.stop();
    await appendMany("console", 5);
    await page.locator("ec-tail:not([data-live])").waitFor();
    await desk.start();
    await arrived(page, await appendMany("console", 5));
    assert.deepEqual(await shown(page, "console-"), await desk.database.positions("console-"));
  }, { problems: LOST }));

  test("nothing is missed and nothing seen twice when the server ends and comes back", () => desk.visit("/tail", async (page) => {
    await live(page);
    await arrived(page, await appendMany("server", 5));
    await server("stop");
    await server("start");
    await arrived(page, await appendMany("server", 5));
    await live(page);
    await arrived(page, await appendMany("server", 5));
    assert.deepEqual(await shown(page, "server-"), await desk.database.positions("server-"));
  }, { problems: [...LOST, "status of 503"] }));
});
