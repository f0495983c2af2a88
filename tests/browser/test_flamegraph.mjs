// The flame graph page in a real browser: the page of the fixed trace, and the same page with
// other data put into it. What it shows is compared with what is computed here from its data.

import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import vm from "node:vm";
import {
  HERE, cleanup, expect, expectEqual, finish, openBrowser, test, writeFixedTrace,
} from "./lib.mjs";
import {
  DATA, expectedTable, openGraph, pageWith, percent, readStacks, undoDifferences,
} from "./flamegraph.mjs";

const MARKUP = "</script><script>alert(1)</script>";
// Each of the two processes has a main thread.
const FIRST_THREAD = /MainThread\s*4242/;
let fixed, html, stacks, context, page, complaints, requests; // made by the first tests

const sum = (rows, of = (row) => row.time) => rows.reduce((total, row) => total + of(row), 0);
const having = (test) => stacks.filter(({ stack }) => stack.some(test));

// --- The page ----------------------------------------------------------------------------------

const reopen = (fragment = "") => page.goto(pathToFileURL(fixed).href + fragment)
  .then(() => page.reload()).then(() => page.waitForFunction(() => window.pyrometer));
const state = (of = page) => of.evaluate(() => window.pyrometer.state);
const node = (id) => page.evaluate((which) => window.pyrometer.node(which), id);
const rect = (id, of = page) => of.evaluate((which) => window.pyrometer.rect(which), id);
const text = (selector, of = page) => of.locator(selector).innerText();
const canvas = () => page.locator("#canvas").boundingBox();

/** The first node of this name at a depth. */
function find(name, depth, of = page) {
  return of.evaluate(([wanted, level]) => window.pyrometer.nodes(wanted)
    .find((id) => !level || window.pyrometer.node(id).depth === level) ?? 0, [name, depth]);
}

async function clickNode(id, options = {}) {
  const at = await rect(id);
  expect(at, `node ${id} is not drawn`);
  await page.mouse.click(at.x + at.width / 2, at.y + at.height / 2, options);
}

/** Types a search and waits until its result is there. */
async function search(query, of = page) {
  await of.locator("#query").fill(query);
  await of.waitForFunction((wanted) => {
    const { state: now } = window.pyrometer;
    return now.query === wanted && (wanted === "") === (now.matched === null);
  }, query);
  return (await state(of)).matched;
}

/** By then the page has been told of what changed before. */
const nextFrame = (of = page) => of.evaluate(() => new Promise((done) => {
  requestAnimationFrame(() => requestAnimationFrame(done));
}));

const numbers = (count, of) => Array.from({ length: count }, (_, i) => of(i));
const oneThread = { name: [0], tid: [1], pid: [1] };

// --- Tests -------------------------------------------------------------------------------------

test("fixed trace: the page opens from a file", async () => {
  fixed = join(writeFixedTrace(), "flamegraph.html");
  html = readFileSync(fixed, "utf8");
  stacks = readStacks(JSON.parse(DATA.exec(html)[2]));
  context = await openBrowser();
  ({ page, complaints, requests } = await openGraph(context, fixed));
  expectEqual((await state()).total, sum(stacks), "time of everything");
  expectEqual((await state()).samples, sum(stacks, (row) => row.samples), "samples");
});

test("it asks for nothing, and nothing goes wrong", async () => {
  expectEqual(requests, [pathToFileURL(fixed).href], "requests");
  expectEqual(complaints, [], "complaints");
});

test("two processes: each is a level, with its share", async () => {
  const of = (pid) => sum(stacks.filter(({ pid: its }) => its === pid));
  const levels = await page.evaluate(() => window.pyrometer.children(0).map((id) => window.pyrometer.node(id)));
  const wanted = [["process python3 <&>; (4242)", of(4242)], ["process worker <2> (4300)", of(4300)]];
  expectEqual(levels.map(({ name, total }) => [name, total]), wanted, "below all");
  expect(wanted.every(([, time]) => time > 0), "a process without time");
  for (const [name, time] of wanted) {
    const row = (await page.evaluate(() => window.pyrometer.table())).find((one) => one.name === name);
    expectEqual([row.self, row.total], [0, time], `${name} in the table`);
  }
});

test("it could not ask for anything if it wanted to", async () => {
  const other = await openGraph(context, fixed);
  const blocked = await other.page.evaluate(() => new Promise((resolve) => {
    const found = [];
    document.addEventListener("securitypolicyviolation", (event) => {
      found.push(event.effectiveDirective);
      if (found.length === 3) resolve(found.sort());
    });
    new Image().src = "http://127.0.0.1:9/image.png";
    fetch("http://127.0.0.1:9/data").catch(() => {});
    const script = document.createElement("script");
    script.src = "http://127.0.0.1:9/script.js";
    document.head.append(script);
  }));
  expectEqual(blocked, ["connect-src", "img-src", "script-src-elem"], "blocked");
  await other.page.close();
});

test("names that are markup stay text", async () => {
  const data = DATA.exec(html)[2];
  expect(!data.includes("<") && data.includes("\\u003c/script>"), "the data has a bare <");
  expectEqual(await page.locator("script").count(), 3, "scripts");
  expectEqual(await page.title(), "python3 <&>; (4242) flame graph", "title");
  expectEqual(await text("#process"), "python3 <&>;", "name");
  const id = await find(MARKUP);
  expect(id > 0, "no such frame");
  await clickNode(id);
  expect((await text("#detail")).startsWith(MARKUP), await text("#detail"));
  expectEqual(await page.locator("#trail button").last().innerText(), `› ${MARKUP}`, "trail");
  expect((await text("#tip")).includes(MARKUP), "the tooltip");
  expect((await text("#rows")).includes(MARKUP), "the table");
  await page.keyboard.press("0");
});

test("what cannot be seen is shown escaped, what can be as it is", async () => {
  await search("x\\.py|x1|line|long");
  const rows = await text("#rows");
  for (const shown of ["line\\x0abreak\\x09tab\\x0dreturn", "\\x01\\x1b[31mred\\x7f", "\\x9b\\u2028\\u202e hidden",
    "(no name)", "café 🐍"]) {
    expect(rows.normalize("NFC").includes(shown.normalize("NFC")), `${shown} in ${rows}`);
  }
  await search("文件");
  expect((await text("#rows")).includes("计算"), "Chinese");
  await search("abcdefghij$");
  const lengths = (await page.evaluate(() => window.pyrometer.table())).map(({ name }) => name.length);
  expectEqual(lengths, [10000], "lengths of the names found");
  await search("");
});

test("the table: self and total of each function, recursion once; sorted", async () => {
  const wanted = expectedTable(stacks);
  const key = ({ name, self, total }) => `${name} ${self} ${total}`;
  const shown = await page.evaluate(() => window.pyrometer.table());
  expectEqual(shown.map(key).sort(), wanted.map(key).sort(), "rows");
  for (const column of ["self", "total"]) {
    await page.locator(`[data-sort=${column}]`).click();
    if (column === "self") await page.locator(`[data-sort=${column}]`).click(); // was first: turned twice
    const values = (await page.evaluate(() => window.pyrometer.table())).map((row) => row[column]);
    expectEqual(values, values.slice().sort((a, b) => b - a), `by ${column}`);
  }
  await page.locator("[data-sort=name]").click();
  const names = (await page.evaluate(() => window.pyrometer.table())).map((row) => row.name || "(no name)");
  const plain = names.filter((name) => /^[\w.]+$/.test(name));
  expectEqual(plain, plain.slice().sort(), "by name");
  await page.locator("[data-sort=name]").click();
  const falling = (await page.evaluate(() => window.pyrometer.table())).map((row) => row.name)
    .filter((name) => /^[\w.]+$/.test(name));
  expectEqual(falling, plain.slice().reverse(), "by name, falling");
  expectEqual(await page.locator("[data-sort=name]").getAttribute("aria-sort"), "descending", "aria-sort");
  await page.locator("[data-sort=self]").click();
  const first = await page.locator("#rows [role=row]").first().innerText();
  expect(first.includes(percent(shown[0].self, sum(stacks))), `share of the first row: ${first}`);
});

test("search: the share counts nested matches once; names and files", async () => {
  for (const query of ["fib", "fib|run|module", "main\\.py", "^helper$", "FIB", "Run", "\\d\\d", "&amp"]) {
    const regex = new RegExp(query, /[A-Z]/.test(query) ? "" : "i");
    const fits = ({ name, file }) => regex.test(name) || regex.test(file);
    const functions = new Set(stacks.flatMap(({ stack }) => stack.filter(fits)).map(({ fn }) => fn));
    const matched = await search(query);
    expectEqual([matched.all, matched.functions], [sum(having(fits)), functions.size], query);
    expectEqual((await text("#found")).split(" · ")[0], percent(matched.all, sum(stacks)), `${query}, as shown`);
  }
});

test("search: what is no regular expression is searched for as text, and says so", async () => {
  const matched = await search("a(b");
  expectEqual([matched.all, (await state()).literal], [0, true], "a(b");
  expect((await text("#found")).startsWith("as text:"), await text("#found"));
  const red = await search("[31m");
  expectEqual(red.all, sum(having(({ name }) => name.includes("[31m"))), "[31m");
  await search("[3");
  expectEqual((await state()).literal, true, "[3");
  await search("fib");
  expectEqual((await state()).literal, false, "fib");
});

test("search: keys go to it, through the matches, and out", async () => {
  await search("");
  await page.locator("#canvas").focus();
  await page.keyboard.press("/");
  await page.keyboard.type("helper");
  await page.keyboard.press("Enter");
  const first = (await state()).selected;
  expectEqual((await node(first)).name, "helper", "after Enter");
  await page.locator("#canvas").focus();
  await page.keyboard.press("n");
  const second = (await state()).selected;
  expect(second !== first, "n stays");
  expectEqual((await node(second)).name, "helper", "after n");
  await page.keyboard.press("N");
  expectEqual((await state()).selected, first, "after N");
  await page.keyboard.press("Control+f");
  expectEqual(await page.evaluate(() => document.activeElement.id), "query", "focus after Ctrl+F");
  await page.keyboard.press("Escape");
  expectEqual([(await state()).query, await page.evaluate(() => document.activeElement.id)], ["", "canvas"], "Escape");
});

test("zoom by click, and out again", async () => {
  const id = await find("fib", 4);
  await clickNode(id);
  expectEqual((await state()).zoomed, id, "zoomed");
  const { width } = await canvas();
  expectEqual((await rect(id)).width, width, "width of the frame");
  expectEqual((await rect((await node(id)).parent)).width, width, "width of the one above, which stays");
  const sibling = await find("helper", 4);
  expectEqual(await rect(sibling), null, "a frame beside");
  const child = (await page.evaluate((which) => window.pyrometer.children(which), id))[0];
  const share = (await node(child)).total / (await node(id)).total;
  expect(Math.abs((await rect(child)).width / width - share) < 0.003, "share of the child");
  await page.keyboard.press("Backspace");
  expect((await state()).zoomed < id, "Backspace");
  await page.keyboard.press("Escape");
  expectEqual((await state()).zoomed, 0, "Escape");
});

test("zoom slides when that is wanted, to the same place", async () => {
  await page.emulateMedia({ reducedMotion: "no-preference" });
  const { width } = await canvas();
  const id = await find("fib", 4);
  await clickNode(id);
  const [from, to] = (await state()).range;
  expectEqual(to - from, (await node(id)).total, "range, from the start of the slide");
  expectEqual(new URL(page.url()).hash, `#z=${id}`, "address");
  await page.waitForFunction(([which, wanted]) => window.pyrometer.rect(which)?.width === wanted, [id, width]);
  await page.keyboard.press("0");
  await page.emulateMedia({ reducedMotion: "reduce" });
});

test("another tree in the middle of a slide is shown whole", async () => {
  await page.emulateMedia({ reducedMotion: "no-preference" });
  const { width } = await canvas();
  const id = await find("fib", 4);
  await page.evaluate((at) => { // both in one go, so that the slide has only begun
    const target = document.getElementById("canvas"), where = { clientX: at.x + 9, clientY: at.y + 9, bubbles: true };
    target.dispatchEvent(new PointerEvent("pointerdown", where));
    target.dispatchEvent(new PointerEvent("pointerup", where));
    target.dispatchEvent(new KeyboardEvent("keydown", { key: "i", bubbles: true }));
  }, await rect(id));
  await page.waitForTimeout(600); // much longer than a slide
  const [top] = await page.evaluate(() => window.pyrometer.children(0));
  expect(Math.abs((await rect(top)).width - (width * (await node(top)).total) / sum(stacks)) < 2, "the first box's width");
  await page.keyboard.press("i");
  await page.emulateMedia({ reducedMotion: "reduce" });
});

test("zoom by keys, and the selection is told", async () => {
  await page.locator("#canvas").focus();
  await page.keyboard.press("Escape");
  for (let i = 0; i < 4; i++) await page.keyboard.press("ArrowDown");
  const { selected } = await state();
  expectEqual([(await node(selected)).name, (await node(selected)).depth], ["Application.run", 3], "four times down");
  const detail = await text("#detail");
  const { total } = await node(selected);
  expect(detail.includes("Application.run") && detail.includes("/srv/app/main.py:20")
    && detail.includes(percent(total, sum(stacks))), detail);
  expectEqual(await page.locator("#detail").getAttribute("aria-live"), "polite", "aria-live");
  await page.keyboard.press("Enter");
  expectEqual((await state()).zoomed, selected, "Enter");
  await page.keyboard.press("0");
  await page.keyboard.press("ArrowRight");
  const beside = (await state()).selected;
  expectEqual([(await node(beside)).depth, (await node(beside)).parent], [3, (await node(selected)).parent], "right");
  await page.keyboard.press("ArrowLeft");
  expectEqual((await state()).selected, selected, "left");
  await page.keyboard.press("ArrowUp");
  expectEqual((await node((await state()).selected)).name, "<module>", "up");
});

test("the tooltip: total, samples, self, share of the zoomed view", async () => {
  const run = await find("Application.run", 3);
  await clickNode(run);
  const id = await find("fib", 4);
  const at = await rect(id);
  await page.mouse.move(at.x + 20, at.y + 8);
  const [fib, above, tip] = [await node(id), await node(run), await text("#tip")];
  expect(tip.includes(percent(fib.total, sum(stacks))), `of all: ${tip}`);
  expect(tip.includes(percent(fib.total, above.total)), `of the view: ${tip}`);
  expect(tip.includes("/srv/app/fib.py:3"), `place: ${tip}`);
  expect(new RegExp(`samples\\s+${fib.samples}`).test(tip), `samples: ${tip}`);
  await page.keyboard.press("0");
});

test("inverted: the same total, by running function, then by caller", async () => {
  await page.keyboard.press("i");
  expectEqual([(await state()).invert, (await state()).total], [true, sum(stacks)], "total");
  const tops = await page.evaluate(() => window.pyrometer.children(0).map((id) => window.pyrometer.node(id)));
  const selves = expectedTable(stacks).filter(({ self }) => self);
  const key = (name, time) => `${name} ${time}`;
  expectEqual(tops.map(({ name, total }) => key(name, total)).sort(),
    selves.map(({ name, self }) => key(name, self)).sort(), "running functions");
  const callers = await page.evaluate(() => {
    const top = window.pyrometer.children(0).find((id) => window.pyrometer.node(id).name === "fib");
    return window.pyrometer.children(top).map((id) => window.pyrometer.node(id));
  });
  const fromFib = stacks.filter(({ stack }) => stack.at(-1).name === "fib" && stack.at(-2).name === "fib");
  expectEqual(callers.find(({ name }) => name === "fib").total, sum(fromFib), "fib called by fib");
  expectEqual(sum(callers, ({ total }) => total),
    sum(stacks.filter(({ stack }) => stack.at(-1).name === "fib")), "all callers of fib");
  await page.keyboard.press("i");
});

test("by line: lines of a function are boxes of their own", async () => {
  const total = (line) => sum(having(({ name, line: at }) => name === "Application.run" && at === line));
  const runs = () => page.evaluate(() => window.pyrometer.nodes("Application.run")
    .map((id) => [window.pyrometer.node(id).line, window.pyrometer.node(id).total]).sort());
  expectEqual(await runs(), [[20, total(22) + total(31)]], "by function, with its first line");
  await page.keyboard.press("l");
  expectEqual(await runs(), [[22, total(22)], [31, total(31)]], "by line");
  expectEqual((await state()).total, sum(stacks), "total");
  await page.keyboard.press("l");
});

test("threads: those chosen are counted, by name", async () => {
  const of = (name, at) => stacks.filter(({ thread, tid }) => thread === name && (!at || tid === at));
  const count = new Set(stacks.map(({ thread, tid }) => `${tid} ${thread}`)).size;
  const row = (name) => page.locator("#threadrows [role=option]:visible", { hasText: name });
  await page.keyboard.press("t");
  expectEqual(await page.locator("#threadrows [role=option]:visible").count(), count, "threads with samples");
  await page.locator("#none").click();
  expectEqual((await state()).total, 0, "none");
  await row("worker").click();
  expectEqual((await state()).total, sum(of("worker;1\n</script>")), "worker");
  await row(FIRST_THREAD).click();
  expectEqual((await state()).total, sum(of("worker;1\n</script>")) + sum(of("MainThread", 4242)), "and the main thread");
  await row("(no name)").dblclick();
  expectEqual((await state()).total, sum(of("")), "only the one without a name");
  expectEqual(await text("#threads"), `Threads 1 of ${count}`, "button");
  await page.locator("#threadquery").fill("Main");
  expectEqual(await page.locator("#threadrows [role=option]:visible").count(), 2, "filtered");
  await page.locator("#threadquery").fill("");
  await page.locator("#all").click();
  expectEqual((await state()).total, sum(stacks), "all");
  await page.keyboard.press("Escape");
  expect(await page.locator("#chooser").isHidden(), "Escape does not close the card");
});

test("tasks: one is chosen, in the address too, and works with a search", async () => {
  expectEqual(await page.locator("#filters select").count(), 0, "choices where there are no tasks");
  const file = join(dirname(fixed), "flamegraph-tasks.html");
  const opened = await openGraph(context, file);
  const rows = readStacks(JSON.parse(readFileSync(file, "utf8").match(DATA)[2]));
  const inTask = (row) => row.stack.findLast(({ name }) => name.startsWith("<"))?.name === "<task fetch <06>>";
  const box = opened.page.locator("#task");
  await box.selectOption({ index: 1 });
  expect((await text("#task option:checked", opened.page)).startsWith("<task fetch <06>>"), "the heaviest is not the first");
  expectEqual((await state(opened.page)).total, sum(rows.filter(inTask)), "of the task");
  expectEqual((await search("^helper$", opened.page)).all,
    sum(rows.filter((row) => inTask(row) && row.stack.at(-1).name === "helper")), "of a search");
  await search("", opened.page);
  await opened.page.reload();
  await opened.page.waitForFunction(() => window.pyrometer);
  expectEqual((await state(opened.page)).total, sum(rows.filter(inTask)), "after a reload");
  await box.selectOption("0");
  expectEqual((await state(opened.page)).total, sum(rows), "all again");
  await opened.page.goBack();
  expectEqual((await state(opened.page)).total, sum(rows.filter(inTask)), "back");
  await opened.page.locator("#threads").click();
  await opened.page.locator("#threadrows [role=option]:visible", { hasText: "worker" }).dblclick();
  expectEqual((await state(opened.page)).total, 0, "of a thread that has no tasks");
  expectEqual(opened.complaints, [], "what went wrong in the page");
  await opened.page.close();
});

test("the menu: merged calls, merged callers, stacks left out", async () => {
  const pick = async (item, name = "fib", depth = 4) => {
    await clickNode(await find(name, depth), { button: "right" });
    await page.locator("#menu button", { hasText: item }).click();
  };
  const withFib = sum(having(({ name }) => name === "fib"));
  await pick("All calls of it");
  expectEqual((await state()).total, withFib, "calls");
  expectEqual((await node(1)).name, "fib", "calls: root");
  await page.locator("#trail .chip").click();
  await pick("All callers of it");
  const callers = await page.evaluate(() => window.pyrometer.children(1).map((id) => window.pyrometer.node(id)));
  expectEqual([(await node(1)).total, callers.map(({ name, total }) => [name, total])],
    [withFib, [["Application.run", withFib]]], "callers, from outside the recursion");
  await page.goBack();
  await page.goBack();
  await page.goBack();
  expectEqual([(await state()).focus, (await state()).invert], [0, false], "back");
  await pick("Leave out", "Application.run", 3);
  const withRun = sum(having(({ name }) => name === "Application.run"));
  expectEqual((await state()).total, sum(stacks) - withRun, "without, and without what it calls");
  await page.locator("#trail .chip").click();
  expectEqual((await state()).total, sum(stacks), "with it again");
});

test("icicle and flame", async () => {
  const { y, height } = await canvas();
  expectEqual((await rect(0)).y, y, "root of the icicle");
  await page.keyboard.press("o");
  const root = await rect(0);
  expect(Math.abs(root.y + root.height - (y + height)) <= 2, `root of the flame at ${root.y}`);
  const child = await rect(1);
  expect(child.y < root.y, "a child is above");
  await clickNode(0);
  await page.keyboard.press("ArrowUp");
  expectEqual((await state()).selected, 1, "up goes to the child");
  await page.keyboard.press("ArrowDown");
  expectEqual((await state()).selected, 0, "down goes to the root");
  await page.keyboard.press("o");
});

test("the address keeps the view over a reload, and back undoes a zoom", async () => {
  await page.keyboard.press("l");
  await page.keyboard.press("t");
  await page.locator("#threadrows [role=option]:visible", { hasText: FIRST_THREAD }).dblclick();
  await page.keyboard.press("Escape");
  const entries = () => page.evaluate(() => history.length);
  const before = await entries();
  await search("helper");
  expectEqual(await entries(), before, "history entries after a search");
  const id = await find("Application.run", 3);
  await clickNode(id);
  expectEqual(await entries(), before + 1, "history entries after a zoom");
  const left = await state();
  expect(left.zoomed === id && left.total < sum(stacks) && page.url().includes("#"), page.url());
  await page.reload();
  await page.waitForFunction(() => window.pyrometer);
  const kept = ({ line, invert, flame, query, zoomed, range, threads, total, matched }) =>
    ({ line, invert, flame, query, zoomed, range, threads, total, matched });
  expectEqual(kept(await state()), kept(left), "after the reload");
  expectEqual(await page.locator("#query").inputValue(), "helper", "search field");
  await page.goBack();
  expectEqual((await state()).zoomed, 0, "after going back");
  await reopen("#v=i&t=1&s=script");
  const worker = await state();
  expectEqual([worker.invert, worker.query], [true, "script"], "from an address");
  expect(worker.total < sum(stacks), "threads from an address");
  await reopen("#v=%E0%A4%A&z=99999999&t=x&c=-3&x=1e-1.2.junk&r=a_b");
  expectEqual((await state()).zoomed, 0, "an address that makes no sense");
  await reopen();
  expectEqual(complaints, [], "complaints");
});

test("light and dark, by the system and by choice, remembered", async () => {
  const ground = (wanted) => page.waitForFunction((rgb) => {
    const { width, height } = document.getElementById("canvas");
    const corner = document.getElementById("canvas").getContext("2d").getImageData(width - 2, height - 2, 1, 1);
    return corner.data.slice(0, 3).join() === rgb;
  }, wanted);
  expectEqual((await state()).dark, false, "light at first");
  await ground("255,255,255");
  await page.keyboard.press("d");
  expectEqual((await state()).dark, true, "dark after d");
  await ground("22,22,24");
  await reopen();
  expectEqual((await state()).dark, true, "after a reload");
  await page.locator("#theme").click();
  expectEqual((await state()).dark, false, "back to light");
  await page.emulateMedia({ colorScheme: "dark" });
  await page.waitForFunction(() => matchMedia("(prefers-color-scheme: dark)").matches);
  await nextFrame();
  expectEqual((await state()).dark, false, "a choice is kept when the system turns dark");
  await page.evaluate(() => localStorage.clear());
  await reopen();
  expectEqual((await state()).dark, true, "without a choice it is the system's");
  await page.emulateMedia({ colorScheme: "light" });
  await page.waitForFunction(() => !window.pyrometer.state.dark);
});

test("help names every key; the table can be put away; keys of buttons stay theirs", async () => {
  await page.keyboard.press("?");
  expect((await text("#keys")).includes("previous match"), "help");
  await page.keyboard.press("Escape");
  expect(await page.locator("#keys").isHidden(), "Escape does not close the help");
  const { width } = await canvas();
  await page.keyboard.press("s");
  expect(await page.locator("#side").isHidden(), "s does not close the table");
  await page.waitForFunction((was) => document.getElementById("canvas").clientWidth > was, width);
  await page.keyboard.press("s");
  await page.locator("#splitter").focus();
  await page.keyboard.press("ArrowLeft");
  await page.waitForFunction((was) => document.getElementById("canvas").clientWidth < was, width);
  await page.locator("[data-set=invert][data-value='1']").focus();
  await page.keyboard.press("Enter");
  expectEqual([(await state()).invert, (await state()).zoomed], [true, 0], "Enter on a button");
  await page.keyboard.press("i");
});

test("the table by keys: rows, search of one", async () => {
  await page.locator("#grid").focus();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press(" ");
  const { mark } = await state();
  expect(mark > 0, "Space does not mark");
  const row = page.locator(`#${await page.locator("#grid[aria-activedescendant]").getAttribute("aria-activedescendant")}`);
  expectEqual(await row.getAttribute("aria-rowindex"), "1", "the row that is active");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => window.pyrometer.state.matched);
  expectEqual((await state()).matched.functions, 1, "functions found");
  await search("");
});

test("Ctrl and the wheel zoom around the pointer; narrow boxes open", async () => {
  const { x, y, width } = await canvas();
  await page.locator("#canvas").focus();
  await page.mouse.move(x + width / 2, y + 30);
  await page.keyboard.down("Control");
  for (let i = 0; i < 5; i++) await page.mouse.wheel(0, -200);
  await page.keyboard.up("Control");
  await page.waitForFunction(() => window.pyrometer.state.range[1] - window.pyrometer.state.range[0]
    < window.pyrometer.state.total / 20);
  const [from, to] = (await state()).range;
  expect(Math.abs((from + to) / 2 / sum(stacks) - 0.5) < 0.01, "the middle stays");
  await page.keyboard.press("0");
  expectEqual((await state()).range, [0, sum(stacks)], "all of it");
  expectEqual(complaints, [], "complaints");
});

test("text is readable on every colour, light and dark", () => {
  const source = readFileSync(join(HERE, "../../exporters/flamegraph/names.js"), "utf8");
  const palettes = vm.runInNewContext(`${source}; [palette(false), palette(true)]`);
  const channels = (text) => (text.startsWith("#") ? text.slice(1).match(/../g).map((hex) => parseInt(hex, 16))
    : text.match(/\d+/g).map(Number));
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (a, b) => {
    const [low, high] = [luminance(a), luminance(b)].sort((p, q) => p - q);
    return (high + 0.05) / (low + 0.05);
  };
  for (const { fill, faded, match, root, more, less, same, ink, soft, quiet } of palettes) {
    expectEqual(fill.length, 72, "colours");
    for (const ground of [...fill, ...faded, ...more, ...less, match, root, same].map(channels)) {
      expect(contrast(channels(ink), ground) >= 4.5, `ink on ${ground}`);
    }
    for (const ground of [...fill, ...more, ...less, same].map(channels)) {
      expect(contrast(channels(soft), ground) >= 4.5, `places on ${ground}`);
    }
    for (const ground of faded.map(channels)) {
      expect(contrast(channels(quiet), ground) >= 4.5, `frames above a zoom on ${ground}`);
    }
  }
});

test("no time at all: samples stand for it", async () => {
  const json = JSON.parse(DATA.exec(html)[2]);
  const selves = undoDifferences(json.selves);
  const file = pageWith(html, { selves: { ...selves, weight_ns: selves.samples.map(() => 0) } }, "samples");
  const other = await openGraph(context, file);
  expectEqual((await state(other.page)).total, sum(stacks, (row) => row.samples), "total");
  expect((await text("#rows", other.page)).includes("samples"), "the table's unit");
  expectEqual(other.complaints, [], "complaints");
  await other.page.close();
});

test("no samples at all: an empty graph, and no error", async () => {
  const file = pageWith(html, { frames: { function: [], line: [], kind: [] }, nodes: { parent: [], frame: [] },
    selves: { thread: [], node: [], samples: [], weight_ns: [] } }, "empty");
  const other = await openGraph(context, file);
  for (const key of ["i", "l", "o", "ArrowDown", "Enter", "Backspace", "n", "t", "Escape"]) {
    await other.page.keyboard.press(key);
  }
  await search("fib", other.page);
  expectEqual((await state(other.page)).total, 0, "total");
  expectEqual(other.complaints, [], "complaints");
  await other.page.close();
});

test("100,000 functions: opens, searches, zooms, inverts", async () => {
  const count = 100_000, first = numbers(count, (i) => 1 + i);
  const parent = (i) => (i < 100 ? 0 : Math.floor(i / 3)); // parents first, 8 or 9 levels
  const weights = first.map((i) => 1000 * (1 + (i % 13)));
  const file = pageWith(html, {
    strings: ["", ...first.map((i) => `package_${i % 97}.module.Class.method_${i}`), "/srv/app/main.py"],
    functions: { name: first, file: first.map(() => count + 1), line: first },
    frames: { function: first, line: first, kind: first.map(() => 0) },
    nodes: { parent: first.map((_, i) => parent(i)), frame: first },
    threads: oneThread,
    selves: { thread: first.map(() => 1), node: first, samples: first.map(() => 1), weight_ns: weights },
  }, "wide");
  const other = await openGraph(context, file);
  const total = weights.reduce((a, b) => a + b, 0);
  expectEqual([(await state(other.page)).nodes, (await state(other.page)).total], [count + 1, total], "nodes, total");
  const fits = first.map((i) => /_7\d*5$/.test(`method_${i}`));
  const counted = first.map((_, i) => i).reduce((covered, i) => {
    covered[i + 1] = fits[i] || covered[parent(i)];
    return covered;
  }, [false]);
  const matched = await search("_7\\d*5$", other.page);
  expectEqual([matched.functions, matched.all], [fits.filter(Boolean).length,
    weights.filter((_, i) => counted[i + 1]).reduce((a, b) => a + b, 0)], "search");
  await other.page.locator("#canvas").focus();
  for (const key of ["ArrowDown", "ArrowDown", "ArrowDown", "Enter"]) await other.page.keyboard.press(key);
  const { selected, zoomed } = await state(other.page);
  expect(zoomed > 0 && zoomed === selected, "zoom by keys");
  const wide = await rect(zoomed, other.page);
  expectEqual(wide.width, (await other.page.locator("#canvas").boundingBox()).width, "zoomed width");
  await other.page.keyboard.press("i");
  expectEqual((await state(other.page)).total, total, "inverted");
  await other.page.keyboard.press("l");
  expectEqual((await state(other.page)).total, total, "inverted, by line");
  expectEqual(other.complaints, [], "complaints");
  await other.page.close();
});

test("a stack 20,000 deep: opens, scrolls, searches, zooms, inverts", async () => {
  const depth = 20_000, first = numbers(depth, (i) => 1 + i);
  const file = pageWith(html, {
    strings: ["", "main", "recurse", "/srv/app/deep.py"],
    functions: { name: [1, 2], file: [3, 3], line: [1, 5] },
    frames: { function: [1, 2, 2], line: [2, 6, 7], kind: [0, 0, 0] },
    nodes: { parent: numbers(depth, (i) => i), frame: first.map((i) => (i === 1 ? 1 : 2 + (i % 2))) },
    threads: oneThread,
    selves: { thread: [1, 1], node: [depth, depth / 2], samples: [3, 1], weight_ns: [3000, 1000] },
  }, "deep");
  const other = await openGraph(context, file);
  expectEqual((await state(other.page)).rows, depth + 1, "rows");
  expectEqual(await search("recurse", other.page), { all: 4000, within: 4000, functions: 1 }, "search");
  const table = await other.page.evaluate(() => window.pyrometer.table());
  expectEqual(table, [{ name: "recurse", self: 4000, total: 4000 }], "table");
  await other.page.evaluate(() => document.getElementById("graph").scrollTo(0, 1e9));
  await other.page.waitForFunction(() => {
    const at = window.pyrometer.rect(20_000), { bottom } = document.getElementById("graph").getBoundingClientRect();
    return at && at.y < bottom && at.y > bottom - 60;
  });
  const lowest = await rect(depth, other.page);
  await other.page.mouse.click(lowest.x + 10, lowest.y + 5);
  expectEqual((await state(other.page)).zoomed, depth, "zoomed to the lowest");
  await other.page.evaluate(() => { location.hash = "z=15000"; });
  await other.page.waitForFunction(() => {
    const at = window.pyrometer.rect(15_000), { top, bottom } = document.getElementById("graph").getBoundingClientRect();
    return window.pyrometer.state.zoomed === 15_000 && at.y > top && at.y < bottom;
  });
  for (const key of ["0", "i", "o", "l", "i", "o"]) await other.page.keyboard.press(key);
  expectEqual((await state(other.page)).total, 4000, "total");
  expectEqual(other.complaints, [], "complaints");
  await other.page.close();
});

test("the page without its data is below 124 kB", () => {
  const bytes = Buffer.byteLength(html.replace(DATA, "$1$3"));
  expect(bytes < 124_000, `${bytes} bytes`);
});

cleanup(() => page?.close());
await finish();
