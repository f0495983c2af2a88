// The address keeps the view: reload, go back, or send it with the file.

// Booleans of the state and what stands for them: where `compare` is off, else where they are on.
const LETTERS = {
  invert: "i", line: "l", flame: "f", compare: "x", swap: "w", absolute: "a", byThread: "t",
};
let written = location.hash;

function save(step) {
  const parts = [];
  const add = (name, value) => { if (value) parts.push(`${name}=${encodeURIComponent(value)}`); };
  const letters = Object.entries(LETTERS).filter(([name]) => state[name] !== (name === "compare"));
  add("v", letters.map(([, letter]) => letter).join(""));
  add("m", state.view === "graph" ? "" : state.view);
  add("w", state.range?.join("-"));
  add("b", state.against?.join("-"));
  add("h", state.view === "chart" && chartLine()?.thread);
  add("s", state.query);
  add("t", threads.text);
  add("c", state.focus);
  for (const { name, letter } of filters) add(letter, state[name]);
  add("x", Array.from(state.hidden).join("."));
  const t = graph.tree, [from, to] = graph.range, id = graph.zoomed;
  if (t === tree) add("z", id);
  else if (!t.isChart && t.depth[id] < 500) add("z", pathOf(t, id).join("."));
  if ((t.isChart || Math.abs(to - from - t.total[id]) > 1e-6 * t.total[id]) && to - from < t.total[0])
    add("r", `${from / t.total[0]}_${to / t.total[0]}`);
  const hash = `#${parts.join("&")}`;
  if (hash === written || (hash === "#" && !written)) return;
  written = hash;
  try {
    if (step) history.pushState(null, "", hash);
    else history.replaceState(null, "", hash);
  } catch { /* too many changes a second, or a page without an address */ }
}

// "12-34" as a range of buckets; null for anything else.
function rangeOf(text) {
  const [a, b] = /^\d+-\d+$/.test(text) ? text.split("-").map(Number) : [0, 0], { timeline } = profile;
  return timeline && a < b && a < timeline.count ? [a, Math.min(b, timeline.count)] : null;
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
  const { v = "", s = "", t = "", c = "", x = "", z = "", r = "", m = "", w = "", b: against = "", h = "" } = get;
  const isFunction = (fn) => Number.isInteger(fn) && fn > 0 && fn < profile.fnName.length;
  for (const name in LETTERS) state[name] = v.includes(LETTERS[name]) !== (name === "compare");
  Object.assign(state, {
    view: (m === "chart" && profile.timeline) || m === "sandwich" ? m : "graph", query: s,
    range: rangeOf(w), against: rangeOf(against), lane: Number(h) || 0,
    focus: isFunction(Number(c)) ? Number(c) : 0,
    hidden: new Set(x.split(".").map(Number).filter(isFunction)),
  });
  for (const filter of filters) state[filter.name] = filterOf(filter, Number(get[filter.letter]));
  $("query").value = s;
  threads.text = t;
  reweigh();
  select(-1);
  graph.orient(state.flame && state.view !== "sandwich");
  const shown = graph.tree;
  const id = shown === tree ? Math.floor(Number(z)) : shown.isChart || !z ? 0 : nodeAt(shown, z.split(".").map(Number));
  const [a, b] = r.split("_").map((part) => Number(part) * shown.total[0]);
  if (a >= 0 && b > a) graph.zoomRange(a, b);
  else graph.zoom(id > 0 && id < shown.n && shown.total[id] ? id : 0);
  showTrail();
  showMatched();
}
