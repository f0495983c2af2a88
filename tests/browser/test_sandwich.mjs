// The sandwich in the flame graph page: one function, its callers above it and what it calls below.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  cleanup, expect, expectEqual, finish, openBrowser, test, writeFixedTrace,
} from "./lib.mjs";
import { DATA, expectedTable, keepPicture, openGraph, readStacks } from "./flamegraph.mjs";

let stacks, context, page, complaints; // made by the first test

const sum = (rows) => rows.reduce((total, row) => total + row.time, 0);
const state = () => page.evaluate(() => window.pyrometer.state);
const callers = () => page.evaluate(() => window.pyrometer.callers());
const focusName = () => page.locator("#between b").innerText();
const row = (name) => page.locator("#rows [role=row]:visible", { has: page.getByText(name, { exact: true }) });

/** Time by name of what is `step` frames from the outermost frame of a function. */
function beside(name, step) {
  const found = new Map();
  for (const { stack, time } of stacks) {
    const at = stack.findIndex((frame) => frame.name === name);
    const other = at < 0 ? null : stack[at + step];
    if (other) found.set(other.name, (found.get(other.name) || 0) + time);
  }
  return Array.from(found).map(([other, total]) => ({ name: other, total })).sort((a, b) => b.total - a.total);
}

test("opens with the function that has most time in itself", async () => {
  const file = join(writeFixedTrace(), "flamegraph.html");
  stacks = readStacks(JSON.parse(DATA.exec(readFileSync(file, "utf8"))[2]));
  context = await openBrowser();
  ({ page, complaints } = await openGraph(context, file));
  await page.keyboard.press("3");
  const most = expectedTable(stacks).sort((a, b) => b.self - a.self)[0];
  expectEqual([(await state()).view, await focusName()], ["sandwich", most.name], "view, function");
  expect(await page.locator("#above").isVisible(), "the upper half");
});

test("a click in the table goes to a function: its callers, its calls", async () => {
  await page.locator("[data-sort=total]").click();
  await row("Application.run").click();
  expectEqual(await focusName(), "Application.run", "function");
  expectEqual(await callers(), beside("Application.run", -1), "callers");
  const calls = await page.evaluate(() => window.pyrometer.children(1).map((id) => window.pyrometer.node(id)));
  const wanted = beside("Application.run", 1);
  expectEqual(calls.filter(({ name }) => name !== "helper").map(({ name, total }) => ({ name, total })),
    wanted.filter(({ name }) => name !== "helper"), "calls");
  expectEqual(sum(calls.filter(({ name }) => name === "helper").map(({ total }) => ({ time: total }))),
    wanted.find(({ name }) => name === "helper").total, "both functions of one name");
  const total = sum(stacks.filter(({ stack }) => stack.some(({ name }) => name === "Application.run")));
  expectEqual((await state()).total, total, "total");
  await keepPicture(page, "sandwich");
});

test("a click on a caller goes to it; back, and from the address", async () => {
  const id = 2; // the first caller: 1 is the function itself
  const at = await page.evaluate((which) => window.pyrometer.callerRect(which), id);
  await page.mouse.click(at.x + at.width / 2, at.y + at.height / 2);
  expectEqual([await focusName(), await callers()], ["<module>", beside("<module>", -1)],
    "the caller, and the processes that it is of");
  await page.goBack();
  expectEqual(await focusName(), "Application.run", "back");
  await page.reload();
  await page.waitForFunction(() => window.pyrometer);
  expectEqual([(await state()).view, await focusName()], ["sandwich", "Application.run"], "after a reload");
});

test("the menu leads here, and keys lead away", async () => {
  await page.keyboard.press("1");
  const at = await page.evaluate(() => window.pyrometer.rect(window.pyrometer.nodes("fib")[0]));
  await page.mouse.click(at.x + at.width / 2, at.y + 8, { button: "right" });
  await page.locator("#menu button", { hasText: "Callers and calls of it" }).click();
  expectEqual(await focusName(), "fib", "function");
  expectEqual(await callers(), beside("fib", -1), "callers from outside the recursion");
  await page.locator("#canvas").focus();
  await page.keyboard.press("l");
  const name = await page.evaluate(() => window.pyrometer.node(1).name);
  expectEqual([name, (await state()).line], ["fib", true], "by line");
  for (const key of ["l", "1"]) await page.keyboard.press(key);
  expectEqual([(await state()).view, await page.locator("#above").isVisible()], ["graph", false], "flame graph");
  expectEqual(complaints, [], "complaints");
});

cleanup(() => page?.close());
await finish();
