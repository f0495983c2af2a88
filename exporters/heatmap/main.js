// What is chosen, how it changes, and how the address keeps it.

const profile = decodeHeat(JSON.parse($("pyrometer-data").textContent));
const state = { file: null, fn: null, line: 0, by: "self", hotOnly: false, query: "", matching: null,
  literal: false, list: "files", pointed: null };

const source = makeSource({ box: $("lines"), focus: $("lines"), map: $("map"), state, pick: pickLine });
const files = makeFiles({ profile, state, open: openFile });
const functions = makeFunctions({ profile, state, open: openFunction });

const HINT = $("detail").textContent;

// --- Changes.

// What is named show... leaves the address alone; what is named otherwise is a step in it, or saved.
function showInSource(file) {
  if (state.file !== file) {
    state.file = file;
    state.line = 0;
    state.pointed = null;
    source.show();
    showFile();
    if (file) source.reveal(hottestLine(file, state.by));
  }
  files.redraw();
}

function openFile(file) {
  const [hottest] = file.functions.slice().sort((a, b) => b[state.by] - a[state.by]);
  if (hottest) setFunction(hottest);
  showInSource(file);
  save(true);
}

// Which file is open, into the line above the source.
function showFile() {
  const { file } = state;
  $("path").textContent = file ? clip(visible(file.path), 300) : "No file with samples";
  $("path").title = file ? clip(visible(file.path), 400) : "";
  $("about-file").textContent = file ? `${share(file.self, profile.samples)} self, ${
    share(file.total, profile.samples)} total${file.text ? "" : ", no source was recorded"}` : "";
}

function setFunction(fn) {
  state.fn = fn;
  state.pointed = null;
  showFunction({ profile, state, open: openFunction, point });
  functions.redraw();
}

function openFunction(fn) {
  setFunction(fn);
  if (fn.file.id) showInSource(fn.file);
  const line = bestLine(fn, state.by);
  if (line && fn.file.id) showLine(line);
  source.redraw();
  save(true);
}

function showLine(line) {
  state.line = line;
  if (!source.has(line) && state.hotOnly) showHot(false);
  source.reveal(line);
}

function pickLine(line) {
  state.line = line;
  const fn = functionAt(state.file, line);
  if (fn && fn !== state.fn) setFunction(fn);
  source.redraw();
  save();
}

// An instruction is pointed at: its source is marked, and with `go` brought into sight.
function point(row, go) {
  if (row === (state.pointed && state.pointed.row) && !go) return;
  state.pointed = row ? { row, file: state.fn.file } : null;
  $("detail").textContent = row ? clip(sayInstruction(row), 400) : HINT;
  if (row && go && row.line) {
    if (state.file !== state.fn.file) showInSource(state.fn.file);
    if (!source.has(row.line) && state.hotOnly) showHot(false);
    source.reveal(row.line);
  }
  source.redraw();
}

function showHot(on) {
  state.hotOnly = on;
  $("hot").setAttribute("aria-pressed", on);
  source.show();
  if (state.line) source.reveal(state.line);
}

function setHotOnly(on) {
  showHot(on);
  save();
}

function setBy(by) {
  state.by = by;
  showChoices();
  files.show();
  functions.show();
  source.redraw();
  save();
}

function showList(list) {
  state.list = list;
  $("files").hidden = list !== "files";
  $("functions").hidden = list !== "functions";
  showChoices();
  (list === "files" ? files : functions).redraw();
}

function setList(list) {
  showList(list);
  save();
}

function showChoices() {
  for (const button of document.querySelectorAll("[data-set]"))
    button.setAttribute("aria-pressed", state[button.dataset.set] === button.dataset.value);
}

let typed = 0; // timer

function showFound(query) {
  state.query = query;
  [state.matching, state.literal] = query ? pattern(query) : [null, false];
  const found = [files.show(), functions.show()];
  $("found").textContent = query ? `${several(found[0], "file")}, ${several(found[1], "function")}` : "";
  $("found").classList.toggle("literal", state.literal);
  source.redraw();
}

// Looks for `query`, after a moment without typing unless it is wanted `now`.
function search(query, now) {
  clearTimeout(typed);
  const run = () => {
    showFound(query);
    save();
  };
  if (now) run();
  else typed = setTimeout(run, 60);
}

// The next hot line of the file, or the one before.
function toHot(step) {
  if (!state.file || !state.file.hot.length) return;
  const { hot } = state.file;
  const beyond = step > 0 ? hot.find((line) => line > state.line)
    : hot.filter((line) => line < (state.line || Infinity)).pop();
  const line = beyond ?? (step > 0 ? hot[0] : hot[hot.length - 1]);
  pickLine(line);
  source.reveal(line);
}

function chooseTheme(dark) {
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  source.redraw();
  try {
    localStorage.setItem("pyrometer-theme", dark ? "dark" : "light");
  } catch { /* not remembered */ }
}
const isDark = () => document.documentElement.dataset.theme === "dark";

// --- The address keeps the view.

let written = null;

function save(step) {
  const parts = [];
  const add = (name, value) => { if (value) parts.push(`${name}=${encodeURIComponent(value)}`); };
  add("f", state.file ? state.file.id : 0);
  add("l", state.line);
  add("fn", state.fn ? state.fn.id : 0);
  add("v", (state.hotOnly ? "h" : "") + (state.by === "total" ? "t" : "") + (state.list === "functions" ? "f" : ""));
  add("s", state.query);
  const hash = `#${parts.join("&")}`;
  if (hash === written) return;
  try {
    if (step && written !== null) history.pushState(null, "", hash);
    else history.replaceState(null, "", hash);
  } catch { /* too many changes a second, or a page without an address */ }
  written = hash;
}

function restore() {
  const get = {};
  for (const part of location.hash.slice(1).split("&")) {
    const [name, value = ""] = part.split("=");
    try {
      get[name] = decodeURIComponent(value);
    } catch { /* a broken address: that part is left out */ }
  }
  const { f = "", l = "", fn = "", v = "", s = "" } = get;
  Object.assign(state, { hotOnly: v.includes("h"), by: v.includes("t") ? "total" : "self",
    list: v.includes("f") ? "functions" : "files" });
  $("hot").setAttribute("aria-pressed", state.hotOnly);
  $("query").value = s;
  showFound(s);
  showList(state.list);
  const wanted = profile.functions.find(({ id }) => id === Number(fn));
  const hottest = profile.functions.filter((each) => each.file.id).sort((a, b) => b.self - a.self)[0];
  const file = profile.files.find(({ id }) => id === Number(f));
  setFunction(wanted || hottest || null);
  state.file = null; // so that it is shown anew
  showInSource(file || (state.fn && state.fn.file.id ? state.fn.file : profile.files[0] || null));
  const line = Math.floor(Number(l)) || (state.fn && state.fn.file === state.file ? bestLine(state.fn, state.by) : 0);
  if (state.file && line > 0 && line <= state.file.length) showLine(line);
  source.redraw();
  showFile();
  save();
}

// --- Keys and buttons. One row each: keys, what they do (shown in the help), and the deed.

const KEYS = [
  ["/, Ctrl+F", "search", ["/"], () => $("query").select()],
  ["n, N", "next, previous hot line", ["n", "N"], (key) => toHot(key === "n" ? 1 : -1)],
  ["h", "only hot lines, or all", ["h"], () => setHotOnly(!state.hotOnly)],
  ["b", "heat by self or by total", ["b"], () => setBy(state.by === "self" ? "total" : "self")],
  ["f", "files or functions", ["f"], () => setList(state.list === "files" ? "functions" : "files")],
  ["d", "light or dark", ["d"], () => chooseTheme(!isDark())],
  ["?", "this help", ["?"], () => $("keys").showModal()],
  ["↑ ↓ Enter", "in a list: move, open", [], () => {}],
];

addEventListener("keydown", (e) => {
  if ($("keys").open) return;
  if ((e.ctrlKey || e.metaKey) && e.key.toLowerCase() === "f" && e.target !== $("query")) {
    e.preventDefault();
    $("query").select();
  } else if (e.key === "Escape") {
    if ($("query").value) search($("query").value = "", true);
    $("lines").focus();
  } else if (!(e.target instanceof HTMLInputElement) && !e.ctrlKey && !e.metaKey && !e.altKey) {
    const row = KEYS.find((key) => key[2].includes(e.key));
    if (!row) return;
    e.preventDefault();
    row[3](e.key);
  }
});

for (const button of document.querySelectorAll("[data-set]"))
  button.addEventListener("click", () => {
    if (button.dataset.set === "by") setBy(button.dataset.value);
    else setList(button.dataset.value);
  });
$("query").addEventListener("input", () => search($("query").value));
$("hot").addEventListener("click", () => setHotOnly(!state.hotOnly));
$("theme").addEventListener("click", () => chooseTheme(!isDark()));
$("help").addEventListener("click", () => $("keys").showModal());
$("keylist").append(...KEYS.flatMap(([keys, text]) => [element("dt", "", keys), element("dd", "", text)]));
addEventListener("hashchange", () => { if (location.hash !== written) restore(); });
addEventListener("popstate", () => { if (location.hash !== written) restore(); });

showRun(profile);
restore();

// For tests and for the curious: a look at the state, nothing to change it with.
window.pyrometer = Object.freeze({
  get state() {
    const { file, fn, line, by, hotOnly, query, literal, list, pointed } = state;
    return { file: file && file.path, fn: fn && fn.name, line, by, hotOnly, query, literal, list,
      pointed: pointed && pointed.row.offset, samples: profile.samples, dark: isDark(),
      shown: source.shown.length };
  },
  files: () => files.rows.map(({ group, folder, file }) => (file
    ? { file: file.path, self: file.self, total: file.total } : { group, folder })),
  // Of the function: callers and callees with counts, and its bytecode.
  get about() {
    const { fn } = state, calls = (list) => list.map(({ fn: { name }, total }) => [name, total]);
    return fn && { callers: calls(fn.callers), callees: calls(fn.callees),
      bytecode: fn.codes.map(({ rows }) => rows.map(({ offset, opcode, base, samples }) =>
        ({ offset, opcode, base, samples }))) };
  },
  functions: () => functions.rows.map(({ name, self, total }) => ({ name, self, total })),
});
