// Without a mouse, and with addresses that can be sent to somebody.

import assert from "node:assert/strict";
import { test } from "node:test";
import { describeConsole, focusMovesTo, tabTo, until } from "./harness.js";

describeConsole("keyboard and addresses", {}, (desk) => {
  test("keys lead through the navigation, a filter, a list and back", () => desk.visit("/", async (page) => {
    await page.keyboard.press("Tab");
    await focusMovesTo(page, "Skip to the content");
    await page.keyboard.press("Enter");
    await until("the focus is on main", () => page.evaluate(() => document.activeElement.id === "main"));

    await page.locator(".brand").focus();
    await tabTo(page, "Streams");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Streams", level: 1 }).waitFor();
    await page.locator('input[name="prefix"]').focus();
    await page.keyboard.type("order-104");
    await page.keyboard.press("Enter");
    await page.waitForURL(/prefix=order-104/);
    await tabTo(page, "order-1042");
    await page.keyboard.press("Enter");
    await page.waitForURL(/\/streams\/order-1042$/);
    await page.goBack();
    assert.equal(await page.locator('input[name="prefix"]').inputValue(), "order-104");
  }));

  test("the key / leads to the field at the top, and what is typed there to a page", () => desk.visit("/", async (page) => {
    await page.keyboard.press("/");
    await page.keyboard.type("order-1042");
    await page.keyboard.press("Enter");
    await page.waitForURL((url) => url.pathname !== "/");
    await page.locator('main a.name[href$="/streams/order-1042"]').waitFor();
  }));

  test("a filter survives loading the page again, and is the same for who is sent the address", () => desk.visit("/streams", async (page, context) => {
    await page.locator('input[name="contains"]').fill("lamp");
    await page.getByRole("button", { name: "Show" }).click();
    await page.waitForURL(/contains=lamp/);
    const names = () => page.locator("tbody a.name").allTextContents();
    const before = await names();
    assert.deepEqual(before, ["stock-desk-lamp"]);
    await page.reload();
    assert.deepEqual(await names(), before);
    const other = await context.newPage();
    await other.goto(page.url());
    assert.deepEqual(await other.locator("tbody a.name").allTextContents(), before);
    assert.equal(await other.locator('input[name="contains"]').inputValue(), "lamp");
  }));
});
