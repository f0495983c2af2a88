// Our Chrome traces: by the rules that Perfetto and DevTools have for them, and in the trace engine
// of the DevTools that Chromium brings. What comes out is compared with collapsed stacks.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Skip, expect, expectEqual, finish, openBrowser, openPage, test, writeFixedTrace } from "./lib.mjs";
import { expectThreads, functionKey, readCollapsed, realRun, threadKey } from "./profiles.mjs";

const DEVTOOLS = "devtools://devtools/bundled/";
const TIDS = 2 ** 22; // a second thread of the same id is so much further on
let folder, fixed, real, realCollapsed; // made by the first tests

const read = (file) => JSON.parse(readFileSync(file, "utf8"));
const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);
const endOf = ({ ts, dur }) => ts + dur;

function groupBy(rows, keyOf) {
  const groups = new Map();
  for (const row of rows) {
    const key = keyOf(row);
    groups.get(key)?.push(row) ?? groups.set(key, [row]);
  }
  return groups;
}

// --- The rules -----------------------------------------------------------------------------------

function checkEvent(event) {
  const { ph, pid, tid, name, cat, ts, dur, args } = event;
  const what = JSON.stringify(event);
  expect(["M", "X", "b", "e"].includes(ph), `kind: ${what}`);
  expect(Number.isInteger(pid) && Number.isInteger(tid) && typeof name === "string", `whose: ${what}`);
  expect(ph === "M" || (ts > 0 && typeof cat === "string"), `when: ${what}`);
  expect(ph !== "X" || (dur >= 0 && args.samples >= args.self && args.self >= 0), `how long: ${what}`);
}

/** A track's slices as the viewers nest them: [{slice, children}]. */
function nest(slices, what) {
  const roots = [];
  const open = [];
  const sorted = [...slices].sort((a, b) => a.ts - b.ts || b.dur - a.dur); // equal ones stay in their order
  for (const slice of sorted) {
    while (open.length && endOf(open.at(-1).slice) <= slice.ts) {
      open.pop();
    }
    const node = { slice, children: [] };
    expect(!open.length || endOf(slice) <= endOf(open.at(-1).slice), `${what}: overlaps ${JSON.stringify(slice)}`);
    (open.at(-1)?.children ?? roots).push(node);
    open.push(node);
  }
  return roots;
}

/** States: a "b" and an "e" of each, on a track that category, id and name make. */
function checkStates(events) {
  for (const [track, ends] of groupBy(events, ({ cat, id, name }) => `${cat} ${id} ${name}`)) {
    ends.forEach(({ ph, ts }, i) => {
      expectEqual(ph, i % 2 ? "e" : "b", `${track}: event ${i}`);
      expect(i === 0 || ts >= ends[i - 1].ts, `${track}: goes back in time`);
    });
    expect(ends.length % 2 === 0, `${track}: no end`);
  }
}

// --- Threads as expectThreads() wants them -------------------------------------------------------

function nameOf(events, fact, pid, tid) {
  const found = events.filter((event) => (
    event.ph === "M" && event.name === fact && event.pid === pid && (tid === null || event.tid === tid)));
  expect(found.length > 0, `no ${fact} of ${pid} ${tid}`);
  return found[0].args.name;
}

/** Samples by function; `above` are the functions that a node was called by. */
function count(nodes, above, functions) {
  for (const { slice, children } of nodes) {
    const key = functionKey(slice.name, slice.args.file);
    const id = `${key} ${slice.args.line}`;
    const entry = functions.get(id) ?? { key, self: 0, total: 0 };
    const below = sum(children.map((child) => child.slice.args.samples));
    expectEqual(slice.args.self, slice.args.samples - below, `${key}: samples on top`);
    entry.self += slice.args.self;
    entry.total += above.includes(id) ? 0 : slice.args.samples;
    functions.set(id, entry);
    count(children, [...above, id], functions);
  }
  return functions;
}

/** `tracks`: [{pid, tid, roots}] */
function threadsOf(events, tracks) {
  return tracks.map(({ pid, tid, roots }) => {
    const names = [nameOf(events, "process_name", pid, null), pid, nameOf(events, "thread_name", pid, tid), tid % TIDS];
    const functions = [...count(roots, [], new Map()).values()];
    return { key: threadKey(...names), samples: sum(functions.map(({ self }) => self)), functions };
  });
}

function tracksOf(events) {
  const slices = groupBy(events.filter(({ ph }) => ph === "X"), ({ pid, tid }) => `${pid} ${tid}`);
  return [...slices].map(([what, rows]) => ({ pid: rows[0].pid, tid: rows[0].tid, roots: nest(rows, what) }));
}

function checkFile(file, collapsed) {
  expect(readFileSync(file, "utf8").startsWith('{"'), "Perfetto knows the format by how it starts");
  const { traceEvents } = read(file);
  traceEvents.forEach(checkEvent);
  checkStates(traceEvents.filter(({ ph }) => ph === "b" || ph === "e"));
  expectThreads(threadsOf(traceEvents, tracksOf(traceEvents)), readCollapsed(collapsed));
}

// --- DevTools ------------------------------------------------------------------------------------

/** In DevTools' page: its tracks with its own trees, as JSON; "null" where its engine is not the one
 *  we know. */
async function devtoolsTracks([base, events]) {
  const engine = await import(`${base}models/trace/trace.js`).catch(() => null);
  const model = engine?.TraceModel?.Model?.createWithAllHandlers?.();
  await model?.parse?.(events, {});
  const parsed = model?.parsedTrace?.(0);
  const processes = (parsed?.data ?? parsed)?.Renderer?.processes;
  if (!processes) {
    return "null";
  }
  const plain = (node) => ({ slice: node.entry, children: node.children.map(plain) });
  const tracks = [...processes].flatMap(([pid, { threads }]) => [...threads].map(([tid, { tree }]) => (
    { pid, tid, roots: [...tree.roots].map(plain) })));
  return JSON.stringify(tracks);
}

async function devtoolsView(traceEvents) {
  const { page } = await openPage(await openBrowser());
  await page.goto(`${DEVTOOLS}devtools_app.html?panel=timeline`).catch((error) => {
    throw new Skip(`this Chromium shows no DevTools: ${error.message}`);
  });
  const tracks = JSON.parse(await page.evaluate(devtoolsTracks, [DEVTOOLS, traceEvents]));
  if (!tracks) {
    throw new Skip("the trace engine of this Chromium's DevTools is not the one we know");
  }
  return tracks;
}

async function checkInDevtools(file, collapsed) {
  const { traceEvents } = read(file);
  const tracks = await devtoolsView(traceEvents);
  expectThreads(threadsOf(traceEvents, tracks.filter(({ roots }) => roots.length)), readCollapsed(collapsed));
}

// --- Tests -----------------------------------------------------------------------------------------

const PROGRAM = `
import threading, time
def spin(end):
    while time.monotonic() < end: sum(range(100))
def recurse(end, depth):
    return spin(end) if depth == 0 else recurse(end, depth - 1)
end = time.monotonic() + 1.5
thread = threading.Thread(target=recurse, args=(end, 5), name="diver")
thread.start()
while time.monotonic() < end: time.sleep(0.001)
thread.join()
`;

test("fixed trace: by the rules, and with the counts of the collapsed stacks", () => {
  folder = writeFixedTrace();
  fixed = join(folder, "chrome.trace.json");
  checkFile(fixed, join(folder, "collapsed.collapsed"));
});

test("fixed trace: times are true", () => {
  const slices = read(fixed).traceEvents.filter(({ ph }) => ph === "X");
  // make_trace.c: a sample is 1 ms, and the first is of 0 ms to 1 ms.
  slices.forEach((slice) => expectEqual(slice.dur, slice.args.samples * 1000, `${slice.name} at ${slice.ts}`));
  expectEqual(Math.min(...slices.map(({ ts }) => ts)), 1, "start");
  expectEqual(Math.max(...slices.map(endOf)), 197001, "end");
});

test("fixed trace: states are tracks of their own", () => {
  const states = read(fixed).traceEvents.filter(({ ph, pid, tid }) => ph === "b" && pid === 4242 && tid === 4242);
  const counts = [...groupBy(states, ({ name }) => name)].map(([name, rows]) => (
    [name, rows.length, sum(rows.map(({ args }) => args.samples))]));
  expectEqual(counts.sort(), [
    ["4242 collects garbage", 11, 11], ["4242 has the GIL", 3, 177], ["4242 on CPU", 3, 177],
  ], "states of the main thread");
});

test("fixed trace: who wants the GIL is told who held it, and where", () => {
  const waits = read(fixed).traceEvents.filter(({ ph, name }) => ph === "b" && name.endsWith(" wants the GIL"));
  expectEqual(sum(waits.map(({ args }) => args.samples)), 16, "samples");
  for (const { args } of waits) {
    expectEqual(args["held by"], args.in === "?" ? "nobody seen" : "MainThread (4242)", `who held it in ${args.in}`);
  }
  expectEqual(waits.filter(({ args }) => args.in === "?").length, 1, "times nobody was seen");
});

test("fixed trace: DevTools nests and counts the same", () => (
  checkInDevtools(fixed, join(folder, "collapsed.collapsed"))));

// make_trace.c: 20 tasks that have 42 ms to 6 ms, seven others, and one thread without tasks.
test("tasks: the heaviest have tracks of their own, the others share one", () => {
  const { traceEvents } = read(join(folder, "chrome-tasks.trace.json"));
  traceEvents.forEach(checkEvent);
  const names = traceEvents.filter(({ ph, name }) => ph === "M" && name === "thread_name");
  const track = (wanted) => names.find(({ args }) => args.name === wanted)?.tid;
  const samples = ({ roots }) => sum(roots.map(({ slice }) => slice.args.samples));
  const counts = new Map(tracksOf(traceEvents).map((of) => [of.tid, samples(of)]));
  expectEqual(counts.size, 18, "tracks");
  expectEqual(["MainThread", "MainThread: <task fetch <06>>", "MainThread: 11 other tasks", "worker"]
    .map((name) => counts.get(track(name))), [504, 42, 84, 6], "samples");
  expectEqual(sum([...counts.values()]), 504 + 504 + 6, "all tasks together");
});

test("tasks: DevTools has the same tracks", async () => {
  const file = join(folder, "chrome-tasks.trace.json");
  const { traceEvents } = read(file);
  const seen = (await devtoolsView(traceEvents)).filter(({ roots }) => roots.length);
  const told = (tracks) => tracks.map(({ tid, roots }) => [tid, roots.length]).sort(([a], [b]) => a - b);
  expectEqual(told(seen), told(tracksOf(traceEvents)), "tracks and how many outermost slices they have");
});

test("real run: by the rules, and with the counts of the collapsed stacks", () => {
  [real, realCollapsed] = realRun(PROGRAM, ["-r", "500"], [".trace.json", ".collapsed"]);
  checkFile(real, realCollapsed);
});

test("real run: DevTools nests and counts the same", () => {
  if (!real) {
    throw new Skip("there was no run");
  }
  return checkInDevtools(real, realCollapsed);
});

await finish();
