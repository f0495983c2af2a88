// What stands beside the source: the files and the hot functions, and all about one function.

const GROUPS = ["Project", "Standard library", "Packages", "Other"];

// Files under their folders under their groups, hottest first; folders without the part that is the
// same for all of a group. Rows: { group }, { folder }, { file, name }.
function fileRows(files, by) {
  const rows = [];
  GROUPS.forEach((group, family) => {
    const inside = files.filter(({ path }) => family === (path.startsWith("<") ? 3 : familyOf(path)));
    if (!inside.length) return;
    const sum = (list) => list.reduce((all, file) => all + file.self, 0);
    const shared = family === 0 ? commonFolder(inside.map(({ path }) => path)) : "";
    const folders = new Map();
    for (const file of inside) {
      const short = family === 2 ? file.path.replace(PACKAGE, "")
        : family === 1 ? file.path.replace(LIBRARY, "") : file.path.slice(shared.length);
      const folder = short.slice(0, short.lastIndexOf("/") + 1);
      if (!folders.has(folder)) folders.set(folder, []);
      folders.get(folder).push({ file, name: short.slice(folder.length) || short });
    }
    rows.push({ group, self: sum(inside) });
    const hottest = (list) => Math.max(...list.map(({ file }) => file[by]));
    for (const [folder, list] of Array.from(folders).sort((a, b) => hottest(b[1]) - hottest(a[1]))) {
      if (folder) rows.push({ folder, self: sum(list.map(({ file }) => file)) });
      list.sort((a, b) => b.file[by] - a.file[by]);
      rows.push(...list.map((row) => ({ ...row, inFolder: Boolean(folder) })));
    }
  });
  return rows;
}

const placeOf = (fn) => `${fn.file.path || ""}${fn.line ? `:${fn.line}` : ""}`;
const shortPlace = (fn) => `${visible(fn.file.path.slice(fn.file.path.lastIndexOf("/") + 1))}${
  fn.line ? `:${fn.line}` : ""}`;

// A bar behind a number: how much of the whole that is.
function cell(value, whole) {
  const out = element("span", "num"), bar = element("i");
  bar.style.width = `${whole ? (100 * value) / whole : 0}%`;
  out.append(bar, element("b", "", value ? share(value, whole) : ""));
  return out;
}

function makeFiles({ profile, state, open }) {
  let rows = [];
  const list = makeList({
    box: $("files"), focus: $("files"), height: 24, role: "option",
    build: () => element("div", "row"),
    fill(row, index) {
      const it = rows[index];
      row.className = `row ${it.group ? "group" : it.folder ? "folder" : "file"}${
        it.inFolder ? " deep" : ""}${index === list.current ? " current" : ""}`;
      row.setAttribute("aria-selected", Boolean(it.file) && it.file === state.file);
      const title = it.group || visible(it.folder || it.name);
      row.replaceChildren(element("span", "name", clip(title, 300)),
        it.file ? cell(it.file[state.by], profile.samples)
          : element("b", "dim", it.self ? share(it.self, profile.samples) : ""));
      row.title = it.file ? clip(visible(it.file.path), 400) : "";
    },
    act: (index) => rows[index].file && open(rows[index].file),
  });
  return {
    get rows() { return rows; },
    redraw: list.draw,
    show() {
      const wanted = profile.files.filter((file) => (file.self || file.total)
        && (!state.matching || state.matching.test(file.path)
          || file.functions.some((fn) => state.matching.test(fn.name))));
      rows = fileRows(wanted, state.by);
      list.resize(rows.length);
      return wanted.length;
    },
  };
}

function makeFunctions({ profile, state, open }) {
  let rows = [];
  const list = makeList({
    box: $("functions"), focus: $("functions"), height: 38, role: "option",
    build: () => element("div", "row"),
    fill(row, index) {
      const fn = rows[index], text = element("span", "name");
      text.append(element("span", "title", clip(visible(fn.name), 300)),
        element("span", "dim", shortPlace(fn)));
      row.className = `row function${index === list.current ? " current" : ""}`;
      row.setAttribute("aria-selected", fn === state.fn);
      row.replaceChildren(text, cell(fn[state.by], profile.samples));
      row.title = clip(`${visible(fn.name)} (${visible(placeOf(fn))})`, 400);
    },
    act: (index) => open(rows[index]),
  });
  return {
    get rows() { return rows; },
    redraw: list.draw,
    show() {
      rows = profile.functions.filter((fn) => fn[state.by] && (!state.matching
        || state.matching.test(fn.name) || state.matching.test(fn.file.path)))
        .sort((a, b) => b[state.by] - a[state.by]);
      list.resize(rows.length);
      return rows.length;
    },
  };
}

const MOST_CALLS = 200; // of a function are listed

function callList(calls, whole, none, open) {
  const list = element("div", "calls");
  if (!calls.length) list.append(element("p", "dim", none));
  for (const { fn, total } of calls.slice(0, MOST_CALLS)) {
    const button = element("button", "call");
    const text = element("span", "name");
    text.append(element("span", "title", clip(visible(fn.name), 300)), element("span", "dim", shortPlace(fn)));
    button.append(text, element("b", "", count(total)), cell(total, whole));
    button.title = clip(`${visible(fn.name)} (${visible(placeOf(fn))}): ${several(total, "sample")}`, 400);
    button.addEventListener("click", () => open(fn));
    list.append(button);
  }
  if (calls.length > MOST_CALLS)
    list.append(element("p", "dim", `and ${count(calls.length - MOST_CALLS)} more`));
  return list;
}

// What is said of an instruction that is pointed at.
function sayInstruction(row) {
  const forms = row.forms.map(({ opcode, samples }) => `${visible(opcode)} ${count(samples)}`);
  return [`${row.offset} ${visible(row.opcode)}${row.argument ? ` ${row.argument}` : ""}`,
    row.base !== row.opcode && `made from ${visible(row.base)}`,
    row.line && `line ${row.line}${row.column ? `, columns ${row.column} to ${row.end_column}` : ""}`,
    forms.length && `seen as ${forms.join(", ")}`].filter(Boolean).join("  ·  ");
}

// The instructions of a code object. `point(row, go)` is told of the one the pointer is on (null:
// none), and with `go` of the one that was chosen.
function makeListing(code, point) {
  const out = element("div", "listing"), box = element("div", "list");
  const head = element("div", "instruction head");
  for (const name of ["", "Instruction", "Base", "Arg", "Samples", ""]) head.append(element("span", "", name));
  const most = code.rows.reduce((all, row) => Math.max(all, row.samples), 1);
  box.id = `listing-${code.rows[0].listing.id}`;
  box.tabIndex = 0;
  box.setAttribute("role", "listbox");
  box.setAttribute("aria-label", "Instructions");
  box.style.height = `min(${code.rows.length * 18}px, 60vh)`;
  out.append(head, box);
  const list = makeList({
    box, focus: box, height: 18, role: "option",
    build: () => element("div", "row instruction"),
    fill(line, index) {
      const row = code.rows[index], heat = element("i", "heat");
      heat.style.opacity = row.samples ? 0.12 + 0.88 * Math.sqrt(row.samples / most) : 0;
      line.classList.toggle("cold", !row.samples);
      line.replaceChildren(heat, element("span", "offset", row.offset),
        element("span", row.base === row.opcode ? "opcode whole" : "opcode", visible(row.opcode)),
        element("span", "base", row.base === row.opcode ? "" : visible(row.base)),
        element("span", "argument", row.argument || ""),
        element("b", "", row.samples ? count(row.samples) : ""),
        element("span", "share", row.samples ? share(row.samples, code.samples) : ""));
    },
    act: (index) => point(code.rows[index], true),
  });
  box.addEventListener("pointermove", (e) => {
    const row = code.rows[list.indexOf(e.target)];
    if (row) point(row);
  });
  box.addEventListener("pointerleave", () => point(null));
  box.addEventListener("keydown", () => list.current >= 0 && point(code.rows[list.current], true));
  list.resize(code.rows.length);
  return out;
}

// All about state.fn into the panel.
function showFunction({ profile, state, open, point }) {
  const panel = $("detailpanel"), { fn } = state, whole = profile.samples;
  if (!fn) {
    panel.replaceChildren(element("p", "dim", "Choose a function or a line"));
    return;
  }
  const numbers = element("dl");
  for (const [name, value] of [["self", fn.self], ["total", fn.total]])
    numbers.append(element("dt", "", name), element("dd", "", `${several(value, "sample")}, ${share(value, whole)}`));
  const parts = [element("h2", "title", clip(visible(fn.name), 400)),
    element("p", "dim place", clip(visible(placeOf(fn)), 400)), numbers,
    element("h3", "", "Callers"), callList(fn.callers, fn.total, "None: it is where a thread begins", open),
    element("h3", "", "Callees"), callList(fn.callees, fn.total, "None was seen", open)];
  parts[4].id = "callers";
  parts[6].id = "callees";
  fn.codes.forEach((code, i) => {
    const of = fn.codes.length > 1 ? ` ${i + 1} of ${fn.codes.length}` : "";
    parts.push(element("h3", "", `Bytecode${of}, ${several(code.samples, "sample")}`),
      makeListing(code, point));
  });
  panel.replaceChildren(...parts);
  panel.scrollTop = 0;
}
