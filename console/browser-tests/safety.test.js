// What comes from outside is shown as text and never runs, and the policy of the pages would stop it.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";
import { describeConsole } from "./harness.js";

/** How many pages are visited at most. */
const MOST = 120;

describeConsole("safety", { files: ["data.sql", "hostile.sql"], options: ["--allow-actions"] }, (desk) => {
  test("no name and no payload runs on any page that links lead to, and every link leads to a page", () => desk.visit("/", async (page) => {
    const seen = new Set(["/", "/checkpoints", "/streams", "/tail", "/search", "/subscriptions", "/projections", "/commands"]);
    const kinds = new Map();
    for (const path of seen) {
      // Many pages of one kind show nothing new: links of the first ones are followed.
      await desk.go(page, path);
      assert.equal(await page.evaluate(() => window.hacked), undefined, path);
      const links = await page.locator("main a[href]:not([rel])").evaluateAll((all) => all.map((link) => new URL(link.getAttribute("href"), location.href).href));
      for (const link of links) {
        assert.ok(link.startsWith(`${desk.url}/`), `${path} leads to ${link}`);
        const found = link.slice(desk.url.length).split("#")[0];
        if (found.includes(".json") || seen.has(found) || seen.size > MOST) continue;
        const kind = found.replace(/\?.*/, "").replace(/\/\d+/g, "/1").replace(/(streams|subscriptions|projections|commands|trace|events)\/[^/]+/, "$1/x");
        kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
        if (kinds.get(kind) <= 5 || /script|onerror|onmouse|%E2|\.\./i.test(found)) seen.add(found);
      }
    }
    assert.ok(seen.size > 40, `${seen.size} pages`);
  }));

  test("the policy of the pages forbids inline scripts and other servers", () => desk.visit("/", async (page) => {
    const refused = await page.evaluate(async () => {
      const refused = [];
      try { await fetch("http://127.0.0.1:9/"); } catch { refused.push("foreign"); }
      const script = document.createElement("script");
      try { script.textContent = "window.inline = 1"; document.head.append(script); } catch { /* Refused. */ }
      if (!window.inline) refused.push("inline");
      return refused;
    });
    assert.deepEqual(refused, ["foreign", "inline"]);
  }, { problems: ["Content Security Policy", "TrustedScript", "Fetch API cannot load"] }));

  test("no other page shows one in a frame", async () => {
    const other = createServer((_, response) => response.setHeader("Content-Type", "text/html").end(`<iframe src="${desk.url}/"></iframe>`));
    await new Promise((listening) => other.listen(0, "127.0.0.1", listening));
    const context = await desk.browser.newContext();
    try {
      const page = await context.newPage();
      const refused = page.waitForEvent("console", (message) => message.text().includes("frame"));
      await page.goto(`http://127.0.0.1:${other.address().port}/`);
      await refused;
      assert.equal(await page.frameLocator("iframe").locator("main").count(), 0);
    } finally {
      await context.close();
      other.close();
    }
  });

  test("an address that names nothing says so", () => desk.visit("/", async (page) => {
    for (const path of ["/nowhere", "/subscriptions/nobody", "/projections/nobody", "/commands/nobody"]) {
      await desk.go(page, path, 404);
      await page.getByRole("alert").waitFor();
    }
  }, { problems: ["status of 404"] }));
});
