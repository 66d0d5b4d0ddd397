// The page for everybody: by keyboard, for screen readers, in both themes, and on narrow screens.

import assert from "node:assert/strict";
import { test } from "node:test";
import { AxeBuilder } from "@axe-core/playwright";
import { DESK, LAMP, describeShop, goto } from "./harness.js";

const PICTURES = process.env.SCREENSHOTS;

/** Themes and widths of the screen. Pictures are taken of all four. */
const SCREENS = [["light", 1200], ["dark", 320], ["light", 320], ["dark", 1200]].slice(0, PICTURES ? 4 : 2);

describeShop("access", {}, (shop) => {
  /** Every page, by name. */
  async function pages() {
    await shop.post("/seed", { orders: 24 });
    const [draft, sent, failed] = [await shop.createOrder(LAMP, DESK), await shop.createOrder(LAMP), await shop.createOrder({ ...DESK, quantity: 20 })];
    await shop.post(`/orders/${sent}/fulfill`);
    await shop.post(`/orders/${failed}/fulfill`);
    return Object.entries({
      home: "/", orders: "/orders?view=all", draft: `/orders/${draft}`, sent: `/orders/${sent}`, failed: `/orders/${failed}`,
      new: "/new", inventory: "/inventory", customers: "/customers", "read-models": "/read-models", demo: "/demo",
    });
  }

  for (const [theme, width] of SCREENS) {
    test(`no page has a barrier in the ${theme} theme, and none is wider than a screen of ${width} pixels`, async () => {
      const all = await pages();
      await shop.visit("/", async (page) => {
        for (const [name, path] of all) {
          await goto(page, `${shop.url}/#${path}`);
          assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), width, name);
          // In one piece: without frames there is nothing to collect on a second page.
          const { violations } = await new AxeBuilder({ page }).setLegacyMode().analyze();
          assert.deepEqual(violations.map(({ id, nodes }) => [name, id, nodes.map((node) => node.html)]), []);
          if (PICTURES) await page.screenshot({ path: `${PICTURES}/${name}-${theme}-${width}.png`, fullPage: true });
        }
      }, { colorScheme: theme, viewport: { width, height: 900 } });
    });
  }

  test("an order is made and sent by keyboard alone", () => shop.visit("/", async (page) => {
    const press = async (...keys) => { for (const key of keys) await page.keyboard.press(key); };
    const focused = () => page.evaluate(() => {
      const { id, textContent, tagName } = document.activeElement;
      return id || textContent || tagName;
    });
    /** The browser may move the focus a moment after the key. */
    const focusMovesTo = (target) => page.waitForFunction((wanted) => {
      const { id, textContent, tagName } = document.activeElement;
      return (id || textContent || tagName) === wanted;
    }, target);
    const tabTo = async (target) => {
      for (let presses = 0; presses < 40; presses += 1) {
        if (await focused() === target) return;
        await press("Tab");
      }
      assert.fail(`Tab does not lead to ${target}`);
    };

    await press("Tab");
    await focusMovesTo("Skip to the content");
    await press("Enter");
    await focusMovesTo("main");
    // The address is put back when the browser has told the page that it changed.
    await page.waitForFunction(() => location.hash === "#/");

    await page.locator(".brand").focus();
    await tabTo("New order");
    await press("Enter");
    await page.getByRole("heading", { name: "New order" }).waitFor();
    await page.waitForFunction(() => document.activeElement.tagName === "H1");

    await tabTo("Create the order");
    await press("Enter");
    await focusMovesTo("item-1-product"); // The first field that is wrong.
    await page.getByText("Choose a product.").waitFor();
    await page.keyboard.type("Desk lamp");
    await tabTo("item-1-quantity");
    await page.keyboard.type("4");
    await tabTo("item-1-price");
    await page.keyboard.type("34.90");
    await tabTo("Create the order");
    await press("Enter");
    await page.locator(".title .badge[data-state=Draft]").waitFor();
    await page.waitForFunction(() => document.activeElement.tagName === "H1");
    await page.getByText("Total 139.60").waitFor();

    await tabTo("Fulfil");
    await press("Enter");
    await page.locator(".title .badge[data-state=Completed]").waitFor();
    await focusMovesTo(await page.locator("h1").textContent()); // The button can no longer be pressed.
  }));

  test("the focus stays where it is while the page changes", async () => {
    const id = await shop.createOrder(LAMP, DESK);
    await shop.visit(`/orders/${id}`, async (page) => {
      const field = page.getByLabel("Quantity of Standing desk", { exact: true });
      await field.fill("");
      await page.keyboard.type("1");
      await shop.send("DELETE", `/orders/${id}/items/SKU-001`);
      await page.getByText("Total 649.00").waitFor();
      await page.keyboard.type("2");
      assert.equal(await field.inputValue(), "12");
    });
  });

  test("the reader's theme is remembered", () => shop.visit("/", async (page) => {
    const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const light = await ground();
    await page.getByRole("button", { name: "Dark theme" }).click();
    const dark = await ground();
    assert.notEqual(dark, light);
    await page.reload();
    await page.getByRole("button", { name: "Light theme" }).waitFor();
    assert.equal(await ground(), dark);
  }, { colorScheme: "light" }));

  test("older orders are on further pages", async () => {
    await shop.post("/seed", { orders: 30 });
    await shop.visit("/orders?view=all", async (page) => {
      const first = await page.locator("tbody th").allTextContents();
      await page.getByRole("link", { name: "Older" }).click();
      await page.getByRole("link", { name: "Newest" }).waitFor();
      const second = await page.locator("tbody th").allTextContents();
      assert.equal(first.length, 20);
      assert.ok(second.length > 0 && second.every((order) => !first.includes(order)));
      await page.getByLabel("State").selectOption("Cancelled");
      await page.waitForFunction(() => [...document.querySelectorAll("tbody .badge")].every(({ textContent }) => textContent === "Cancelled"));
    });
  });
});
