// How a page reads and says things: columns, names, numbers. Nothing here knows the screen.

// A column as it is written: differences from row to row. Ids count from 1, so index 0 is unused
// (it stands for "none", and among nodes for the root).
function column(steps, type = Int32Array) {
  const out = new type(steps.length + 1);
  for (let i = 0; i < steps.length; i++) out[i + 1] = out[i] + steps[i];
  return out;
}

// What cannot be seen, or would rearrange the text around it, is shown escaped.
const UNSEEN = /[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

function visible(text) {
  return text.replace(UNSEEN, (c) => {
    const hex = c.charCodeAt(0).toString(16);
    return hex.length < 3 ? "\\x" + hex.padStart(2, "0") : "\\u" + hex.padStart(4, "0");
  });
}

function clip(text, length) {
  if (text.length <= length) return text;
  return `${text.slice(0, length)}… (${count(text.length)} characters)`;
}

const count = (n) => Math.round(n).toLocaleString("en-US");

const several = (n, what) => `${count(n)} ${what}${n === 1 ? "" : "s"}`;

function three(x) {
  return x >= 100 ? x.toFixed(0) : x >= 10 ? x.toFixed(1) : x.toFixed(2);
}

function time(ns) {
  if (ns < 1) return "0 s";
  if (ns < 999.5) return three(ns) + " ns";
  if (ns < 999.5e3) return three(ns / 1e3) + " µs";
  if (ns < 999.5e6) return three(ns / 1e6) + " ms";
  const s = ns / 1e9;
  if (s < 119.5) return three(s) + " s";
  const two = (n) => String(n).padStart(2, "0");
  const all = Math.round(s);
  if (all < 7200) return `${Math.floor(all / 60)} min ${two(all % 60)} s`;
  return `${count(Math.floor(all / 3600))} h ${two(Math.floor(all / 60) % 60)} min`;
}

function share(part, whole) {
  const p = whole > 0 ? (100 * part) / whole : 0;
  if (p === 0) return "0 %";
  if (p < 0.01) return "<0.01 %";
  return (p >= 99.95 ? p.toFixed(0) : p >= 1 ? p.toFixed(1) : p.toFixed(2)) + " %";
}

const rate = (hz) => (hz >= 1e6 ? three(hz / 1e6) + " MHz"
  : hz >= 1e3 ? three(hz / 1e3) + " kHz" : three(hz) + " Hz");

// What is searched for, as a regular expression; the second is whether it had to be taken literally.
function pattern(query) {
  const flags = /[A-Z]/.test(query.replace(/\\./g, "")) ? "" : "i";
  try {
    return [new RegExp(query, flags), false];
  } catch {
    return [new RegExp(query.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&"), flags), true];
  }
}

// Whose code: 0 the project's, 1 the standard library's, 2 a package's, 3 none of Python's. A file's
// kind is told by its path alone.
const LIBRARY = /^.*\/(?:lib\d*|Lib)\/python\d[^/]*\//, PACKAGE = /^.*\/(?:site|dist)-packages\//;

function familyOf(file) {
  if (!file) return 3;
  if (PACKAGE.test(file)) return 2;
  return LIBRARY.test(file) || file.startsWith("<frozen") ? 1 : 0;
}

// The folder, with its slash, that all paths are in; "" when there is none.
function commonFolder(paths) {
  if (!paths.length) return "";
  let folder = paths[0].slice(0, paths[0].lastIndexOf("/") + 1);
  for (const path of paths)
    while (!path.startsWith(folder))
      folder = folder.slice(0, folder.slice(0, -1).lastIndexOf("/") + 1);
  return folder;
}
