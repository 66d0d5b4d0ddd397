// Every page for everybody: nothing wrong in the browser, no barrier, no page wider than its screen, in
// both themes, and without JavaScript. With SCREENSHOTS pictures are taken.

import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { test } from "node:test";
import { AxeBuilder } from "@axe-core/playwright";
import { PAGES, describeConsole } from "./harness.js";

const PICTURES = process.env.SCREENSHOTS;

/** Themes and widths of the screen. Pictures are taken of all four. */
const SCREENS = [["light", 1280], ["dark", 320], ["dark", 1280], ["light", 320]].slice(0, PICTURES ? 4 : 2);

/** Every page, and again those that offer something when actions are allowed. */
const CONSOLES = [["pages", [], ""], ["pages with actions", ["--allow-actions"], "subscriptions|projections|commands|inflight|doctor"]];

for (const [title, options, only] of CONSOLES) {
  const pages = (desk) => desk.pages().filter(({ route }) => route.match(only));
  describeConsole(title, { options, holds: true }, (desk) => {
    for (const [theme, width] of SCREENS) {
      test(`no page has a barrier in the ${theme} theme, and none is wider than a screen of ${width} pixels`, async () => {
        await desk.visit("/", async (page) => {
          if (PICTURES) await busy(desk.database);
          const wrong = [];
          for (const { name, path } of pages(desk)) {
            await desk.go(page, path);
            for (const barrier of await violations(page)) wrong.push([path, ...barrier]);
            if (await page.evaluate(() => document.documentElement.scrollWidth) > width) wrong.push([path, "is too wide", await tooWide(page)]);
            if (PICTURES) await picture(page, `${name}-${theme}-${width}${options.length > 0 ? "-actions" : ""}`);
          }
          assert.deepEqual(wrong, []);
        }, { colorScheme: theme, viewport: { width, height: 900 } });
      });
    }

    test("every page can be read without JavaScript", () => desk.visit("/", async (page) => {
      for (const { path } of pages(desk)) {
        await desk.go(page, path);
        assert.ok((await page.locator("main").innerText()).length > 20, path);
      }
    }, { javaScriptEnabled: false }));
  });
}

describeConsole("documents", {}, (desk) => {
  test("what is not a page is there too", async () => {
    for (const { path } of PAGES.filter(({ isDocument }) => isDocument)) {
      const response = await fetch(desk.url + path);
      assert.equal(response.status, 200, path);
      if (path.includes(".json")) await response.json();
    }
  });

  test("the reader's theme is remembered", () => desk.visit("/", async (page) => {
    const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const system = await ground();
    const button = page.getByRole("button", { name: "Theme" });
    await button.click();
    assert.equal(await button.getAttribute("aria-label"), "Theme: light");
    assert.equal(await ground(), system);
    await button.click();
    assert.notEqual(await ground(), system);
    const dark = await ground();
    await page.reload();
    assert.equal(await ground(), dark);
    await button.click();
    assert.equal(await ground(), system);
  }, { colorScheme: "light" }));
});

/** What a checker of accessibility finds. */
async function violations(page) {
  // In one piece: without frames there is nothing to collect on a second page.
  const { violations } = await new AxeBuilder({ page }).setLegacyMode().analyze();
  return violations.map(({ id, nodes }) => [id, nodes.slice(0, 3).map((node) => node.html)]);
}

/** The elements that reach beyond the screen. */
function tooWide(page) {
  return page.evaluate(() => [...document.querySelectorAll("main *, .top *")]
    .filter((element) => element.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
    .slice(0, 5).map(({ outerHTML }) => outerHTML.slice(0, 120)).join("\n"));
}

/** Appends for some seconds, so that a picture shows something. */
async function busy(database) {
  for (let round = 0; round < 8; round += 1) {
    await database.sql(`SELECT FROM generate_series(1, ${20 + 15 * (round % 4)}) n,
      LATERAL eventcore_append(ARRAY['visit-' || n % 7], ARRAY[NULL]::bigint[], jsonb_build_array(event('visit-' || n % 7, 'PageSeen', '{}')))`);
    await new Promise((done) => setTimeout(done, 700));
  }
}

async function picture(page, name) {
  await mkdir(PICTURES, { recursive: true });
  await page.screenshot({ path: `${PICTURES}/${name}.png`, fullPage: true });
}
