// Time in the flame graph page: the map of the run, ranges of it, comparisons of two, the chart. What
// it shows is compared with the order of samples as the speedscope file of the same trace tells it.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import vm from "node:vm";
import {
  HERE, cleanup, expect, expectEqual, finish, openBrowser, test, writeFixedTrace,
} from "./lib.mjs";
import { expectedTable, keepPicture, openGraph, pageWith } from "./flamegraph.mjs";

let fixed, html, runs, end, context, page, complaints, requests; // made by the first test

// --- The order of samples, from speedscope's file ----------------------------------------------

/** What ran when: thread, from, to (ns), and the stack as functions, root first, below its process. */
function readRuns(file) {
  const { shared, profiles } = JSON.parse(readFileSync(file, "utf8"));
  return profiles.flatMap(({ name, samples, weights }) => {
    const [, process, thread] = /^(process .* \(\d+\)) thread (.*) \(\d+\)$/s.exec(name);
    let at = 0;
    return samples.map((stack, i) => ({
      thread, from: at, to: (at += weights[i]), isSample: stack.length > 0,
      stack: [{ fn: process, name: process }, ...stack.map((fn) => ({ fn, name: shared.frames[fn].name }))],
    })).filter((run) => run.isSample);
  });
}

/** The stacks in [from, to), with the time of each that lies in it. */
const within = ([from, to], of = runs) => of
  .map((run) => ({ ...run, time: Math.min(to, run.to) - Math.max(from, run.from) }))
  .filter((run) => run.time > 0);

const sum = (rows) => rows.reduce((total, row) => total + row.time, 0);
const asText = (rows) => rows.map(({ name, self, total }) => `${name} ${self} ${total}`).sort();

// --- The page ----------------------------------------------------------------------------------

const state = () => page.evaluate(() => window.pyrometer.state);
const table = () => page.evaluate(() => window.pyrometer.table());
const text = (selector) => page.locator(selector).innerText();
const inNs = (period) => period.map((bucket) => bucket * 1e6);

/** Goes to an address of the page, as a link somebody sent. */
async function goTo(fragment) {
  await page.evaluate((hash) => { location.hash = hash; }, fragment);
  await page.waitForFunction((hash) => location.hash === hash, fragment && `#${fragment}`);
  await page.evaluate(() => new Promise((done) => { setTimeout(done); })); // hashchange comes first
}

/** The middle of the cell of the map in which a bucket is, in the window's pixels. */
async function cellOf(bucket) {
  await page.waitForFunction(() => window.pyrometer.map.wide > 0);
  const [map, box] = [await page.evaluate(() => window.pyrometer.map), await page.locator("#heat").boundingBox()];
  const place = Math.floor(bucket / map.per);
  return [box.x + map.left + (Math.floor(place / map.down) + 0.5) * map.wide,
    box.y + ((place % map.down) + 0.5) * map.tall];
}

async function drag(from, to) {
  await page.mouse.move(...await cellOf(from));
  await page.mouse.down();
  await page.mouse.move(...await cellOf(Math.floor((from + to) / 2)));
  await page.mouse.move(...await cellOf(to));
  await page.mouse.up();
}

/** What of the view must survive a reload. */
const kept = ({ view, period, against, compare, swap, absolute, byThread, invert, line, flame, query,
  focus, zoomed, range, threads, total, samples, matched, scale, lane }) => ({ view, period, against,
  compare, swap, absolute, byThread, invert, line, flame, query, focus, zoomed, range, threads, total,
  samples, matched, scale, lane });

// --- Tests -------------------------------------------------------------------------------------

test("fixed trace: the timeline has the time of the whole", async () => {
  const folder = writeFixedTrace();
  fixed = join(folder, "flamegraph.html");
  html = readFileSync(fixed, "utf8");
  runs = readRuns(join(folder, "speedscope.speedscope.json"));
  end = Math.max(...runs.map((run) => run.to));
  context = await openBrowser();
  ({ page, complaints, requests } = await openGraph(context, fixed));
  const { total, bucket, buckets } = await state();
  expectEqual([total, bucket], [sum(within([0, Infinity])), 1e6], "time of everything; width of a bucket");
  expect(buckets * bucket >= end, `${buckets} buckets`);
});

test("a range that is dragged over the map: its sums, its table", async () => {
  await drag(20, 99);
  const { period, total } = await state();
  expectEqual(period, [20, 100], "range");
  const rows = within([20e6, 100e6]);
  expectEqual(total, sum(rows), "total");
  expectEqual(asText(await table()), asText(expectedTable(rows)), "table");
  expect((await text("#ranges")).includes("0.020 s – 0.100 s"), await text("#ranges"));
  await keepPicture(page, "time-range");
  await page.locator("#ranges .chip").click();
  expectEqual([(await state()).period, (await state()).total], [null, sum(within([0, Infinity]))], "away again");
});

test("any range: sums are those of the timeline, and all ranges make the whole", async () => {
  let together = 0;
  const { buckets } = await state();
  for (let from = 0; from < buckets; from += 23) {
    await goTo(`w=${from}-${Math.min(buckets, from + 23)}`);
    const { period, total } = await state(), rows = within(inNs(period));
    expectEqual([total, asText(await table())], [sum(rows), asText(expectedTable(rows))], `from ${from}`);
    together += total;
  }
  expectEqual(together, sum(within([0, Infinity])), "together");
});

test("a range of one thread, inverted and by line, has the same total", async () => {
  await goTo("w=100-190&t=1");
  const of = runs.filter((run) => run.thread === "worker;1\n</script>");
  const wanted = sum(within([100e6, 190e6], of));
  expect(wanted > 0, "the thread is not in that range");
  for (const fragment of ["w=100-190&t=1", "w=100-190&t=1&v=i", "w=100-190&t=1&v=l", "w=100-190&t=1&v=il"]) {
    await goTo(fragment);
    expectEqual((await state()).total, wanted, fragment);
  }
});

test("Shift+drag chooses a second range; nodes know both sides", async () => {
  await goTo("");
  await drag(0, 39);
  await page.keyboard.down("Shift");
  await drag(100, 179);
  await page.keyboard.up("Shift");
  const { period, against, scale } = await state();
  expectEqual([period, against, scale], [[0, 40], [100, 180], 0.5], "ranges; how much the second counts");
  const sides = [within([0, 40e6]), within([100e6, 180e6])];
  for (const name of ["<module>", "Application.run", "Thread._bootstrap"]) {
    const [now, was] = sides.map((rows) => sum(rows.filter(({ stack }) => stack.some((f) => f.name === name))));
    const nodes = await page.evaluate((wanted) => window.pyrometer.nodes(wanted)
      .map((id) => window.pyrometer.node(id)), name);
    const together = (of) => nodes.reduce((total, node) => total + of(node), 0);
    expectEqual([together(({ total }) => total), together(({ before }) => before)], [now, was], name);
  }
  expect((await text("#legend")).includes("more than before"), await text("#legend"));
  await keepPicture(page, "time-compared");
});

test("Swap, Per second and Differences do what they say", async () => {
  await goTo("w=0-40&b=100-180");
  const sides = [sum(within([0, 40e6])), sum(within([100e6, 180e6]))];
  await page.locator("#ranges button", { hasText: "Swap" }).click();
  expectEqual([(await state()).total, (await state()).scale], [sides[1], 2], "swapped");
  await page.locator("#ranges button", { hasText: "Per second" }).click();
  expectEqual((await state()).scale, 1, "as they are");
  await page.keyboard.press("w");
  expectEqual((await state()).total, sides[0], "swapped back");
  await page.locator("#ranges button", { hasText: "Differences" }).click();
  expectEqual((await state()).scale, 0, "plain");
  await page.keyboard.press("x");
  expectEqual((await state()).scale, 1, "differences again");
  await page.locator("#ranges .second").click();
  expectEqual([(await state()).against, (await state()).scale], [null, 0], "compared no more");
});

test("what only chance has done is not called a change", async () => {
  const source = readFileSync(join(HERE, "../../exporters/flamegraph/tree.js"), "utf8");
  const changeOf = vm.runInNewContext(`${source}; changeOf`);
  expectEqual([changeOf(105, 105, 100, 100, 1), changeOf(200, 200, 100, 100, 1), changeOf(50, 50, 200, 200, 0.5),
    changeOf(0, 0, 40, 40, 1), changeOf(40, 40, 0, 0, 1)], [0, 0.5, -0.5, -1, 1], "changes");
});

test("the map by keys: a moment, a range, and out", async () => {
  await page.reload();
  await page.waitForFunction(() => window.pyrometer);
  await page.locator("#heat").focus();
  await page.keyboard.press("ArrowRight");
  const { period } = await state();
  expectEqual(period, [0, 1], "the first moment");
  for (let i = 0; i < 3; i++) await page.keyboard.press("Shift+ArrowRight");
  expectEqual((await state()).period, [0, 4], "four of them");
  await page.keyboard.press("c");
  expectEqual((await state()).wantsSecond, true, "the next is the second");
  await drag(50, 59);
  expectEqual([(await state()).against, (await state()).wantsSecond], [[50, 60], false], "second");
  await page.goBack();
  expectEqual([(await state()).period, (await state()).against], [[0, 4], null], "back");
  await page.keyboard.press("Escape");
  expectEqual((await state()).period, null, "Escape");
});

test("the map by threads, and with a search", async () => {
  await page.locator("#mapkind button", { hasText: "Threads" }).click();
  await page.waitForFunction(() => window.pyrometer.map.lanes > 1);
  const threads = new Set(runs.map((run) => run.thread)).size;
  const { lanes } = await page.evaluate(() => window.pyrometer.map);
  expect(lanes >= threads, `${lanes} lanes, ${threads} names`);
  await keepPicture(page, "time-threads");
  await page.locator("#mapkind button", { hasText: "Map" }).click();
  await page.locator("#query").fill("fib");
  await page.waitForFunction(() => window.pyrometer.state.matched);
  const places = await page.evaluate(() => {
    const { per } = window.pyrometer.map;
    return Array.from({ length: Math.ceil(window.pyrometer.state.buckets / per) }, (_, i) => window.pyrometer.cell(i))
      .map(({ range, weight, matched }) => ({ range, weight, matched }));
  });
  for (const { range, weight, matched } of places) {
    const rows = within(range.map((bucket) => bucket * 1e6));
    const hits = rows.filter(({ stack }) => stack.some(({ name }) => name === "fib"));
    expectEqual([Math.round(weight), Math.round(matched)], [sum(rows), sum(hits)], `cell ${range}`);
  }
  await page.locator("#query").fill("");
});

test("the chart: a thread's stacks in the order of time", async () => {
  await goTo("");
  await page.locator("#canvas").focus();
  await page.keyboard.press("2");
  const { view, total, buckets } = await state();
  expectEqual([view, total], ["chart", buckets * 1e6], "view; time from the first bucket to the last");
  const lanes = await page.locator("#lane option").allInnerTexts();
  for (const [lane, name] of lanes.entries()) {
    await page.locator("#lane").selectOption({ index: lane });
    if (/^MainThread/.test(name)) continue; // there are two of that name
    const of = runs.filter(({ thread }) => name.startsWith(thread === "?" ? "(no name)" : thread.split("\n")[0]));
    const wanted = [], processes = new Set();
    let at = 0;
    for (const run of of) {
      if (run.from > at) wanted.push(["", run.from - at]);
      at = run.to;
      const [process, root] = run.stack;
      processes.add(process.name);
      if (wanted.at(-1)?.[0] === root.name) wanted.at(-1)[1] += run.to - run.from;
      else wanted.push([root.name, run.to - run.from]);
    }
    if (at < buckets * 1e6) wanted.push(["", buckets * 1e6 - at]);
    const [levels, boxes] = await page.evaluate(() => {
      const { children, node } = window.pyrometer;
      const tops = children(0), inside = (id) => (children(id).length ? children(id) : [id]); // a gap is empty
      return [tops, tops.flatMap(inside)].map((ids) => ids.map((id) => node(id)));
    });
    const named = new Set(levels.map((level) => level.name).filter(Boolean));
    expectEqual(Array.from(named), Array.from(processes), `${name}: its process`);
    expectEqual(boxes.map((box) => [box.name, box.total]), wanted, name);
  }
  await page.locator("#lane").selectOption({ index: 0 });
  await keepPicture(page, "time-chart");
});

test("the chart: zoom, search, a range, and its time alone", async () => {
  const id = (await page.evaluate(() => window.pyrometer.nodes("Application.run")))[0];
  const at = await page.evaluate((which) => window.pyrometer.rect(which), id);
  await page.mouse.click(at.x + at.width / 2, at.y + at.height / 2);
  expectEqual((await state()).zoomed, id, "zoomed");
  const { range } = await state();
  await page.mouse.click(at.x + 40, at.y + 5, { button: "right" });
  await page.locator("#menu button", { hasText: "See this time alone" }).click();
  const { period } = await state();
  expectEqual(period, [Math.floor(range[0] / 1e6), Math.ceil(range[1] / 1e6)], "range of the box");
  await page.keyboard.press("1");
  expectEqual((await state()).total, sum(within(inNs(period))), "flame graph of that time");
  await page.goBack();
  await page.goBack();
  expectEqual([(await state()).view, (await state()).period], ["chart", null], "back, twice");
});

test("a view is the same from its address", async () => {
  for (const fragment of ["w=20-120", "w=20-120&b=130-170&v=w", "m=chart&h=2", "m=chart&w=10-110&r=0.1_0.3",
    "m=sandwich&c=2&w=5-100", "v=ilf&w=3-99&s=fib", "v=t&w=0-50&b=60-90&t=0&v=x", "w=40-150&z=2"]) {
    await goTo(fragment);
    const left = kept(await state()), address = page.url();
    expect(left.view !== "graph" || left.period, `${fragment} is not taken`);
    await page.goto("about:blank");
    await page.goto(address);
    await page.waitForFunction(() => window.pyrometer);
    expectEqual(kept(await state()), left, fragment);
  }
});

test("an address that makes no sense shows the whole run", async () => {
  for (const fragment of ["w=9-3", "w=-4-5", "w=1e9-2e9", "w=a-b&b=x", "m=nothing", "h=77&w=1.5-2"]) {
    await goTo(fragment);
    const { view, period, against, total } = await state();
    expectEqual([view, period, against, total], ["graph", null, null, sum(within([0, Infinity]))], fragment);
  }
});

test("source in the tooltip, where it was captured", async () => {
  await goTo("v=l");
  const line = (wanted) => page.evaluate((at) => {
    const id = window.pyrometer.nodes("fib").find((node) => window.pyrometer.node(node).line === at
      && window.pyrometer.rect(node)?.width > 3);
    return window.pyrometer.rect(id);
  }, wanted);
  for (const [number, source] of [[6, "return fib(n - 1) + fib(n - 2)"], [5, "return n  # </script>"]]) {
    const at = await line(number);
    await page.mouse.move(at.x + at.width / 2, at.y + 8);
    await page.mouse.move(at.x + at.width / 2, at.y + 9);
    expectEqual(await text("#tip .code"), source, `line ${number}`);
  }
});

test("columns and rows of the map fit, whatever the run's length", () => {
  const source = readFileSync(join(HERE, "../../exporters/flamegraph/time.js"), "utf8");
  const gridOf = vm.runInNewContext(`${source}; gridOf`);
  for (const width of [1e5, 2e6, 5e8, 1e10]) {
    for (let buckets = 1; buckets < 70_000; buckets = Math.ceil(buckets * 1.3)) {
      const { column, row, columns, rows } = gridOf({ width, count: buckets }, 200, 30);
      expect(columns <= 200 && columns * column >= buckets, `${columns} columns of ${column} for ${buckets}`);
      expect(rows <= 30 && rows * row === column, `${rows} rows of ${row} in ${column}`);
    }
  }
});

test("200,000 stacks over hours: opens, has the right sums, and shows any range", async () => {
  const stacks = 200_000, functions = 20_000, buckets = 40_000, cells = 250_000;
  const numbers = (count, of) => Array.from({ length: count }, (_, i) => of(i));
  const inner = numbers(2000, (i) => 1 + Math.floor(i / 7)); // nodes that have no time of their own
  const parent = [...inner.map((_, i) => Math.floor(i / 7)), ...numbers(stacks, (i) => 1 + ((i * 7) % 2000))];
  const leaf = (i) => 2001 + ((i * 7919) % stacks);
  const counted = new Float64Array(stacks + 2001);
  const spans = [];
  let last = 0, bucketOf = -1, header = 0;
  for (let i = 0; i < cells; i++) {
    const bucket = Math.floor((i * buckets) / cells), node = leaf(i);
    if (bucket !== bucketOf) {
      spans.push(bucket - bucketOf - 1, 1, 0);
      header = spans.length - 1;
      bucketOf = bucket;
    }
    spans[header]++;
    spans.push(node - last, 40, 0);
    last = node;
    counted[node] += 40;
  }
  const seen = numbers(stacks, (i) => 2001 + i).filter((node) => counted[node]);
  const file = pageWith(html, {
    strings: ["", ...numbers(functions, (i) => `package_${i % 97}.module.Class.method_${i}`), "/srv/app/main.py"],
    functions: { name: numbers(functions, (i) => i + 1), file: numbers(functions, () => functions + 1),
      line: numbers(functions, (i) => i + 1) },
    frames: { function: numbers(functions, (i) => i + 1), line: numbers(functions, (i) => i + 2),
      kind: numbers(functions, () => 0) },
    nodes: { parent, frame: parent.map((_, i) => 1 + ((i * 31 + Math.floor(i / 2000)) % functions)) },
    threads: { name: [0], tid: [1], pid: [1] },
    selves: { thread: seen.map(() => 1), node: seen, samples: seen.map((node) => counted[node]),
      weight_ns: seen.map((node) => counted[node] * 1e6) },
    timeline: { width_ns: 2e8, count: buckets, fold_ns: 0, small: [], spans: [spans] },
  }, "hours");
  expect(inner.length + stacks === parent.length, "nodes");
  const other = await openGraph(context, file);
  const now = () => other.page.evaluate(() => window.pyrometer.state);
  expectEqual([(await now()).nodes > stacks, (await now()).samples], [true, cells * 40], "nodes, samples");
  await keepPicture(other.page, "time-hours");
  await other.page.evaluate(() => { location.hash = "w=10000-20000"; });
  await other.page.waitForFunction(() => window.pyrometer.state.period);
  expectEqual((await now()).samples, (cells * 40) / 4, "a quarter of it");
  await other.page.keyboard.press("2");
  expectEqual((await now()).view, "chart", "chart");
  await keepPicture(other.page, "time-hours-chart");
  expectEqual(other.complaints, [], "complaints");
  await other.page.close();
});

test("nothing was asked for, and nothing went wrong", () => {
  expectEqual([complaints, requests.filter((url) => !url.startsWith("file:") && url !== "about:blank")], [[], []],
    "complaints, requests");
});

cleanup(() => page?.close());
await finish();
