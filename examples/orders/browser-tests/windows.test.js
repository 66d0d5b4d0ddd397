// Several windows at a time: what one changes, the others see; and what happens when two change the same.

import assert from "node:assert/strict";
import net from "node:net";
import { test } from "node:test";
import { LAMP, describeShop, startProgram } from "./harness.js";

/** What a browser says when its connection is cut. */
const LOST = ["net::ERR"];

describeShop("windows", {}, (shop) => {
  test("two windows see each other's changes", async () => {
    const id = await shop.createOrder(LAMP);
    await shop.visit(`/orders/${id}`, (one) => shop.visit(`/orders/${id}`, async (other) => {
      await setQuantity(one, "5");
      await other.getByText("Total 174.50").waitFor();
      await setQuantity(other, "1");
      await one.getByText("Total 34.90").waitFor();
      await one.getByRole("button", { name: "Submit" }).click();
      await other.getByText("The items are fixed. Fulfil sets").waitFor();
    }));
  });

  test("a list and the statistics change when an order does", () => shop.visit("/orders?view=all", async (list) => {
    await shop.visit("/", async (home) => {
      const drafts = home.getByRole("link", { name: /Draft/ }).locator("strong");
      const before = Number(await drafts.textContent());
      const id = await shop.createOrder(LAMP);
      const row = list.getByRole("row").filter({ has: list.locator(`a[href="#/orders/${id}"]`) });
      await row.getByText("Draft").waitFor();
      await drafts.getByText(String(before + 1), { exact: true }).waitFor();
      await shop.post(`/orders/${id}/fulfill`);
      await row.getByText("Completed").waitFor();
    });
  }));

  test("a change to an order that was changed meanwhile is refused, explained, and can be made again", async () => {
    const id = await shop.createOrder(LAMP);
    await shop.visit(`/orders/${id}`, async (page) => {
      await page.getByLabel("Quantity of Desk lamp", { exact: true }).fill("7");
      await shop.send("PUT", `/orders/${id}/items/SKU-001`, { quantity: 4 });
      await page.getByText("Changed meanwhile to 4.").waitFor();
      await page.getByRole("button", { name: "Change the quantity of Desk lamp" }).click();
      await page.getByText("The order was changed meanwhile, so your change was not made.").waitFor();
      await page.getByText("Total 139.60").waitFor();
      assert.equal(await page.getByLabel("Quantity of Desk lamp", { exact: true }).inputValue(), "4");
      await page.getByRole("button", { name: "Make my change all the same" }).click();
      await page.getByText("Total 244.30").waitFor();
    }, { problems: ["status of 412"] });
  });

  test("a window that loses its connection says so, and gets what it missed", async () => {
    const id = await shop.createOrder(LAMP);
    const cable = await plugIn(shop.url);
    await shop.visit(`/orders/${id}`, async (page) => {
      cable.cut();
      await page.getByText("Offline, trying again").waitFor();
      await shop.post(`/orders/${id}/submit`);
      cable.mend(shop.url);
      await page.locator(".timeline strong", { hasText: "OrderSubmitted" }).waitFor();
      await page.getByText("The items are fixed. Fulfil sets").waitFor();
      await page.locator("#connection[data-state=live]").waitFor();
    }, { url: cable.url, problems: LOST });
    await cable.close();
  });

  test("a window shows the history of the server that answers, even if that is another one", async () => {
    const other = await startProgram("memory");
    const cable = await plugIn(shop.url);
    await shop.visit("/", async (page) => {
      await page.locator(".timeline li").first().waitFor();
      cable.cut();
      await page.getByText("Offline, trying again").waitFor();
      cable.mend(other.url);
      await page.getByText("There are no events yet.").waitFor();
    }, { url: cable.url, problems: LOST });
    await cable.close();
    await other.stop();
  });
});

async function setQuantity(page, quantity) {
  await page.getByLabel("Quantity of Desk lamp", { exact: true }).fill(quantity);
  await page.getByRole("button", { name: "Change the quantity of Desk lamp" }).click();
}

/** A way to the server that can be cut. */
async function plugIn(url) {
  let target = url;
  const sockets = new Set();
  const server = net.createServer((near) => {
    if (!target) return near.destroy();
    const far = net.connect(Number(new URL(target).port), "127.0.0.1");
    near.pipe(far).pipe(near);
    for (const [socket, end] of [[near, far], [far, near]]) {
      sockets.add(socket);
      socket.on("error", () => {}).on("close", () => end.destroy());
    }
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const cut = () => {
    target = undefined;
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    cut,
    mend: (url) => { target = url; },
    close: () => new Promise((done) => { cut(); server.close(done); }),
  };
}
