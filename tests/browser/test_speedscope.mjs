// Our files in the real speedscope, and against the schema that comes with it.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import Ajv from "ajv";
import { BOUND_MS, expect, expectEqual, finish, openBrowser, openPage, serve, test, writeFixedTrace } from "./lib.mjs";
import { realRun } from "./profiles.mjs";

const require = createRequire(import.meta.url);
const RELEASE = join(dirname(require.resolve("speedscope/package.json")), "dist/release");

// speedscope draws with WebGL, which needs no graphics card this way.
const WEBGL = ["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"];
let fixed, context; // made by the first test

const read = (file) => JSON.parse(readFileSync(file, "utf8"));
const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);

function checkSchema(file) {
  const validate = new Ajv({ strict: false }).compile(read(join(RELEASE, "file-format-schema.json")));
  expect(validate(read(file)), JSON.stringify(validate.errors, null, 1));
  expectEqual(read(file).$schema, "https://www.speedscope.app/file-format-schema.json", "$schema");
}

// What the schema leaves open: speedscope would show nonsense, or other times than ours.
function checkNumbers(file) {
  const { profiles, shared } = read(file);
  for (const { name, samples, weights, startValue, endValue } of profiles) {
    expectEqual(samples.length, weights.length, `${name}: samples and weights`);
    expectEqual(startValue + sum(weights), endValue, `${name}: end`);
    expect(samples.flat().every((index) => shared.frames[index]), `${name}: a frame that is not there`);
  }
}

// Before the page's scripts run: keeps the roots that preact hangs on elements as `__k`.
function keepRoots() {
  window.keptRoots = [];
  Object.defineProperty(Element.prototype, "__k", {
    configurable: true,
    get: () => undefined,
    set(root) {
      Object.defineProperty(this, "__k", { value: root, writable: true, configurable: true });
      window.keptRoots.push(this);
    },
  });
}

// In the page: looks through preact's tree for the profiles that were imported. Tells of each its
// name, its weight, and the frames with their weights.
function importedProfiles() {
  const isGroup = (value) => Array.isArray(value?.profiles) && value.profiles[0]?.profile?.getTotalWeight;
  const queue = window.keptRoots.map((element) => element.__k);
  const seen = new Set(queue);
  for (const node of queue) {
    if (isGroup(node)) {
      return { name: node.name, active: node.indexToView, profiles: node.profiles.map(({ profile }) => tell(profile)) };
    }
    for (const next of Object.values(node ?? {})) {
      if (next && typeof next === "object" && !seen.has(next) && !(next instanceof Node) && next !== window) {
        seen.add(next);
        queue.push(next);
      }
    }
  }
  return null;

  function tell(profile) {
    const frames = [];
    profile.forEachFrame((frame) => {
      frames.push({
        name: frame.name, file: frame.file, line: frame.line,
        self: frame.getSelfWeight(), total: frame.getTotalWeight(),
      });
    });
    return { name: profile.getName(), unit: profile.getWeightUnit(), total: profile.getTotalWeight(), frames };
  }
}

/** The file as the viewer has it: its title and the imported group. Its table shows `functionName`. */
async function view(file, functionName) {
  const origin = await serve({ "/viewer/": RELEASE, "/file/": dirname(file) });
  const { page, complaints } = await openPage(context);
  await page.addInitScript(keepRoots);
  const url = encodeURIComponent(`/file/${basename(file)}`);
  await page.goto(`${origin}/viewer/index.html#profileURL=${url}`);
  await page.waitForFunction(() => / - speedscope$/.test(document.title), null, { timeout: BOUND_MS });
  const seen = { title: await page.title(), group: await page.evaluate(importedProfiles) };
  await page.keyboard.press("3"); // the view that is a table; the others are drawn
  await page.locator("table tr:visible", { hasText: functionName }).first().waitFor();
  expectEqual(complaints, [], "what went wrong in the page");
  await page.close();
  expect(seen.group, "the imported profiles were not found");
  return seen;
}

// What the viewer must make of the file: the weight of each function, alone and with what it calls,
// a recursive one counted once.
function expectedFrames({ samples, weights }, frames) {
  const totals = new Map();
  samples.forEach((stack, at) => {
    for (const index of new Set(stack)) {
      const entry = totals.get(index) ?? { self: 0, total: 0 };
      entry.total += weights[at];
      entry.self += stack.at(-1) === index ? weights[at] : 0;
      totals.set(index, entry);
    }
  });
  return [...totals].map(([index, weight]) => ({ ...frames[index], ...weight }));
}

const key = ({ name, file, line, self, total }) => JSON.stringify([name, file ?? null, line ?? null, self, total]);

function checkView(file, { title, group }) {
  const { name, profiles, shared } = read(file);
  expectEqual(title, `${name} - speedscope`, "title");
  expectEqual(group.name, name, "name");
  expectEqual(group.active, 0, "profile shown first");
  expectEqual(group.profiles.map((profile) => profile.name), profiles.map((profile) => profile.name), "profiles");
  group.profiles.forEach((seen, at) => {
    const wanted = profiles[at];
    expectEqual(seen.unit, "nanoseconds", `${seen.name}: unit`);
    expectEqual(seen.total, wanted.endValue - wanted.startValue, `${seen.name}: total`);
    const frames = expectedFrames(wanted, shared.frames);
    expectEqual(seen.frames.map(key).sort(), frames.map(key).sort(), `${seen.name}: functions`);
  });
}

// Two threads that are told apart by what they call.
const PROGRAM = `
import threading, time
def spin_here(end):
    while time.monotonic() < end: sum(range(100))
def wait_there(end):
    while time.monotonic() < end: time.sleep(0.001)
end = time.monotonic() + 1.5
thread = threading.Thread(target=wait_there, args=(end,), name="waiter")
thread.start()
spin_here(end)
thread.join()
`;

test("fixed trace: written, and the browser opens", async () => {
  fixed = join(writeFixedTrace(), "speedscope.speedscope.json");
  context = await openBrowser(WEBGL);
});

test("fixed trace: valid by the schema", () => checkSchema(fixed));

test("fixed trace: samples, weights and frames fit", () => checkNumbers(fixed));

test("fixed trace: the viewer shows threads, functions and times as written", async () => {
  const seen = await view(fixed, "fib");
  checkView(fixed, seen);
  expectEqual(seen.group.profiles.map(({ name }) => name), [
    "process python3 <&>; (4242) thread MainThread (4242)",
    "process python3 <&>; (4242) thread worker;1\n</script> (4250)",
    "process python3 <&>; (4242) thread ? (4250)",
    "process worker <2> (4300) thread MainThread (4300)",
  ], "threads");
});

// make_trace.c: 20 tasks that have 42 ms to 6 ms, seven others, and one thread without tasks.
test("tasks: the heaviest have profiles of their own, the others share one", async () => {
  const file = join(dirname(fixed), "speedscope-tasks.speedscope.json");
  checkSchema(file);
  checkNumbers(file);
  const seen = await view(file, "fetch");
  checkView(file, seen);
  const busy = seen.group.profiles.map(({ name, frames }) => (
    [name.replace(/^.* thread /, ""), sum(frames.map(({ self }) => self)) / 1e6]));
  expectEqual(busy.length, 18, "profiles");
  expectEqual([busy[0], busy[1], busy[16], busy[17]], [
    ["MainThread (4242)", 504], ["MainThread (4242) <task fetch <06>>", 42],
    ["MainThread (4242) 11 other tasks", 84], ["worker (4250)", 6],
  ], "profiles and their times");
  expectEqual(sum(busy.slice(1, 17).map(([, time]) => time)), 504, "all tasks together");
});

test("real run: valid, and shown with both threads", async () => {
  const [file] = realRun(PROGRAM, ["-r", "200"], [".speedscope.json"]);
  checkSchema(file);
  checkNumbers(file);
  const seen = await view(file, "spin_here");
  checkView(file, seen);
  const functions = seen.group.profiles.map(({ name, frames }) => [
    /thread (.*) \(\d+\)$/.exec(name)?.[1],
    frames.some((frame) => frame.name === "spin_here"),
    frames.some((frame) => frame.name === "wait_there"),
  ]);
  expectEqual(functions, [["MainThread", true, false], ["waiter", false, true]], "thread, spins, waits");
});

await finish();
