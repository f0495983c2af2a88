// What the tests of the flame graph page share: its data read a second way, and pages of other data.

import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { BOUND_MS, PYROMETER, openPage, scratchFolder } from "./lib.mjs";

export const DATA = /(<script id="pyrometer-data" type="application\/json">)(.*?)(<\/script>)/s;

export function undoDifferences(columns) {
  return Object.fromEntries(Object.entries(columns).map(([name, steps]) => {
    let sum = 0;
    return [name, steps.map((step) => (sum += step))];
  }));
}

/** The stacks of a page's data: root first, with thread, samples and time. */
export function readStacks(json) {
  const [functions, frames, nodes, threads, selves] = ["functions", "frames", "nodes", "threads", "selves"]
    .map((table) => undoDifferences(json[table]));
  const frameOf = (id) => {
    const fn = frames.function[id - 1];
    return { fn, line: frames.line[id - 1], name: json.strings[functions.name[fn - 1]],
      file: json.strings[functions.file[fn - 1]] };
  };
  return selves.node.map((leaf, i) => {
    const stack = [];
    for (let node = leaf; node; node = nodes.parent[node - 1]) stack.unshift(frameOf(nodes.frame[node - 1]));
    return { stack, samples: selves.samples[i], time: selves.weight_ns[i],
      thread: json.strings[threads.name[selves.thread[i] - 1]], tid: threads.tid[selves.thread[i] - 1],
      pid: threads.pid[selves.thread[i] - 1],
      isBase: !!json.base && selves.thread[i] > json.base.threads_after };
  });
}

/** Self and total by function: a stack counts once, however often it is in it. */
export function expectedTable(rows) {
  const table = new Map();
  const entry = ({ fn, name }) => {
    if (!table.has(fn)) table.set(fn, { name, self: 0, total: 0 });
    return table.get(fn);
  };
  for (const { stack, time } of rows) {
    entry(stack.at(-1)).self += time;
    const seen = new Map(stack.map((frame) => [frame.fn, frame]));
    for (const frame of seen.values()) entry(frame).total += time;
  }
  return Array.from(table.values());
}

/** Opens a file (with a fragment) in a new page that does not slide. */
export async function openGraph(context, file, fragment = "") {
  const opened = await openPage(context);
  opened.requests = [];
  opened.page.on("request", (request) => opened.requests.push(request.url()));
  await opened.page.emulateMedia({ reducedMotion: "reduce", colorScheme: "light" });
  await opened.page.setViewportSize({ width: 1280, height: 720 });
  await opened.page.goto(pathToFileURL(file).href + fragment);
  await opened.page.waitForFunction(() => window.pyrometer, null, { timeout: BOUND_MS });
  return opened;
}

export const percent = (part, whole) => {
  const p = (100 * part) / whole;
  return `${p >= 99.95 || p === 0 ? p.toFixed(0) : p >= 1 ? p.toFixed(1) : p.toFixed(2)} %`;
};

/** The page with other data; columns of tables are plain numbers here, a timeline is as it is
 * written. */
export function pageWith(html, data, name) {
  const differences = (values) => values.map((value, i) => value - (i ? values[i - 1] : 0));
  const { timeline, lines, base, ...known } = JSON.parse(DATA.exec(html)[2]);
  const { timeline: asItIs, ...tables } = data;
  const out = { ...known, ...tables, timeline: asItIs };
  if (data.strings) out.run = { ...out.run, process: 0, command: 0, python: 0, mode: 0, profiler: 0 };
  for (const table of Object.keys(tables)) {
    if (!Array.isArray(data[table])) {
      out[table] = Object.fromEntries(Object.entries(data[table])
        .map(([column, values]) => [column, differences(values)]));
    }
  }
  const file = join(scratchFolder(), `${name}.html`);
  writeFileSync(file, html.replace(DATA, (_, before, __, after) => before
    + JSON.stringify(out).replace(/</g, "\\u003c") + after));
  return file;
}

/** Keeps a picture of the page beside the program that is tested, for somebody to look at. */
export async function keepPicture(page, name) {
  const folder = join(dirname(PYROMETER), "pictures");
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name}.png`) });
}
