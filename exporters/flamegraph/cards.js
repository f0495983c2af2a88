// What lies over the page: the tooltip, the menu, the choice of threads; and light or dark.

function fillTip(title, where, rows) {
  const tip = $("tip"), list = element("dl");
  for (const [name, value, className] of rows)
    list.append(element("dt", "", name), element("dd", className, value));
  tip.replaceChildren(element("div", "title", clip(title, 400)),
    ...(where ? [element("div", "place", clip(where, 400))] : []), list);
  return tip;
}

function interval(weight) {
  const [low, high] = wilson(weight / tree.total[0], tree.samples[0]);
  return `${share(low, 1)} to ${share(high, 1)}`;
}

// What the other side of a comparison says: [[name, text] ...].
function changeRows(now, samples, was, wasSamples) {
  const comparable = was * scale, difference = (now - comparable) * (state.swap ? -1 : 1);
  const change = changeOf(now, samples, was, wasSamples, scale);
  const times = Math.max(now, comparable) / Math.min(now, comparable);
  return [
    [state.swap ? "after" : "before", amount(comparable) + (scale === 1 ? "" : `, of ${amount(was)}`)],
    ["change", `${difference < 0 ? "−" : "+"}${amount(Math.abs(difference))}${
      Number.isFinite(times) ? `, × ${three(difference < 0 ? 1 / times : times)}` : ""}${
      change ? "" : ", could be chance"}`],
  ];
}

function tipOfNode(box, x, y, of = graph) {
  const t = of.tree, whole = t.isChart ? t.total[0] : tree.total[0], { zoomed } = of, { id } = box;
  const rows = [];
  if (id < 0) {
    rows.push(["together", `${amount(box.wide)}, ${share(box.wide, whole)}`]);
    placeCard(fillTip(`${count(box.many)} narrow frame${box.many > 1 ? "s" : ""}`,
      "Click to zoom in", rows), x + 14, y + 18);
    return;
  }
  if (t.isChart) rows.push(["from", moment(t.start + box.off, Math.max(1, box.wide / 100))]);
  rows.push([t.isChart ? "lasts" : "total", `${amount(t.total[id])}, ${share(t.total[id], whole)}`]);
  if (zoomed) rows.push(["of view", share(t.total[id], t.total[zoomed])]);
  if (id && !t.up) rows.push(["self", `${amount(t.self[id])}, ${share(t.self[id], whole)}`]);
  rows.push(["samples", count(t.samples[id])]);
  if (t.base && scale) rows.push(...changeRows(t.total[id], t.samples[id], t.base.total[id], t.base.samples[id]));
  else if (id && !t.isChart) rows.push(["95 % interval", interval(t.total[id])]);
  if (id && t === tree && !t.byLine) rows.push(...hotLines(id));
  else if (id && t.byLine) rows.push(...sourceRow(t.fn[id], names.line(t, t.key[id])));
  placeCard(fillTip(labelOf(of, id), id ? placeOf(of, id) : "", rows), x + 14, y + 18);
}

// What stands in a line, when the source was captured.
function sourceRow(fn, line) {
  const text = profile.source.get(`${profile.fnFile[fn]}:${line}`);
  return text ? [[`${line}`, visible(text), "code"]] : [];
}

// Which lines of a merged frame its time goes to.
function hotLines(id) {
  const lines = new Map();
  for (let i = 1; i < tree.of.length; i++) {
    const line = tree.of[i] === id && lineWeights[i] && profile.frameLine[profile.frame[i]];
    if (line) lines.set(line, (lines.get(line) || 0) + lineWeights[i]);
  }
  const best = Array.from(lines).sort((a, b) => b[1] - a[1]).slice(0, 3);
  if (!best.length) return [];
  const text = best.map(([line, w]) => `${line} (${share(w, tree.total[id])})`).join(", ");
  return [[lines.size > 1 ? "lines" : "line", text + (lines.size > 3 ? ", …" : "")],
    ...best.flatMap(([line]) => sourceRow(tree.fn[id], line))];
}

function tipOfFunction(fn, x, y) {
  const n = tree.total[0];
  placeCard(fillTip(names.name(fn), names.file(fn)
    + (profile.fnLine[fn] ? `:${profile.fnLine[fn]}` : ""), [
    ["self", `${amount(totals.self[fn])}, ${share(totals.self[fn], n)}`],
    ["95 % interval", interval(totals.self[fn])],
    ["total", `${amount(totals.total[fn])}, ${share(totals.total[fn], n)}`],
    ["95 % interval", interval(totals.total[fn])],
    ["samples", `${count(totals.selfSamples[fn])} self, ${count(totals.samples[fn])} total`],
    ...(before ? changeRows(totals.total[fn], totals.samples[fn], before.total[fn], before.samples[fn]) : []),
  ]), x + 14, y + 18);
}

function openMenu(id, x, y) {
  const menu = $("menu"), t = graph.tree, fn = t.fn[id];
  const stack = [];
  for (let k = id; k; k = t.parent[k])
    stack.push(`${names.raw(t.fn[k])} (${profile.strings[profile.fnFile[t.fn[k]]]}:${
      names.line(t, t.key[k])})`);
  if (!t.up) stack.reverse();
  const items = [
    ["Zoom to this frame", () => zoom(id)],
    [`Search this function`, () => searchFor(fn)],
    null,
    ["Callers and calls of it", () => change({ view: "sandwich", focus: fn })],
    ["All calls of it, merged", () => change({ view: "graph", focus: fn, invert: false })],
    ["All callers of it, merged", () => change({ view: "graph", focus: fn, invert: true })],
    ["Leave out stacks with it", () => hide(fn, true)],
    ...(t.isChart ? [["See this time alone", () => recount({ range: rangeOfBox(id) })]] : []),
    null,
    ["Copy name", () => copy(names.raw(fn))],
    ["Copy file and line", () => copy(place(id))],
    ["Copy stack", () => copy(stack.join("\n"))],
  ];
  menu.replaceChildren(...items.map((item) => {
    if (!item) return element("hr");
    const button = element("button", "", item[0]);
    button.setAttribute("role", "menuitem");
    button.addEventListener("click", () => {
      closeCards();
      item[1]();
    });
    return button;
  }));
  $("tip").hidden = true;
  placeCard(menu, x, y);
  menu.firstChild.focus();
}

// The buckets that a box of the chart lies in.
function rangeOfBox(id) {
  const { width, count: all } = profile.timeline, from = graph.tree.start + offsetOf(graph.tree, id);
  return [Math.floor(from / width), Math.min(all, Math.ceil((from + graph.tree.total[id]) / width))];
}

function openThreads() {
  const wasOpen = !$("chooser").hidden, at = $("threads").getBoundingClientRect();
  closeCards();
  if (wasOpen) return;
  placeCard($("chooser"), at.left, at.bottom + 6);
  $("threads").setAttribute("aria-expanded", true);
  threads.open();
  $("threadquery").focus();
}

// True when there was a card to close.
function closeCards() {
  const open = ["menu", "chooser"].filter((id) => !$(id).hidden);
  for (const id of ["menu", "chooser", "tip"]) $(id).hidden = true;
  $("threads").setAttribute("aria-expanded", false);
  if (open.length) $("canvas").focus();
  return open.length > 0;
}

function setTheme(dark) {
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  graph.paint(dark);
  callers.paint(dark);
  heat.update();
}

function chooseTheme(dark) {
  setTheme(dark);
  try {
    localStorage.setItem("pyrometer-theme", dark ? "dark" : "light");
  } catch { /* not remembered */ }
}
const isDark = () => document.documentElement.dataset.theme === "dark";

function setPanel(open) {
  $("side").hidden = $("splitter").hidden = !open;
  $("panel").setAttribute("aria-pressed", open);
}

function setMap(open) {
  $("time").hidden = !open;
  $("map").setAttribute("aria-pressed", open);
}
