// What is chosen, what follows from it, how it changes, and how the address keeps it.

const profile = decodeProfile(JSON.parse($("pyrometer-data").textContent));
const names = makeNames(profile);
const amount = (value) => (profile.byTime ? time(value) : `${count(value)} samples`);

// What is chosen; kept in the address, with the threads and the zoom.
const state = { invert: false, line: false, flame: false, query: "", focus: 0, hidden: new Set() };
const trees = [null, null];   // by function, by line: made when first asked for
let tree = null;              // the call tree of these
let lineWeights = null;       // of the profile's own nodes
let totals = null, matching = null, matched = null, literal = false;
let selected = -1, mark = 0;

const graph = makeGraph({ box: $("graph"), space: $("space"), canvas: $("canvas"), names });
const threads = makeThreads({ profile, amount, changed: () => { reweigh(); save(); } });
const table = makeTable({
  profile, names, amount,
  tell(fn, how) {
    if (how === "open") searchFor(fn);
    else setMark(mark === fn ? 0 : fn);
  },
});

// --- What follows from what.

function reweigh() {
  const t = Number(state.line);
  tree = trees[t] ??= buildTree(profile, state.line);
  lineWeights = weighTree(profile, tree, threads.shown(), state.hidden);
  totals = functionTotals(profile, tree);
  if (graph.tree === tree && !state.invert && !state.focus) graph.refresh();
  else present();
  research();
  showLegend();
  showChoices();
}

// After a change of what is drawn, not of what is counted.
function reshape() {
  if (state.line !== tree.byLine) return reweigh();
  present();
  showMatched();
  showChoices();
}

function present() {
  graph.show(viewOf(tree, state.invert, state.focus), state.flame);
  select(-1);
}

// Which functions match: every distinct string is asked once.
function research() {
  matching = null;
  literal = false;
  if (state.query) {
    let regex;
    [regex, literal] = pattern(state.query);
    const known = new Int8Array(profile.strings.length);
    const hit = (id) => (known[id] ||= regex.test(profile.strings[id]) ? 1 : -1) > 0;
    matching = new Uint8Array(profile.fnName.length);
    for (let fn = 1; fn < matching.length; fn++)
      matching[fn] = hit(profile.fnName[fn]) || (profile.fnFile[fn] && hit(profile.fnFile[fn])) ? 1 : 0;
  }
  graph.mark({ match: matching });
  table.update(totals, tree.total[0], matching);
  showMatched();
}

function showMatched() {
  const found = $("found");
  found.classList.toggle("literal", literal);
  matched = null;
  found.textContent = "";
  if (!matching) return;
  const plain = graph.tree === tree;
  const weight = matchedWeight(tree, matching, plain ? graph.zoomed : 0);
  let functions = 0;
  for (let fn = 1; fn < matching.length; fn++)
    if (matching[fn] && totals.total[fn] > 0) functions++;
  matched = { ...weight, functions };
  found.textContent = `${literal ? "as text: " : ""}${share(weight.all, tree.total[0])} · ${
    count(functions)} function${functions === 1 ? "" : "s"}`;
  found.title = literal ? "Not a regular expression: searched for as text" : "";
  if (plain && graph.zoomed)
    found.title += ` ${share(weight.within, tree.total[graph.zoomed])} of the zoomed view`;
}

function showChoices() {
  for (const button of document.querySelectorAll("[data-set]"))
    button.setAttribute("aria-pressed", state[button.dataset.set] === (button.dataset.value === "1"));
  graph.rootText = `all of ${$("process").textContent}, ${amount(graph.tree.total[0])}`;
  showTrail();
}

// The way to the zoomed frame, and what else narrows the view; each can be clicked away.
function showTrail() {
  const trail = $("trail"), shown = graph.tree;
  trail.textContent = "";
  const add = (text, className, title, act) => {
    const button = element("button", className, clip(text, 120));
    button.title = title;
    button.addEventListener("click", act);
    trail.append(button);
  };
  if (state.focus)
    add(`${state.invert ? "callers of" : "calls of"} ${names.name(state.focus)} ✕`, "chip",
      "Show everything again", () => change({ focus: 0 }));
  for (const fn of state.hidden)
    add(`without ${names.name(fn)} ✕`, "chip", "Count these stacks again", () => hide(fn, false));
  let path = [];
  for (let id = graph.zoomed; id; id = shown.parent[id]) path.push(id);
  path.reverse();
  if (path.length) add("all", "", "Zoom out fully", () => zoom(0));
  if (path.length > 6) {
    const above = path[path.length - 6];
    add("…", "", "Zoom out", () => zoom(above));
    path = path.slice(-5);
  }
  for (const id of path)
    add(`› ${label(id)}`, "", names.file(shown.fn[id]), () => zoom(id));
  const [from, to] = graph.range;
  $("reset").hidden = from === 0 && to === (shown.total[0] || 1);
}

function label(id) {
  const shown = graph.tree;
  if (!id) return graph.rootText;
  const line = shown.byLine && names.line(shown, shown.key[id]);
  return names.name(shown.fn[id]) + (line ? `:${line}` : "");
}

function place(id) {
  const shown = graph.tree, line = names.line(shown, shown.key[id]);
  return names.file(shown.fn[id]) + (line ? `:${line}` : "");
}

function showDetail(id) {
  if (id < 0) {
    $("detail").textContent = "Click a frame to zoom, / to search, ? for all keys";
  } else {
    const t = graph.tree, whole = tree.total[0];
    const part = graph.zoomed && id ? `, ${share(t.total[id], t.total[graph.zoomed])} of view` : "";
    $("detail").textContent = [clip(label(id), 200), id ? clip(place(id), 200) : "",
      `${amount(t.total[id])}, ${share(t.total[id], whole)}${part}`].filter(Boolean).join("  ·  ");
  }
}

function showLegend() {
  const sums = [0, 0, 0, 0], legend = $("legend");
  totals.self.forEach((w, fn) => { sums[names.families[fn]] += w; });
  legend.textContent = "";
  FAMILIES.forEach(({ name }, i) => {
    if (!sums[i] && i) return;
    const item = element("span", "", `${name} ${share(sums[i], tree.total[0])}`);
    const dot = element("i");
    dot.style.background = `var(--f${i})`;
    item.prepend(dot);
    item.title = "Share of time in such functions themselves";
    legend.append(item);
  });
}

// --- Changes.

function change(what) {
  Object.assign(state, what);
  reshape();
  save(true);
}

function zoom(id) {
  graph.zoom(id);
  showTrail();
  showMatched();
  save(true);
}

function zoomOut() {
  const t = graph.tree, [from, to] = graph.range;
  let id = graph.zoomed;
  while (id && t.total[id] <= (to - from) * 1.0001) id = t.parent[id];
  zoom(id);
}

function zoomRange(a, b, smooth) {
  graph.zoomRange(a, b, smooth);
  showTrail();
  showMatched();
  save();
}

function select(id) {
  selected = id;
  graph.mark({ selected: id });
  setMark(id > 0 ? graph.tree.fn[id] : 0);
  showDetail(id);
}

function setMark(fn) {
  mark = fn;
  graph.mark({ fn });
  table.mark(fn);
}

function hide(fn, on) {
  if (on) state.hidden.add(fn);
  else state.hidden.delete(fn);
  if (on && state.focus === fn) state.focus = 0;
  reweigh();
  save(true);
}

let typed = 0; // timer

// Looks for `query`, after a moment without typing unless it is wanted `now`.
function search(query, now) {
  clearTimeout(typed);
  const run = () => {
    state.query = query;
    research();
    save();
  };
  if (now) run();
  else typed = setTimeout(run, 60);
}

function searchFor(fn) {
  $("query").value = `^${names.raw(fn).replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")}$`;
  search($("query").value, true);
}

function toMatch(step) {
  if (!matching) return;
  const id = graph.nextMatch(selected, step);
  if (id < 0) {
    $("detail").textContent = matched.functions ? "No match is wide enough to be drawn here"
      : "Nothing matches";
    return;
  }
  select(id);
  graph.reveal(id);
}

// Arrow keys move to what is beside on the screen.
function walk(key) {
  const t = graph.tree, deeper = state.flame ? "ArrowUp" : "ArrowDown";
  if (selected < 0) {
    select(graph.zoomed);
  } else if (key === "ArrowLeft" || key === "ArrowRight") {
    const next = graph.beside(selected, key === "ArrowLeft" ? -1 : 1);
    if (next) select(next.id);
  } else if (key !== deeper) {
    if (selected) select(t.parent[selected]);
  } else {
    t.expand(selected);
    for (let k = t.first[selected], end = k + t.count[selected]; k < end; k++)
      if (graph.boxOf(k)) {
        select(k);
        break;
      }
  }
  graph.reveal(selected);
}

// --- The address keeps the view.

let written = location.hash;

function save(step) {
  const parts = [];
  const add = (name, value) => { if (value) parts.push(`${name}=${encodeURIComponent(value)}`); };
  add("v", (state.invert ? "i" : "") + (state.line ? "l" : "") + (state.flame ? "f" : ""));
  add("s", state.query);
  add("t", threads.text);
  add("c", state.focus);
  add("x", Array.from(state.hidden).join("."));
  const t = graph.tree, [from, to] = graph.range, id = graph.zoomed;
  if (t === tree) add("z", id);
  else if (t.depth[id] < 500) add("z", pathOf(t, id).join("."));
  if (Math.abs(to - from - t.total[id]) > 1e-6 * t.total[id] && to - from < t.total[0])
    add("r", `${from / t.total[0]}_${to / t.total[0]}`);
  const hash = `#${parts.join("&")}`;
  if (hash === written || (hash === "#" && !written)) return;
  written = hash;
  try {
    if (step) history.pushState(null, "", hash);
    else history.replaceState(null, "", hash);
  } catch { /* too many changes a second, or a page without an address */ }
}

function restore() {
  written = location.hash;
  const get = {};
  for (const part of location.hash.slice(1).split("&")) {
    const [name, value = ""] = part.split("=");
    try {
      get[name] = decodeURIComponent(value);
    } catch { /* a broken address: that part is left out */ }
  }
  const { v = "", s = "", t = "", c = "", x = "", z = "", r = "" } = get;
  const isFunction = (fn) => Number.isInteger(fn) && fn > 0 && fn < profile.fnName.length;
  Object.assign(state, {
    invert: v.includes("i"), line: v.includes("l"), flame: v.includes("f"), query: s,
    focus: isFunction(Number(c)) ? Number(c) : 0,
    hidden: new Set(x.split(".").map(Number).filter(isFunction)),
  });
  $("query").value = s;
  threads.text = t;
  reweigh();
  select(-1);
  graph.orient(state.flame);
  const shown = graph.tree;
  const id = shown === tree ? Math.floor(Number(z)) : nodeAt(shown, z.split(".").map(Number));
  const [a, b] = r.split("_").map((part) => Number(part) * shown.total[0]);
  if (a >= 0 && b > a) graph.zoomRange(a, b);
  else graph.zoom(id > 0 && id < shown.n && shown.total[id] ? id : 0);
  showTrail();
  showMatched();
}
