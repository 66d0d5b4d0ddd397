// Orders from their creation to their end.

import assert from "node:assert/strict";
import { test } from "node:test";
import { DESK, LAMP, STORES, describeShop } from "./harness.js";

for (const store of STORES) {
  describeShop("orders", { store }, (shop) => {
    test("an order goes from its creation to its shipping", () => shop.visit("/new", async (page) => {
      await page.getByLabel("Product").selectOption("SKU-001");
      await page.getByLabel("Quantity").fill("3");
      await page.getByLabel("Unit price").fill("34.90");
      await page.getByRole("button", { name: "Add another item" }).click();
      const second = page.getByRole("group", { name: "Item 2" });
      await second.getByLabel("Product").selectOption("SKU-004");
      await second.getByLabel("Unit price").fill("8.9");
      await page.getByText("Total 113.60").waitFor();
      await page.getByRole("button", { name: "Create the order" }).click();
      await page.getByText("The order is created.").waitFor();

      await page.getByLabel("Quantity of Ink, blue", { exact: true }).fill("2");
      await page.getByRole("button", { name: "Change the quantity of Ink, blue" }).click();
      await page.getByText("Total 122.50").waitFor();
      await page.getByRole("button", { name: "Remove Ink, blue" }).click();
      await page.getByText("Total 104.70").waitFor();
      await page.getByLabel("Product").selectOption("SKU-002");
      await page.getByLabel("Unit price").fill("6.50");
      await page.getByRole("button", { name: "Add", exact: true }).click();
      await page.getByText("Total 111.20").waitFor();

      await page.getByRole("button", { name: "Submit" }).click();
      await page.getByText("The items are fixed. Fulfil sets").waitFor();
      assert.equal(await page.getByLabel("Quantity of Desk lamp", { exact: true }).count(), 0);
      await page.getByRole("button", { name: "Fulfil" }).click();
      await page.locator(".title .badge[data-state=Completed]").waitFor();
      await page.locator(".steps [data-outcome=done]").nth(2).waitFor();
      for (const type of ["OrderCreated", "ItemQuantityUpdated", "ItemRemoved", "OrderSubmitted", "PaymentTaken", "ShipmentBooked", "FulfilmentCompleted"]) {
        await page.locator(".timeline strong", { hasText: type }).waitFor();
      }
      await page.getByText("Draft, Reserved, Processing, Completed.").waitFor({ state: "attached" });
      for (const name of ["Submit", "Fulfil", "Cancel"]) assert.ok(await page.getByRole("button", { name, exact: true }).isDisabled());
    }));

    test("a payment that is declined undoes the reservation and cancels the order", async () => {
      const id = await shop.createOrder({ ...DESK, quantity: 20 });
      await shop.visit(`/orders/${id}`, async (page) => {
        await page.getByRole("button", { name: "Fulfil" }).click();
        await page.locator(".title .badge[data-state=Cancelled]").waitFor();
        await page.locator(".badge[data-state=Failed]").waitFor();
        const outcomes = await page.locator(".steps li").evaluateAll((steps) => steps.map((step) => step.dataset.outcome));
        assert.deepEqual(outcomes, ["undone", "refused", "skipped"]);
        await page.locator(".timeline strong", { hasText: "FulfilmentFailed" }).waitFor();
      });
    });

    test("an order is cancelled with a reason", async () => {
      const id = await shop.createOrder(LAMP);
      await shop.visit(`/orders/${id}`, async (page) => {
        await page.getByRole("button", { name: "Cancel" }).click();
        await page.getByLabel("Reason").fill("too bright");
        await page.getByRole("button", { name: "Cancel the order" }).click();
        await page.getByText("Cancelled: too bright.").waitFor();
      });
    });

    test("two clicks make one order", () => shop.visit("/new", async (page) => {
      await fillIn(page);
      const isCreation = (request) => request.method() === "POST" && request.url().endsWith("/orders");
      const keys = [];
      page.on("request", (request) => { if (isCreation(request)) keys.push(request.headers()["idempotency-key"]); });
      await page.getByRole("button", { name: "Create the order" }).dblclick();
      await page.getByText("The order is created.").waitFor();
      assert.equal(new Set(keys).size, 1);
      assert.match(keys[0], /^[0-9a-f]{32}$/);
      assert.equal(await ordersOfCustomer(shop, page), 1);
    }));

    test("an answer that is lost on its way makes no second order", () => shop.visit("/new", async (page) => {
      await fillIn(page);
      await page.route("**/orders", async (route) => {
        await route.fetch();
        await route.abort();
      }, { times: 1 });
      await page.getByRole("button", { name: "Create the order" }).click();
      await page.getByText("The server does not answer.").waitFor();
      const created = page.waitForResponse((response) => response.status() === 201);
      await page.getByRole("button", { name: "Create the order" }).click();
      assert.equal((await created).headers()["idempotency-replayed"], "true");
      await page.getByText("The order is created.").waitFor();
      assert.equal(await ordersOfCustomer(shop, page), 1);
    }, { problems: ["net::ERR_FAILED"] }));

    test("the demo does its four steps and shows their events", () => shop.visit("/demo", async (page) => {
      const last = ["StockReceived", "ItemAdded", "FulfilmentCompleted", "FulfilmentFailed"];
      for (const [at, type] of last.entries()) {
        const step = page.locator(".demo > li").nth(at);
        await step.getByRole("button", { name: "Do it" }).click();
        await step.locator(".outcome").waitFor();
        await step.locator(".timeline strong", { hasText: type }).last().waitFor();
      }
    }));

    test("the read models are rebuilt and say the same", () => shop.visit("/read-models", async (page) => {
      const before = await shop.send("GET", "/statistics");
      await page.getByRole("button", { name: "Rebuild" }).click();
      await page.getByText("The read models are rebuilt.").waitFor();
      assert.deepEqual((await shop.send("GET", "/statistics")).orders, before.orders);
    }));
  });
}

async function fillIn(page) {
  await page.getByLabel("Product").selectOption("SKU-003");
  await page.getByLabel("Unit price").fill("42");
}

/** How many orders the customer of the order on this page has. */
async function ordersOfCustomer(shop, page) {
  const id = page.url().split("/").at(-1);
  const { customer_id: customer } = await shop.send("GET", `/orders/${id}`);
  return (await shop.send("GET", `/orders?view=all&customer_id=${customer}`)).length;
}
