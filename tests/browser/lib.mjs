// What the browser tests share: TAP, a server on 127.0.0.1, Debian's Chromium, files to look at.
// A test file calls test() for each of its tests, then finish(). Tests run in that order.

import { execFileSync } from "node:child_process";
import { createReadStream, existsSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { dirname, extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

export const HERE = dirname(fileURLToPath(import.meta.url));
export const PYROMETER = process.env.PYROMETER || join(HERE, "../../build/pyrometer");
// No wait of a test is longer, however slow the machine: what takes longer is hanging.
export const BOUND_MS = 120_000;

const tests = [];
const cleanups = [];

export class Skip extends Error {}

export function test(name, run) {
  tests.push({ name, run });
}

/** `undo` is called after all tests, the newest first. */
export function cleanup(undo) {
  cleanups.unshift(undo);
}

export function expectEqual(found, wanted, what) {
  const texts = [found, wanted].map((value) => JSON.stringify(value, null, 1));
  if (texts[0] !== texts[1]) {
    throw new Error(`${what}:\n  found  ${texts[0]}\n  wanted ${texts[1]}`);
  }
}

export function expect(condition, what) {
  if (!condition) {
    throw new Error(what);
  }
}

async function outcome(run) {
  try {
    await run();
    return { word: "ok", note: "", lines: [] };
  } catch (error) {
    if (error instanceof Skip) {
      return { word: "ok", note: ` # SKIP ${error.message}`, lines: [] };
    }
    return { word: "not ok", note: "", lines: String(error.stack || error).split("\n") };
  }
}

/** Runs the tests, prints TAP, cleans up, and sets the exit status. */
export async function finish() {
  console.log(`1..${tests.length}`);
  for (const [index, { name, run }] of tests.entries()) {
    const { word, note, lines } = await outcome(run);
    console.log(`${word} ${index + 1} - ${name}${note}`);
    lines.forEach((line) => console.log(`# ${line}`));
    if (word !== "ok") {
      process.exitCode = 1;
    }
  }
  for (const undo of cleanups) {
    await undo();
  }
}

export function scratchFolder() {
  const folder = mkdtempSync(join(tmpdir(), "pyrometer-browser-"));
  cleanup(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** The one beside the pyrometer that is tested; the newest one when none is named. */
function fixedTraceProgram() {
  const build = join(HERE, "../../build");
  const folders = process.env.PYROMETER
    ? [dirname(PYROMETER)]
    : readdirSync(build).map((name) => join(build, name));
  const programs = folders.map((folder) => join(folder, "tests/make_trace")).filter(existsSync);
  expect(programs.length > 0, `no tests/make_trace in ${folders.join(", ")}: make programs`);
  return programs.reduce((a, b) => (statSync(a).mtimeMs >= statSync(b).mtimeMs ? a : b));
}

/** Writes the fixed trace (tests/golden/make_trace.c) in every format; returns the folder. */
export function writeFixedTrace() {
  const program = fixedTraceProgram();
  const folder = scratchFolder();
  execFileSync(program, [folder], { stdio: ["ignore", "ignore", "inherit"] });
  return folder;
}

const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".json": "application/json" };

/** Serves the files below folders, {"/prefix/": folder}, on 127.0.0.1; returns the origin. */
export async function serve(folders) {
  const server = createServer((request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url, "http://127.0.0.1").pathname));
    const prefix = Object.keys(folders).find((start) => path.startsWith(start));
    const file = prefix && join(folders[prefix], path.slice(prefix.length));
    if (!file || !existsSync(file)) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { "Content-Type": TYPES[extname(file)] || "application/octet-stream" });
    createReadStream(file).pipe(response);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanup(() => server.close());
  return `http://127.0.0.1:${server.address().port}`;
}

// Nothing but 127.0.0.1 can be reached: a page that wants more than we serve fails here too.
const FLAGS = [
  "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--disable-gpu",
  "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
];

/** A browser with a profile folder of its own; `flags` are added to ours. */
export async function openBrowser(flags = []) {
  const context = await chromium.launchPersistentContext(scratchFolder(), {
    executablePath: "/usr/bin/chromium",
    headless: true,
    timeout: BOUND_MS,
    args: [...FLAGS, ...flags],
  });
  cleanup(() => context.close());
  context.setDefaultTimeout(BOUND_MS);
  return context;
}

/** A new page, and the list of what goes wrong in it: errors, failed requests, alerts. */
export async function openPage(context) {
  const page = await context.newPage();
  const complaints = [];
  page.on("console", (message) => {
    if (message.type() === "error") {
      complaints.push(`console: ${message.text()}`);
    }
  });
  page.on("pageerror", (error) => complaints.push(`exception: ${error.message}`));
  page.on("requestfailed", (request) => complaints.push(`request failed: ${request.url()}`));
  page.on("dialog", (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  return { page, complaints };
}
