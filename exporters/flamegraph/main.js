// Keys, the pointer, and the start of the page.

// One row each: keys, what they do (shown in the help), and the deed.

const KEYS = [
  ["↑ ↓ ← →", "move the selection", ["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight"], walk],
  ["Enter", "zoom to the selection", ["Enter"], () => selected >= 0 && zoom(selected)],
  ["Backspace", "zoom out one step", ["Backspace"], zoomOut],
  ["0, Esc", "zoom out fully", ["0"], () => zoom(0)],
  ["/, Ctrl+F", "search", ["/"], () => $("query").select()],
  ["n, N", "next, previous match (or Enter while searching)", ["n", "N"], (key) => toMatch(key === "n" ? 1 : -1)],
  ["1, 2, 3", "flame graph, over time, sandwich", ["1", "2", "3"], (key) => show(["graph", "chart", "sandwich"][key - 1])],
  ["i", "call tree or inverted", ["i"], () => state.view === "graph" && change({ invert: !state.invert })],
  ["l", "merge by function or by line", ["l"], () => change({ line: !state.line })],
  ["o", "icicle or flame", ["o"], () => state.view !== "sandwich" && orient(!state.flame)],
  ["t", "threads", ["t"], openThreads],
  ["h", "map of the run", ["h"], () => hasTime && setMap($("time").hidden)],
  ["c", "compare with a second range", ["c"], () => armSecond(!wantsSecond)],
  ["x", "differences or plain", ["x"], () => canCompare() && recount({ compare: !state.compare })],
  ["w", "swap the two sides", ["w"], () => canCompare() && recount({ swap: !state.swap })],
  ["s", "table", ["s"], () => setPanel($("side").hidden)],
  ["m", "menu of the selection", ["m", "ContextMenu"], () => menuOfSelection()],
  ["d", "light or dark", ["d"], () => chooseTheme(!isDark())],
  ["?", "this help", ["?"], () => $("keys").showModal()],
];

const canCompare = () => state.against || profile.base;
const hasTime = profile.timeline || profile.base;

function show(view) {
  if (view !== state.view && (view !== "chart" || profile.timeline)) change({ view });
}

function orient(flame) {
  state.flame = flame;
  const zoomed = graph.zoomed;
  graph.orient(flame);
  graph.reveal(zoomed);
  showChoices();
  save();
}

function menuOfSelection() {
  const at = selected > 0 && graph.rect(selected);
  if (at) openMenu(selected, at.x + 10, at.y + at.height);
}

function escape() {
  if (closeCards()) return;
  if (document.activeElement === $("query")) {
    if ($("query").value) search($("query").value = "", true);
    $("canvas").focus();
  } else if (graph.zoomed || !$("reset").hidden) {
    zoom(0);
  } else if (state.query) {
    search($("query").value = "", true);
  } else if (wantsSecond) {
    armSecond(false);
  } else if (state.range) {
    recount({ range: null, against: null });
  } else {
    select(-1);
  }
}

addEventListener("keydown", (e) => {
  if ($("keys").open) return;
  const typing = e.target instanceof HTMLInputElement;
  if ((e.ctrlKey || e.metaKey) && e.key.toLowerCase() === "f" && e.target !== $("query")) {
    e.preventDefault();
    $("query").focus();
    $("query").select();
  } else if (e.key === "Escape") {
    escape();
    e.preventDefault();
  } else if (e.target === $("query") && e.key === "Enter") {
    if (state.query !== $("query").value) search($("query").value, true);
    toMatch(e.shiftKey ? -1 : 1);
  } else if (!$("menu").hidden) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[e.key];
    const all = Array.from($("menu").querySelectorAll("button"));
    if (!step) return;
    all[(all.indexOf(document.activeElement) + step + all.length) % all.length].focus();
    e.preventDefault();
  } else if (!typing && !e.ctrlKey && !e.metaKey && !e.altKey) {
    if (e.target instanceof HTMLButtonElement && (e.key === "Enter" || e.key === " ")) return;
    if (e.target === $("splitter") && e.key.startsWith("Arrow")) return;
    if (e.target === $("lane")) return;
    const row = KEYS.find((key) => key[2].includes(e.key) || (e.key === "F10" && e.shiftKey && key[0] === "m"));
    if (!row) return;
    e.preventDefault();
    $("tip").hidden = true;
    row[3](e.key);
  }
});

// --- The pointer on the graph.

let drag = null, over = null;

function hover(e) {
  const box = graph.hit(e.clientX, e.clientY);
  const same = box && over && box.level === over.level && box.off === over.off && !$("tip").hidden;
  over = box;
  $("canvas").style.cursor = box ? "pointer" : "default";
  if (!box) $("tip").hidden = true;
  else if (same) placeCard($("tip"), e.clientX + 14, e.clientY + 18);
  else if ($("menu").hidden) tipOfNode(box, e.clientX, e.clientY);
  if (!same) graph.mark({ hovered: box });
}

$("canvas").addEventListener("pointerdown", (e) => {
  if (e.button) return;
  const [from, to] = graph.range;
  drag = { x: e.clientX, y: e.clientY, from, to, top: graph.scroll.top, moved: false };
});
$("canvas").addEventListener("pointermove", (e) => {
  if (!drag || e.pointerType === "touch") return hover(e);
  const dx = e.clientX - drag.x, dy = e.clientY - drag.y;
  if (!drag.moved && Math.abs(dx) + Math.abs(dy) < 5) return;
  if (!drag.moved) $("canvas").setPointerCapture(e.pointerId);
  drag.moved = true;
  $("tip").hidden = true;
  $("canvas").style.cursor = "grabbing";
  graph.scroll.top = drag.top - dy;
  const wide = drag.to - drag.from, by = (-dx / $("canvas").clientWidth) * wide;
  if (wide < graph.tree.total[0]) zoomRange(drag.from + by, drag.from + by + wide);
});
$("canvas").addEventListener("pointerup", (e) => {
  const was = drag;
  drag = null;
  if (!was || was.moved || e.button) return;
  if (closeCards()) return;
  const box = graph.hit(e.clientX, e.clientY);
  if (!box) return select(-1);
  if (e.altKey && box.id > 0) return openMenu(box.id, e.clientX, e.clientY);
  if (box.id < 0) return zoomRange(box.off, box.off + box.wide, true);
  select(box.id);
  zoom(box.id);
});
$("canvas").addEventListener("pointercancel", () => { drag = null; });
$("canvas").addEventListener("pointerleave", () => {
  graph.mark({ hovered: null });
  $("tip").hidden = true;
});
$("canvas").addEventListener("contextmenu", (e) => {
  const box = graph.hit(e.clientX, e.clientY);
  if (!box || box.id <= 0) return;
  e.preventDefault();
  select(box.id);
  openMenu(box.id, e.clientX, e.clientY);
});
$("canvas").addEventListener("wheel", (e) => {
  const [from, to] = graph.range, wide = to - from;
  const sideways = e.shiftKey ? e.deltaY : Math.abs(e.deltaX) > Math.abs(e.deltaY) ? e.deltaX : 0;
  $("tip").hidden = true;
  if (e.ctrlKey || e.metaKey) {
    e.preventDefault();
    const by = Math.exp(Math.max(-60, Math.min(60, e.deltaY)) * 0.01), at = graph.valueAt(e.clientX);
    zoomRange(at - (at - from) * by, at + (to - at) * by);
  } else if (sideways && wide < graph.tree.total[0]) {
    e.preventDefault();
    const by = (sideways / $("canvas").clientWidth) * wide;
    zoomRange(from + by, to + by);
  }
}, { passive: false });
$("graph").addEventListener("scroll", () => graph.redraw(), { passive: true });

// --- The rest of the page.

for (const button of document.querySelectorAll("[data-set]"))
  button.addEventListener("click", () => {
    const value = valueOf(button);
    if (button.dataset.set === "flame") orient(value);
    else if (button.dataset.set === "view") show(value);
    else if (state[button.dataset.set] !== value) change({ [button.dataset.set]: value });
  });
$("query").addEventListener("input", () => search($("query").value));
$("reset").addEventListener("click", () => zoom(0));
$("threads").addEventListener("click", openThreads);
$("theme").addEventListener("click", () => chooseTheme(!isDark()));
$("help").addEventListener("click", () => $("keys").showModal());
$("map").addEventListener("click", () => setMap($("time").hidden));
$("panel").addEventListener("click", () => setPanel($("side").hidden));
$("keylist").append(...KEYS.flatMap(([keys, text]) => [element("dt", "", keys), element("dd", "", text)]));
$("rows").addEventListener("pointermove", (e) => {
  const fn = table.functionAt(e.target);
  if (fn) tipOfFunction(fn, e.clientX, e.clientY);
});
$("rows").addEventListener("pointerleave", () => { $("tip").hidden = true; });
addEventListener("pointerdown", (e) => {
  if (!e.target.closest("#menu, #chooser, #threads, #canvas")) closeCards();
});

function setSide(px) {
  $("side").style.width = `${Math.max(240, Math.min(px, innerWidth - 240))}px`;
}
$("splitter").addEventListener("pointerdown", (e) => $("splitter").setPointerCapture(e.pointerId));
$("splitter").addEventListener("pointermove", (e) => {
  if (e.buttons & 1) setSide(innerWidth - e.clientX);
});
$("splitter").addEventListener("keydown", (e) => {
  const step = { ArrowLeft: 24, ArrowRight: -24 }[e.key];
  if (step) setSide($("side").offsetWidth + step);
});

new ResizeObserver(() => graph.resize()).observe($("graph"));
addEventListener("resize", () => graph.resize());
addEventListener("hashchange", () => { if (location.hash !== written) restore(); });
addEventListener("popstate", () => { if (location.hash !== written) restore(); });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", (e) => {
  try {
    if (localStorage.getItem("pyrometer-theme")) return;
  } catch { /* none can have been kept */ }
  setTheme(e.matches);
});

$("map").hidden = !hasTime;
$("heat").hidden = $("mapkind").hidden = !profile.timeline;
document.querySelector("[data-value=chart]").hidden = !profile.timeline;
$("coarse").textContent = profile.timeline ? coarseness() : "";
setMap(hasTime && innerHeight > 520);
setPanel(innerWidth > 860);
showRun(profile);
graph.resize();
setTheme(isDark());
restore();
showDetail(-1);

// What the timeline does not know.
function coarseness() {
  const { width, fold } = profile.timeline;
  const folded = fold ? ` In a range, stacks that are in less than ${time(fold)} of the whole run are \
counted together as "(small)" below the function that they have in common with larger ones.` : "";
  return ` Time is known in steps of ${time(width)}; within one, stacks are in the order in which they \
first came up.${folded}`;
}

// For tests and for the curious: a look at the state, nothing to change it with.
window.pyrometer = Object.freeze({
  get state() {
    const t = graph.tree;
    return { ...state, period: state.range, hidden: Array.from(state.hidden), threads: threads.text, nodes: t.n,
      zoomed: graph.zoomed, selected, mark, matched, literal, range: graph.range, rows: graph.rows,
      total: t.total[0], samples: t.samples[0], dark: isDark(), scale, wantsSecond,
      bucket: profile.timeline?.width, buckets: profile.timeline?.count };
  },
  node(id) {
    const t = graph.tree;
    return { name: names.raw(t.fn[id]), file: profile.strings[profile.fnFile[t.fn[id]]],
      line: names.line(t, t.key[id]), parent: t.parent[id], depth: t.depth[id],
      total: t.total[id], samples: t.samples[id], self: t.self[id],
      ...(scale && t.base ? { before: t.base.total[id], change: changeOf(t.total[id], t.samples[id],
        t.base.total[id], t.base.samples[id], scale) } : {}) };
  },
  nodes(name) {
    const t = graph.tree, out = [];
    for (let id = 1; id < t.n; id++) if (names.raw(t.fn[id]) === name) out.push(id);
    return out;
  },
  children(id) {
    const t = graph.tree;
    t.expand(id);
    return Array.from({ length: t.count[id] }, (_, i) => t.first[id] + i);
  },
  rect: (id) => graph.rect(id),
  callers() {
    const t = callers.tree;
    t.expand(1);
    return Array.from({ length: t.count[1] }, (_, i) => t.first[1] + i)
      .map((id) => ({ name: names.raw(t.fn[id]), total: t.total[id] }));
  },
  callerRect: (id) => callers.rect(id),
  cell: (place, lane = 0) => heat.cellOf(place, lane),
  get map() {
    const { left, per, down, columns, wide, tall, lanes } = heat.map ?? {};
    return { left, per, down, columns, wide, tall, lanes: lanes?.length };
  },
  table: () => table.order.map((fn) => ({ name: names.raw(fn), self: totals.self[fn],
    total: totals.total[fn] })),
});
