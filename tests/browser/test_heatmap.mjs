// The heat map in a real browser: the page of the fixed trace, and the same page with other data put
// into it. What it shows is compared with what is counted here from the collapsed stacks of the trace.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import vm from "node:vm";
import {
  BOUND_MS, HERE, PYROMETER, expect, expectEqual, finish, openBrowser, openPage, scratchFolder, test,
  writeFixedTrace,
} from "./lib.mjs";

const DATA = /(<script id="pyrometer-data" type="application\/json">)(.*?)(<\/script>)/s;
const FIB = "/srv/app/fib.py", MAIN = "/srv/app/main.py";
const SHOTS = join(dirname(PYROMETER), "screenshots");
let folder, fixed, html, json, stacks, context, page, complaints, requests; // made by the first test

// --- What the trace says, from another output --------------------------------------------------

/** Stacks of the fixed trace without the process and thread: [["name", "file", line]...], count. */
function readStacks(file) {
  return readFileSync(file, "utf8").trimEnd().split("\n").map((line) => {
    const row = JSON.parse(line);
    return row.type === "samples" && { stack: row.stack, samples: row.samples };
  }).filter(Boolean);
}

const sum = (rows) => rows.reduce((all, { samples }) => all + samples, 0);
const leaf = ({ stack }) => stack[stack.length - 1];
const selfOf = (test_) => sum(stacks.filter((row) => test_(leaf(row))));
const totalOf = (test_) => sum(stacks.filter(({ stack }) => stack.some(test_)));

/** {callee: samples} of what functions of this name call; a stack counts once for each. */
function calleesOf(name) {
  const found = new Map();
  for (const { stack, samples } of stacks) {
    const called = new Set();
    stack.forEach((frame, i) => i && stack[i - 1].function === name && called.add(frame.function));
    for (const callee of called) found.set(callee, (found.get(callee) || 0) + samples);
  }
  return found;
}

// --- The page ----------------------------------------------------------------------------------

async function open(file, fragment = "") {
  const opened = await openPage(context);
  opened.requests = [];
  opened.page.on("request", (request) => opened.requests.push(request.url()));
  await opened.page.emulateMedia({ colorScheme: "light" });
  await opened.page.setViewportSize({ width: 1360, height: 800 });
  await opened.page.goto(pathToFileURL(file).href + fragment);
  await opened.page.waitForFunction(() => window.pyrometer, null, { timeout: BOUND_MS });
  return opened;
}

const state = (of = page) => of.evaluate(() => window.pyrometer.state);
const about = () => page.evaluate(() => window.pyrometer.about);
const until = (what, wanted, of = page) => of.waitForFunction(
  ([name, value]) => window.pyrometer.state[name] === value, [what, wanted]);
const lineRow = (number, of = page) => of.locator("#lines .line")
  .filter({ has: of.locator(".number", { hasText: new RegExp(`^${number}$`) }) });

async function shoot(name, of = page) {
  mkdirSync(SHOTS, { recursive: true });
  await of.screenshot({ path: join(SHOTS, `heatmap-${name}.png`) });
}

async function openFile(name) {
  await page.locator("#files .row.file").filter({ hasText: name }).click();
  await page.waitForFunction((wanted) => window.pyrometer.state.file.endsWith(wanted), `/${name}`);
}

/** The page with other data; columns are plain numbers here. */
function pageWith(data, name) {
  const differences = (values) => values.map((value, i) => value - (i ? values[i - 1] : 0));
  const out = { ...json, run: { ...json.run, process: 0, command: 0, python: 0, mode: 0, profiler: 0 } };
  for (const [table, value] of Object.entries(data)) {
    out[table] = Array.isArray(value) ? value : Object.fromEntries(Object.entries(value)
      .map(([column, values]) => [column, differences(values)]));
  }
  const file = join(scratchFolder(), `${name}.html`);
  writeFileSync(file, html.replace(DATA, (_, before, __, after) => before
    + JSON.stringify(out).replace(/</g, "\\u003c") + after));
  return file;
}

const numbers = (count, of) => Array.from({ length: count }, (_, i) => of(i));

// --- Tests -------------------------------------------------------------------------------------

test("fixed trace: the page opens from a file", async () => {
  folder = writeFixedTrace();
  fixed = join(folder, "heatmap.heatmap.html");
  html = readFileSync(fixed, "utf8");
  json = JSON.parse(DATA.exec(html)[2]);
  stacks = readStacks(join(folder, "jsonl.jsonl"));
  context = await openBrowser();
  ({ page, complaints, requests } = await open(fixed));
  expectEqual((await state()).samples, sum(stacks), "samples");
  expectEqual((await state()).file, FIB, "the file of the hottest function");
  await shoot("light");
});

test("it asks for nothing, and nothing goes wrong", async () => {
  expectEqual(requests, [pathToFileURL(fixed).href], "requests");
  expectEqual(complaints, [], "complaints");
});

test("names and sources that are markup stay text", async () => {
  const data = DATA.exec(html)[2];
  expect(!data.includes("<") && data.includes("\\u003c/script>"), "the data has a bare <");
  expectEqual(await page.locator("script").count(), 3, "scripts");
  expectEqual(await lineRow(5).locator("code").innerText(), "        return n  # </script>", "line 5");
});

test("files: self and total of each, under their groups", async () => {
  const rows = await page.evaluate(() => window.pyrometer.files());
  expectEqual(rows.filter(({ group }) => group).map(({ group }) => group),
    ["Project", "Standard library", "Other"], "groups");
  for (const { file, self, total } of rows.filter((row) => row.file)) {
    expectEqual([self, total], [selfOf((f) => f.file === file), totalOf((f) => f.file === file)], file);
  }
  const files = new Set(stacks.flatMap(({ stack }) => stack.map(({ file }) => file)).filter(Boolean));
  expectEqual(rows.filter((row) => row.file).length, files.size, "files");
});

test("functions: self and total of each, hottest first", async () => {
  await page.getByRole("button", { name: "Functions" }).click();
  const rows = await page.evaluate(() => window.pyrometer.functions());
  const fib = rows.find(({ name }) => name === "fib");
  expectEqual(fib, { name: "fib", self: selfOf((f) => f.function === "fib"),
    total: totalOf((f) => f.function === "fib") }, "fib");
  expect(rows.every(({ self }, i) => !i || self <= rows[i - 1].self), "not in order");
  await page.keyboard.press("f");
  await until("list", "files");
});

test("lines: self and total as counted", async () => {
  for (const line of [5, 6]) {
    const at = (f) => f.file === FIB && f.line === line;
    const row = lineRow(line);
    expectEqual([await row.locator(".self").innerText(), await row.locator(".total").innerText()],
      [selfOf(at), totalOf(at)].map(String), `line ${line}`);
  }
  expectEqual(await lineRow(4).locator(".total").innerText(), "", "a line without samples");
  const [hot, cold] = await Promise.all([5, 4].map((line) => lineRow(line).locator(".heat")
    .evaluate((heat) => Number(heat.style.opacity))));
  expect(hot > 0.5 && cold === 0, `heat ${hot} and ${cold}`);
});

test("callers and callees, with counts; a click goes there and back comes back", async () => {
  const { callers, callees } = await about();
  expectEqual(new Map(callees).get("fib"), calleesOf("fib").get("fib"), "fib calls fib");
  expectEqual(new Map(callers).get("Application.run"), calleesOf("Application.run").get("fib"), "run calls fib");
  await page.locator("#callers .call").filter({ hasText: "Application.run" }).click();
  await until("fn", "Application.run");
  expectEqual((await state()).file, MAIN, "file");
  expectEqual(new Map((await about()).callees), calleesOf("Application.run"), "what it calls");
  await page.goBack();
  await until("fn", "fib");
  expectEqual((await state()).file, FIB, "back in the file");
});

test("a click on a line chooses its function", async () => {
  await openFile("main.py");
  await lineRow(41).click();
  await until("fn", "helper");
  await until("line", 41);
  expect((await page.locator("#about-file").innerText()).includes("no source"), "it says that there is no text");
});

test("a function of the list opens its file at its hottest line", async () => {
  await page.getByRole("button", { name: "Functions" }).click();
  await page.locator("#functions .row").filter({ hasText: "fib.py" }).first().click();
  await until("fn", "fib");
  expectEqual([(await state()).file, (await state()).line], [FIB, 5], "place");
  await page.getByRole("button", { name: "Files" }).click();
});

test("only hot lines, with what is around them", async () => {
  await page.getByRole("button", { name: "Hot lines only" }).click();
  const shown = await page.locator("#lines .line:visible .number").allInnerTexts();
  expectEqual(shown, ["⋯", "3", "4", "5", "6"], "lines shown");
  await shoot("hot-only");
  await page.keyboard.press("h");
  await until("shown", 6);
});

test("self or total", async () => {
  const before = await lineRow(6).locator(".heat").evaluate((heat) => Number(heat.style.opacity));
  await page.getByRole("button", { name: "Total" }).click();
  await until("by", "total");
  const after = await lineRow(6).locator(".heat").evaluate((heat) => Number(heat.style.opacity));
  expect(after > before && after === 1, `heat of the line with the most: ${before}, then ${after}`);
  await page.keyboard.press("b");
  await until("by", "self");
});

test("search: files, functions, and text in the source", async () => {
  await page.keyboard.press("/");
  await page.locator("#query").fill("fib");
  await until("query", "fib");
  const rows = await page.evaluate(() => window.pyrometer.files());
  expectEqual(rows.filter((row) => row.file).map(({ file }) => file), [FIB], "files found");
  expectEqual((await page.evaluate(() => window.pyrometer.functions())).map(({ name }) => name), ["fib"], "functions");
  expectEqual(await page.locator("#found").innerText(), "1 file, 1 function", "counts");
  expectEqual(await lineRow(6).locator("mark").allInnerTexts(), ["fib", "fib"], "in line 6");
  await page.locator("#query").fill("fib(");
  await until("literal", true);
  expectEqual(await lineRow(3).locator("mark").allInnerTexts(), ["fib("], "taken literally");
  await page.keyboard.press("Escape");
  await until("query", "");
});

test("bytecode: every instruction, its base and its samples", async () => {
  const { bytecode } = await about();
  const counts = new Map();
  for (const row of stacks.filter((each) => leaf(each).offset !== undefined)) {
    counts.set(leaf(row).offset, (counts.get(leaf(row).offset) || 0) + row.samples);
  }
  expectEqual(bytecode.length, 1, "code objects");
  expectEqual(bytecode[0].filter(({ samples }) => samples).map(({ offset, samples }) => [offset, samples]),
    Array.from(counts).sort((a, b) => a[0] - b[0]), "samples by offset");
  const rows = page.locator(".listing .row.instruction");
  expectEqual(await rows.count(), bytecode[0].length, "rows");
  expectEqual(await rows.nth(3).locator("span").allInnerTexts(), ["6", "COMPARE_OP_INT_JUMP", "COMPARE_OP", "", ""],
    "a specialised instruction");
  expectEqual(await rows.nth(5).locator("b").innerText(), String(counts.get(14)), "samples of LOAD_FAST");
});

test("bytecode: what an instruction stands for is marked in the source", async () => {
  await page.locator(".listing .row.instruction").nth(10).hover();
  await until("pointed", 34);
  expectEqual(await lineRow(6).locator("mark").allInnerTexts(), ["n - 1"], "marked");
  expect((await page.locator("#detail").innerText()).includes("made from BINARY_OP"), "it is said below");
  await shoot("instruction");
  await page.locator("#path").hover();
  await until("pointed", null);
  expectEqual(await page.locator("#lines mark").count(), 0, "nothing is marked any more");
});

test("bytecode: by keys", async () => {
  await page.locator(".listing .list").focus();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown");
  await until("pointed", 2);
  expectEqual(await lineRow(4).locator("mark").allInnerTexts(), ["n"], "marked");
});

test("hot lines one after the other", async () => {
  await page.locator("#lines").focus();
  const seen = [];
  for (const key of ["n", "n", "N"]) {
    await page.keyboard.press(key);
    seen.push((await state()).line);
  }
  expectEqual(seen, [6, 5, 6], "lines");
});

test("the address keeps the view over a reload", async () => {
  await openFile("main.py");
  await page.keyboard.press("h");
  await page.keyboard.press("b");
  const before = await state();
  await page.reload();
  await page.waitForFunction(() => window.pyrometer);
  const after = await state();
  for (const name of ["file", "fn", "hotOnly", "by", "list"]) expectEqual(after[name], before[name], name);
  expectEqual(complaints, [], "complaints");
});

test("light and dark", async () => {
  await page.keyboard.press("d");
  await until("dark", true);
  await openFile("fib.py");
  await shoot("dark");
  await page.keyboard.press("d");
  await until("dark", false);
  expectEqual(complaints, [], "complaints");
});

test("text is readable on every heat, light and dark", async () => {
  const channels = (text) => text.match(/[\d.]+/g).slice(0, 3).map(Number);
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  for (const dark of [false, true]) {
    const [ink, ground, hot, mark, found] = (await page.evaluate((isDark) => {
      const root = document.documentElement, probe = document.body.appendChild(document.createElement("i"));
      const was = root.dataset.theme;
      root.dataset.theme = isDark ? "dark" : "light";
      const colours = ["--ink", "--ground", "--hot", "--mark", "--found"].map((name) => {
        probe.style.color = `var(${name})`;
        return getComputedStyle(probe).color;
      });
      root.dataset.theme = was;
      probe.remove();
      return colours;
    }, dark)).map(channels);
    const mixed = numbers(11, (i) => ground.map((c, k) => c + ((hot[k] - c) * i) / 10));
    for (const under of [...mixed, mark, found]) {
      const [low, high] = [luminance(ink), luminance(under)].sort((a, b) => a - b);
      expect((high + 0.05) / (low + 0.05) >= 4.5, `${dark ? "dark" : "light"}: ink on ${under}`);
    }
  }
});

test("500 files, and one with 10,000 lines: only what is in sight exists", async () => {
  const FILES = 500, LINES = 10000;
  const strings = ["", ...numbers(FILES, (i) => `/srv/big/pkg${i % 20}/m${i}.py`), ...numbers(FILES, (i) => `f${i}`)];
  const text = numbers(LINES, (i) => `    value_${i} = compute(${i})  # ${"x".repeat(i % 90)}`).join("\n");
  const ones = numbers(FILES, () => 1);
  const file = pageWith({
    strings, names: { name: numbers(FILES, (i) => FILES + i + 1), file: numbers(FILES, (i) => i + 1), line: ones },
    functions: { function: numbers(FILES, (i) => i + 1), self: numbers(FILES, (i) => (i ? 1 : LINES / 10)), total: ones },
    files: { file: numbers(FILES, (i) => i + 1), self: numbers(FILES, (i) => (i ? 1 : LINES / 10)), total: ones },
    lines: { file: numbers(LINES / 10, () => 1), line: numbers(LINES / 10, (i) => 10 * i + 7),
      function: numbers(LINES / 10, () => 1), self: numbers(LINES / 10, () => 1), total: numbers(LINES / 10, () => 1) },
    calls: { caller: [], callee: [], self: [], total: [] }, codes: { function: [] },
    instructions: Object.fromEntries(Object.keys(json.instructions).map((name) => [name, []])),
    forms: { instruction: [], opcode: [], samples: [] }, sources: { file: [1] }, texts: [text],
  }, "big");
  const big = await open(file);
  expectEqual((await state(big.page)).shown, LINES, "lines");
  expect(await big.page.locator("#lines .line").count() < 200, "rows out of sight exist");
  expect(await big.page.locator("#files .row").count() < 200, "files out of sight exist");
  await big.page.locator("#lines").focus();
  await big.page.keyboard.press("End");
  await lineRow(LINES, big.page).waitFor();
  const map = await big.page.locator("#map").boundingBox();
  await big.page.mouse.click(map.x + map.width / 2, map.y + map.height / 2);
  await lineRow(LINES / 2, big.page).waitFor();
  await shoot("big", big.page);
  await big.page.locator("#query").fill("m499");
  await big.page.locator("#files .row.file").filter({ hasText: "m499.py" }).click();
  await until("file", "/srv/big/pkg19/m499.py", big.page);
  expectEqual(big.complaints, [], "complaints");
  await big.page.close();
});

test("columns are bytes of UTF-8", () => {
  const source = readFileSync(join(HERE, "../../exporters/heatmap/heat.js"), "utf8");
  const { spanIn } = vm.runInNewContext(`${source}; ({ spanIn })`);
  const text = "é = '文件🐍' + x";
  const spans = [[1, 3], [6, 18], [21, 22]].map(([column, end_column]) =>
    spanIn({ line: 1, end_line: 1, column, end_column }, 1, text));
  expectEqual(spans.map(([from, to]) => text.slice(from, to)), ["é", "'文件🐍'", "x"], "spans");
});

await finish();
