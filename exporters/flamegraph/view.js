// What is chosen, what follows from it, how it changes, and how the address keeps it.

const profile = decodeProfile(JSON.parse($("pyrometer-data").textContent));
const names = makeNames(profile);
const amount = (value) => (profile.byTime ? time(value) : `${count(value)} samples`);

// What is chosen; kept in the address, with the threads and the zoom. Ranges are buckets of the
// timeline, [from, to); null is the whole run.
const state = {
  view: "graph", invert: false, line: false, flame: false, query: "", focus: 0, hidden: new Set(),
  task: 0, range: null, against: null, compare: true, swap: false, absolute: false, byThread: false, lane: 0,
};
const trees = [null, null];   // by function, by line: made when first asked for
let tree = null;              // the call tree of these
let lineWeights = null;       // of the profile's own nodes
let totals = null, before = null, scale = 0; // of functions; in a comparison those of the other side
let matching = null, matched = null, literal = false;
let selected = -1, mark = 0;

const graph = makeGraph({ box: $("graph"), space: $("space"), canvas: $("canvas"), names });
const callers = makeGraph({ box: $("above"), space: $("abovespace"), canvas: $("abovecanvas"), names });
const threads = makeThreads({ profile, amount, changed: () => { reweigh(); save(); } });
const table = makeTable({
  profile, names, amount,
  tell(fn, how) {
    if (state.view === "sandwich" && how === "pick") change({ focus: fn });
    else if (how === "open") searchFor(fn);
    else setMark(mark === fn ? 0 : fn);
  },
});

// --- What follows from what.

// How long a range, or the whole run, is; in ns.
function lengthOf(range) {
  const { duration_ns: all } = profile.health;
  if (!range) return all;
  const { width } = profile.timeline;
  return Math.max(1, Math.min(all, range[1] * width) - range[0] * width);
}

// What is shown, and what it is compared with (null: nothing): the weights of the profile's nodes,
// and the time in which they came together.
function sides() {
  const on = threads.shown();
  const of = (isBase) => on.map((shown, i) => (shown && profile.threads[i].isBase === isBase ? 1 : 0));
  const now = { own: ownWeights(profile, of(false), state.range), time: lengthOf(state.range) };
  if (!state.compare || !(state.against || profile.base)) return [now, null];
  const was = state.against
    ? { own: ownWeights(profile, of(false), state.against), time: lengthOf(state.against) }
    : { own: ownWeights(profile, of(true), null), time: profile.base.duration_ns };
  return state.swap ? [was, now] : [now, was];
}

function reweigh() {
  const t = Number(state.line), cut = cutNodes(profile, state.hidden, chosen()), [now, was] = sides();
  tree = trees[t] ??= buildTree(profile, state.line);
  lineWeights = weighTree(profile, tree, now.own, cut, tree);
  totals = functionTotals(profile, tree, tree);
  tree.base = before = null;
  scale = was ? (state.absolute || !was.time ? 1 : now.time / was.time) : 0;
  if (was) {
    tree.base = makeWeights(tree.n);
    weighTree(profile, tree, was.own, cut, tree.base);
    before = functionTotals(profile, tree, tree.base);
  }
  if (graph.tree === tree && state.view === "graph" && !state.invert && !state.focus) graph.refresh();
  else present();
  graph.mark({ scale: state.view === "chart" ? 0 : scale, sign: state.swap ? -1 : 1 });
  research();
  showLegend();
  showChoices();
  heat.update();
}

// After a change of what is drawn, not of what is counted.
function reshape() {
  if (state.line !== tree.byLine) return reweigh();
  present();
  heat.update();
  showMatched();
  showChoices();
}

function present() {
  const { view } = state;
  if (view === "sandwich" && !state.focus) state.focus = heaviest();
  if (view === "chart") graph.show(chartOf(), state.flame);
  else if (view === "sandwich") graph.show(viewOf(tree, false, state.focus), false);
  else graph.show(viewOf(tree, state.invert, state.focus), state.flame);
  graph.mark({ scale: view === "chart" ? 0 : scale, sign: state.swap ? -1 : 1 });
  showSandwich();
  $("ruler").hidden = $("lane").hidden = view !== "chart";
  select(-1);
}

// The function with most time in itself.
function heaviest() {
  let best = 0;
  totals.self.forEach((w, fn) => { if (fn && w > (best ? totals.self[best] : 0)) best = fn; });
  return best;
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
  callers.mark({ match: matching });
  table.update(totals, tree.total[0], matching, before, scale, state.swap ? -1 : 1);
  heat.update();
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

const valueOf = (button) => ({ 0: false, 1: true })[button.dataset.value] ?? button.dataset.value;

function rootText() {
  const t = graph.tree, process = $("process").textContent;
  const of = t.isChart ? visible(profile.threads[chartLine()?.thread ?? 0].name || "") || process : process;
  return `${state.range ? span(state.range) : "all"} of ${of}, ${amount(t.total[0])}`;
}

function showChoices() {
  for (const button of document.querySelectorAll("[data-set]"))
    button.setAttribute("aria-pressed", state[button.dataset.set] === valueOf(button));
  showFilters();
  for (const button of document.querySelectorAll("[data-for]"))
    button.disabled = !button.dataset.for.split(" ").includes(state.view);
  graph.rootText = state.view === "sandwich" ? "▼ what it calls" : rootText();
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
  if (state.focus && state.view === "graph")
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

const label = (id) => labelOf(graph, id), place = (id) => placeOf(graph, id);

function labelOf(of, id) {
  const shown = of.tree;
  if (!id) return of.rootText;
  const line = shown.byLine && names.line(shown, shown.key[id]);
  return names.name(shown.fn[id]) + (line ? `:${line}` : "");
}

function placeOf(of, id) {
  const shown = of.tree, line = names.line(shown, shown.key[id]);
  return names.file(shown.fn[id]) + (line ? `:${line}` : "");
}

function showDetail(id) {
  if (id < 0) {
    $("detail").textContent = profile.timeline
      ? "Click a frame to zoom, / to search, drag over the map to see a range of time, ? for all keys"
      : "Click a frame to zoom, / to search, ? for all keys";
  } else {
    const t = graph.tree, whole = t.isChart ? t.total[0] : tree.total[0];
    const part = graph.zoomed && id ? `, ${share(t.total[id], t.total[graph.zoomed])} of view` : "";
    $("detail").textContent = [clip(label(id), 200), id ? clip(place(id), 200) : "",
      `${amount(t.total[id])}, ${share(t.total[id], whole)}${part}`].filter(Boolean).join("  ·  ");
  }
}

function dotted(colour, text) {
  const item = element("span", "", text), dot = element("i");
  dot.style.background = `var(--${colour})`;
  item.prepend(dot);
  return item;
}

function showLegend() {
  const sums = [0, 0, 0, 0], legend = $("legend");
  totals.self.forEach((w, fn) => { sums[names.families[fn]] += w; });
  legend.textContent = "";
  if (before && state.view !== "chart") {
    for (const [name, text] of [["more", "more than before"], ["less", "less"], ["same", "could be chance"]])
      legend.append(dotted(name, text));
    return;
  }
  FAMILIES.forEach(({ name }, i) => {
    if (!sums[i] && i) return;
    const item = dotted(`f${i}`, `${name} ${share(sums[i], tree.total[0])}`);
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

// The same where it changes what is counted.
function recount(what) {
  Object.assign(state, what);
  reweigh();
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
