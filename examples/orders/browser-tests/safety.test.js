// What comes from outside is shown as text, and never runs.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";
import { LAMP, describeShop, goto } from "./harness.js";

const NAMES = [
  `<img src=x onerror="window.hacked = 1">`,
  `<script>window.hacked = 1</script>`,
  `"><svg onload=window.hacked=1>`,
  `javascript:window.hacked=1 '"\`{{7*7}} ‮ 𝕏`,
];

describeShop("safety", {}, (shop) => {
  test("hostile names are shown as they are, and do not run", async () => {
    const items = NAMES.map((name, at) => ({ ...LAMP, product_id: at === 0 ? "a b/c?d#e%2F<i>" : `hostile-${at}`, product_name: name }));
    for (const { product_id: id, product_name: name } of items) {
      await shop.post(`/inventory/${encodeURIComponent(id)}/receive`, { product_name: name, quantity: 10 });
    }
    const id = await shop.createOrder(...items);
    await shop.visit("/", async (page) => {
      for (const path of ["/", "/orders?view=all", "/inventory", "/new", `/orders/${id}`]) {
        await goto(page, `${shop.url}/#${path}`);
        await page.getByText(NAMES[0]).first().waitFor({ state: "attached" });
        assert.equal(await page.evaluate(() => window.hacked), undefined, path);
      }
      await page.getByLabel(`Quantity of ${NAMES[0]}`, { exact: true }).fill("0");
      await page.getByRole("button", { name: `Change the quantity of ${NAMES[0]}` }).click();
      await page.getByText(`a b/c?d#e%2F<i> was taken out.`).waitFor();
      await page.getByRole("button", { name: "Cancel" }).click();
      await page.getByLabel("Reason").fill(NAMES[1]);
      await page.getByRole("button", { name: "Cancel the order" }).click();
      await page.locator(".title .badge[data-state=Cancelled]").waitFor();
      assert.equal(await page.evaluate(() => window.hacked), undefined);
    });
  });

  test("the policy of the page forbids markup from strings, inline scripts and other servers", () => shop.visit("/", async (page) => {
    const refused = await page.evaluate(async () => {
      const attempts = {
        markup: () => { document.createElement("p").innerHTML = "<b>x</b>"; },
        foreign: () => fetch("http://127.0.0.1:9/"),
      };
      const refused = [];
      for (const [name, attempt] of Object.entries(attempts)) {
        try { await attempt(); } catch { refused.push(name); }
      }
      const script = document.createElement("script");
      try { script.textContent = "window.inline = 1"; document.head.append(script); } catch { /* Refused. */ }
      if (!window.inline) refused.push("inline");
      return refused;
    });
    assert.deepEqual(refused, ["markup", "foreign", "inline"]);
  }, { problems: ["Content Security Policy", "TrustedHTML", "TrustedScript", "Fetch API cannot load", "requires '"] }));

  test("no other page shows this one in a frame", async () => {
    const other = createServer((_, response) => response.setHeader("Content-Type", "text/html").end(`<iframe src="${shop.url}/"></iframe>`));
    await new Promise((listening) => other.listen(0, "127.0.0.1", listening));
    const context = await shop.browser.newContext();
    try {
      const page = await context.newPage();
      const refused = page.waitForEvent("console", (message) => message.text().includes("frame-ancestors"));
      await page.goto(`http://127.0.0.1:${other.address().port}/`);
      await refused;
      assert.equal(await page.frameLocator("iframe").locator("#main").count(), 0);
    } finally {
      await context.close();
      other.close();
    }
  });

  test("an address that names nothing says so", async () => {
    await shop.visit("/", async (page) => {
      await page.goto(`${shop.url}/#/orders/00000000-0000-0000-0000-000000000001`);
      await page.getByRole("heading", { name: "Not found" }).waitFor();
      await page.goto(`${shop.url}/#/nowhere`);
      await page.getByText("There is no page with this address.").waitFor();
    }, { problems: ["status of 404"] });
  });
});
