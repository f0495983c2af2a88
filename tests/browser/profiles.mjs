// Profiles to look at, and what collapsed stacks, our simplest format, say about them.

import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BOUND_MS, PYROMETER, Skip, expect, expectEqual, scratchFolder } from "./lib.mjs";

/** Profiles a Python program with these options; returns the files, one for each extension. */
export function realRun(program, options, extensions) {
  if (!existsSync(PYROMETER)) {
    throw new Skip(`${PYROMETER} was not built`);
  }
  const folder = scratchFolder();
  const source = join(folder, "program.py");
  const files = extensions.map((extension) => join(folder, `real${extension}`));
  writeFileSync(source, program);
  const outputs = files.flatMap((file) => ["-o", file]);
  const command = ["run", ...options, ...outputs, "--", "python3", source];
  const { status, stderr } = spawnSync(PYROMETER, command, { encoding: "utf8", timeout: BOUND_MS });
  expectEqual(status, 0, `pyrometer ${command.join(" ")}: exit status, after "${stderr}"`);
  return files;
}

/** A name as it stands in collapsed stacks. */
export function escaped(name) {
  return name
    .replaceAll("\n", "\\n").replaceAll("\r", "\\r").replaceAll("\t", "\\t")
    .replace(/[\u0000-\u001f\u007f;]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`)
    .replace(/[\u0080-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g,
      (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** "FUNC (FILE)", as functionKey() has it, of the frame "FUNC (FILE:LINE)". */
const withoutLine = (frame) => frame.replace(/:\d+\)$/, ")");
export const functionKey = (name, file) => escaped(file ? `${name} (${file})` : name);

/** The threads of a file of collapsed stacks: by "process NAME (PID);thread NAME (TID)", how many
 *  samples each has, and how many each function has on top (self) and anywhere (total). */
export function readCollapsed(file) {
  const threads = new Map();
  for (const line of readFileSync(file, "utf8").trimEnd().split("\n")) {
    const end = line.lastIndexOf(" ");
    const count = Number(line.slice(end + 1));
    const [process, thread, ...frames] = line.slice(0, end).split(";");
    const key = `${process};${thread}`;
    if (!threads.has(key)) {
      threads.set(key, { samples: 0, functions: new Map() });
    }
    add(threads.get(key), frames.map(withoutLine), count);
  }
  expect(threads.size > 0, `${file}: no threads`);
  return threads;
}

function add(thread, stack, count) {
  thread.samples += count;
  for (const name of new Set(stack)) {
    const entry = thread.functions.get(name) ?? { self: 0, total: 0 };
    entry.self += stack.at(-1) === name ? count : 0;
    entry.total += count;
    thread.functions.set(name, entry);
  }
}

/** "process NAME (PID);thread NAME (TID)" */
export const threadKey = (process, pid, thread, tid) =>
  `${escaped(`process ${process} (${pid})`)};${escaped(`thread ${thread} (${tid})`)}`;

/** The threads of what another program read out of our file against those of collapsed stacks. A
 *  thread is {key, samples, functions: [{key, self, total}]}. */
export function expectThreads(found, wanted) {
  expectEqual(found.map(({ key }) => key).sort(), [...wanted.keys()].sort(), "threads");
  for (const thread of found) {
    const { samples, functions } = wanted.get(thread.key);
    expectEqual(thread.samples, samples, `${thread.key}: samples`);
    const rows = merged(thread.functions);
    // Of functions that look the same there, how many samples have any of them cannot be known here.
    const row = ([key, { self, total, count }]) => `${key} self ${self}` + (count > 1 ? "" : ` total ${total}`);
    const wantedRow = ([key, entry]) => row([key, { ...entry, count: rows.get(key)?.count }]);
    expectEqual([...rows].map(row).sort(), [...functions].map(wantedRow).sort(), `${thread.key}: functions`);
  }
}

function merged(functions) {
  const rows = new Map();
  for (const { key, self, total } of functions) {
    const row = rows.get(key) ?? { self: 0, total: 0, count: 0 };
    rows.set(key, { self: row.self + self, total: row.total + total, count: row.count + 1 });
  }
  return rows;
}
