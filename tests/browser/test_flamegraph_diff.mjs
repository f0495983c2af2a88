// The flame graph page with a base to compare with: two profiles in one tree.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  cleanup, expect, expectEqual, finish, openBrowser, test, writeFixedTrace,
} from "./lib.mjs";
import { DATA, expectedTable, keepPicture, openGraph, readStacks } from "./flamegraph.mjs";

let json, stacks, context, page, complaints; // made by the first test

const sum = (rows) => rows.reduce((total, row) => total + row.time, 0);
const side = (isBase) => stacks.filter((row) => row.isBase === isBase);
const state = () => page.evaluate(() => window.pyrometer.state);
const text = (selector) => page.locator(selector).innerText();
const nodes = (name) => page.evaluate((wanted) => window.pyrometer.nodes(wanted)
  .map((id) => window.pyrometer.node(id)), name);

test("both profiles in one tree; the base counts by time", async () => {
  const folder = writeFixedTrace();
  json = JSON.parse(DATA.exec(readFileSync(join(folder, "flamegraph-compared.html"), "utf8"))[2]);
  const alone = JSON.parse(DATA.exec(readFileSync(join(folder, "flamegraph.html"), "utf8"))[2]);
  stacks = readStacks(json);
  const bare = (rows) => rows.map(({ stack, time, thread }) => `${thread} ${time} ${stack.map((f) => f.fn + ":" + f.line)}`).sort();
  const inProcess = readStacks(alone).map((row) => ({ ...row, stack: row.stack.slice(1) }));
  expectEqual(bare(side(false)), bare(inProcess), "the profile's own stacks, without a level for processes");
  expect(side(true).length > 0 && json.base.duration_ns > 0, "the base has nothing");
  context = await openBrowser();
  ({ page, complaints } = await openGraph(context, join(folder, "flamegraph-compared.html")));
  const { total, scale } = await state();
  expectEqual([total, scale], [sum(side(false)), json.health.duration_ns / json.base.duration_ns], "total, scale");
  await keepPicture(page, "compared");
});

test("nodes know what they were before", async () => {
  for (const name of ["Application.run", "fib", "Thread._bootstrap"]) {
    const [first] = await nodes(name);
    const of = (isBase) => sum(side(isBase).filter(({ stack }) => stack[first.depth - 1]?.name === name));
    expectEqual([first.total, first.before], [of(false), of(true)], name);
  }
  const [worker] = await nodes("Thread._bootstrap");
  expectEqual(worker.change, 1, "what is new");
});

test("the table has a column of changes, and what is gone", async () => {
  const wanted = new Set(expectedTable(stacks).map(({ name }) => name));
  const shown = await page.evaluate(() => window.pyrometer.table());
  expectEqual(new Set(shown.map(({ name }) => name)).size, wanted.size, "names of both");
  await page.locator("[data-sort=change]").click();
  const totals = (isBase) => new Map(expectedTable(side(isBase)).map(({ name, total }) => [name, total]));
  const [now, was, { scale }] = [totals(false), totals(true), await state()];
  const change = (name) => Math.abs((now.get(name) || 0) - (was.get(name) || 0) * scale);
  const order = (await page.evaluate(() => window.pyrometer.table())).map(({ name }) => name).filter((name) => name !== "helper");
  order.forEach((name, i) => expect(!i || change(order[i - 1]) >= change(name) - 1, `${name} after ${order[i - 1]}`));
  expect(/[+−][\d.]+ %/.test(await text("#rows")), await text("#rows"));
});

test("swapped, inverted, of one thread, plain: the sums of that side", async () => {
  await page.keyboard.press("w");
  expectEqual((await state()).total, sum(side(true)), "swapped");
  await page.keyboard.press("i");
  expectEqual((await state()).total, sum(side(true)), "inverted too");
  for (const key of ["i", "w"]) await page.keyboard.press(key);
  await page.keyboard.press("t");
  await page.locator("#threadrows [role=option]:visible", { hasText: "MainThread" }).dblclick();
  await page.keyboard.press("Escape");
  const of = (isBase) => sum(side(isBase).filter(({ thread }) => thread === "MainThread"));
  const [top] = await nodes("<module>");
  expectEqual([top.total, top.before], [of(false), of(true)], "the threads of one name, on both sides");
  const left = await state();
  await page.reload();
  await page.waitForFunction(() => window.pyrometer);
  expectEqual([(await state()).total, (await state()).threads], [left.total, left.threads], "after a reload");
  await page.keyboard.press("x");
  expectEqual((await state()).scale, 0, "plain");
  expect(!(await text("#legend")).includes("chance"), "legend");
  await page.keyboard.press("x");
});

test("tooltips say how much, and whether it could be chance", async () => {
  const at = await page.evaluate(() => window.pyrometer.rect(window.pyrometer.nodes("Application.run")[0]));
  await page.mouse.move(at.x + at.width / 2, at.y + 8);
  const tip = await text("#tip");
  expect(/before/.test(tip) && /change\s+[+−]/.test(tip), tip);
  await page.keyboard.press("3");
  expect(await page.locator("#above").isVisible(), "the sandwich");
  await keepPicture(page, "compared-sandwich");
  await page.keyboard.press("1");
  expectEqual(complaints, [], "complaints");
});

cleanup(() => page?.close());
await finish();
