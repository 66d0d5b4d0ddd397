// What changes something: offered only when it is allowed, asked about, and refused to who has not
// signed in or comes from elsewhere.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";
import { SECRET, describeConsole, tabTo, until } from "./harness.js";

const PARKED = "/subscriptions/order-mails/parked";

describeConsole("actions", { options: ["--allow-actions"] }, (desk) => {
  const parked = () => desk.database.sql("SELECT count(*) FROM eventcore_parked('order-mails')").then(Number);

  test("of the parked events those that were chosen are replayed, after a page that says how many", () => desk.visit(PARKED, async (page) => {
    assert.equal(await parked(), 4);
    const choices = page.getByRole("checkbox");
    await until("four can be chosen", async () => await choices.count() === 4);
    await choices.nth(0).check();
    await choices.nth(2).check();
    await page.getByRole("button", { name: "Replay the chosen" }).click();
    await page.getByRole("heading", { name: "Replay 2 parked events" }).waitFor();
    assert.equal(await parked(), 4);
    await page.getByRole("button", { name: "Replay them" }).click();
    await page.getByRole("status").filter({ hasText: "2 parked events of" }).waitFor();
    await until("two parked events are left", async () => await page.getByRole("checkbox").count() === 2);
    assert.equal(await parked(), 2);
    await page.reload();
    assert.equal(await page.getByText("2 parked events of").count(), 0, "a message is shown once");
  }));

  test("who goes back from the question has changed nothing", () => desk.visit(PARKED, async (page) => {
    const before = await parked();
    await page.getByRole("button", { name: /^Discard all/ }).click();
    await page.getByRole("heading", { name: /^Discard \d+ parked event/ }).waitFor();
    await page.locator("main").getByRole("link", { name: /back|cancel|no/i }).first().click();
    await page.getByRole("heading", { name: "Parked events of order-mails" }).waitFor();
    assert.equal(await parked(), before);
  }));

  test("an event that comes again and again is set aside with a reason", () => desk.visit("/subscriptions/order-mails", async (page) => {
    const before = await parked();
    const row = page.getByRole("row").filter({ hasText: "greylisted" });
    await row.getByRole("link", { name: "Park…" }).click();
    await page.getByRole("heading", { name: 'Park events of "order-mails"?' }).waitFor();
    assert.match(await page.getByLabel("Positions").inputValue(), /^\d+$/);
    await page.getByLabel("Why").fill("the <b>template</b> is missing");
    await page.getByRole("button", { name: "Park them" }).click();
    await page.getByRole("status").filter({ hasText: '1 event of "order-mails" is parked' }).waitFor();
    await page.getByRole("row").filter({ hasText: "the <b>template</b> is missing" }).waitFor();
    assert.equal(await parked(), before + 1);
  }));

  test("a projection is paused and resumed by keyboard alone", () => desk.visit("/projections/parcels", async (page) => {
    const status = () => desk.database.sql("SELECT status FROM eventcore.stat_projections WHERE name = 'parcels'");
    for (const [name, becomes, other] of [["Pause", "paused", "Resume"], ["Resume", "running", "Pause"]]) {
      await tabTo(page, name);
      await page.keyboard.press("Enter");
      await page.getByRole("button", { name: other, exact: true }).waitFor();
      assert.equal(await status(), becomes);
    }
  }));

  test("a session is ended only when its number is typed", async () => {
    const pid = await desk.database.hold("forgotten");
    const isThere = () => desk.database.sql(`SELECT count(*) FROM pg_stat_activity WHERE pid = ${pid}`);
    await desk.visit("/inflight", async (page) => {
      await page.getByRole("row").filter({ hasText: String(pid) }).getByRole("link", { name: "End" }).click();
      await page.getByLabel("Type the number of the process").fill("1");
      await page.getByRole("button", { name: "End it" }).click();
      await page.getByText(`what was typed is not ${pid}`).waitFor();
      assert.equal(await isThere(), "1");
      await page.goBack();
      await page.getByLabel("Type the number of the process").fill(String(pid));
      await page.getByRole("button", { name: "End it" }).click();
      await page.getByText(`the session of process ${pid} is ended`).waitFor();
      await page.getByText("Nothing is in flight.").waitFor();
      await until("the session is gone", async () => await isThere() === "0");
    }, { problems: ["status of 400"] });
  });

  test("an action works without JavaScript", () => desk.visit("/subscriptions/invoices", async (page) => {
    const paused = () => desk.database.sql("SELECT paused FROM eventcore.stat_subscriptions WHERE name = 'invoices'");
    assert.equal(await paused(), "t");
    await page.getByRole("button", { name: "Resume" }).click();
    await page.getByRole("button", { name: "Pause" }).waitFor();
    assert.equal(await paused(), "f");
  }, { javaScriptEnabled: false }));

  test("a form of another site, or without the token of the session, changes nothing", async () => {
    const paused = () => desk.database.sql("SELECT paused FROM eventcore.stat_subscriptions WHERE name = 'search-index'");
    const path = "/subscriptions/search-index/pause";
    const other = createServer((_, response) => response.setHeader("Content-Type", "text/html")
      .end(`<form method="post" action="${desk.url}${path}"><button>Win</button></form>`));
    await new Promise((listening) => other.listen(0, "127.0.0.1", listening));
    const context = await desk.browser.newContext();
    try {
      const page = await context.newPage();
      await page.goto(`${desk.url}/subscriptions/search-index`);
      for (const change of ["", "0", "remove"]) {
        const answer = await page.evaluate(async ([path, change]) => {
          const form = new FormData(document.querySelector(`form[action="${path}"]`));
          if (change === "remove") form.delete("csrf"); else form.set("csrf", change);
          return (await fetch(path, { method: "POST", body: new URLSearchParams(form) })).status;
        }, [path, change]);
        assert.equal(answer, 403);
      }
      // From elsewhere, in the same browser.
      await page.goto(`http://localhost:${other.address().port}/`);
      const refused = page.waitForResponse((response) => response.url().endsWith(path));
      await page.getByRole("button", { name: "Win" }).click();
      assert.equal((await refused).status(), 403);
      assert.equal(await paused(), "f");
    } finally {
      await context.close();
      other.close();
    }
  });
});

describeConsole("reading only", {}, (desk) => {
  test("nothing is offered that changes something, and nothing is taken", () => desk.visit("/", async (page) => {
    for (const { path } of desk.pages()) {
      if (path.includes("confirm") || path.includes("/end")) continue;
      await desk.go(page, path);
      assert.equal(await page.locator("form[method=post], input[type=checkbox]").count(), 0, path);
      assert.equal(await page.getByRole("link", { name: "…" }).count(), 0, path);
    }
    for (const path of ["/subscriptions/order-mails/pause", "/projections/parcels/rebuild", "/doctor/fix"]) {
      const answer = await fetch(desk.url + path, { method: "POST" });
      assert.ok([404, 405].includes(answer.status), `${path}: ${answer.status}`);
    }
  }));

  test("a link of another site runs the functions of a command only after a question", async () => {
    const path = "/commands/receive-stock/state?stream=stock-desk-lamp";
    const other = createServer((_, response) => response.setHeader("Content-Type", "text/html").end(`<a href="${desk.url}${path}">Win</a>`));
    await new Promise((listening) => other.listen(0, "127.0.0.1", listening));
    const context = await desk.browser.newContext();
    try {
      const page = await context.newPage();
      await page.goto(`http://localhost:${other.address().port}/`);
      const asked = page.waitForResponse((response) => response.url().endsWith(path));
      await page.getByRole("link", { name: "Win" }).click();
      assert.equal((await asked).status(), 403);
      await page.getByRole("heading", { name: "Run functions of this database?" }).waitFor();
      await page.getByRole("link", { name: "Run them and show the page" }).click();
      await page.getByRole("heading", { name: "stock-desk-lamp at version" }).waitFor();
      // Typed, or from a bookmark.
      await page.goto("about:blank");
      await page.goto(desk.url + path);
      await page.getByRole("heading", { name: "stock-desk-lamp at version" }).waitFor();
    } finally {
      await context.close();
      other.close();
    }
  });
});

describeConsole("signing in", { options: ["--auth", "--allow-actions"] }, (desk) => {
  test("who has not signed in sees nothing, and is led back after signing in", () => desk.visit("/subscriptions?x=1", async (page) => {
    assert.equal(await page.locator("table").count(), 0);
    const field = page.locator("input[type=password]");
    await field.fill("a guess that is wrong");
    await page.keyboard.press("Enter");
    await page.getByRole("alert").or(page.locator(".problem")).first().waitFor();
    await field.fill(SECRET);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Subscriptions" }).waitFor();
    assert.equal(new URL(page.url()).pathname, "/subscriptions");
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.locator("input[type=password]").waitFor();
    await page.goto(`${desk.url}/subscriptions`);
    assert.equal(await page.locator("table").count(), 0);
  }, { problems: ["status of 401"] }));
});
