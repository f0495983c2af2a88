// What lies over the page: the tooltip, the menu, the choice of threads; and light or dark.

function fillTip(title, where, rows) {
  const tip = $("tip"), list = element("dl");
  for (const [name, value] of rows) list.append(element("dt", "", name), element("dd", "", value));
  tip.replaceChildren(element("div", "title", clip(title, 400)),
    ...(where ? [element("div", "place", clip(where, 400))] : []), list);
  return tip;
}

function interval(weight) {
  const [low, high] = wilson(weight / tree.total[0], tree.samples[0]);
  return `${share(low, 1)} to ${share(high, 1)}`;
}

function tipOfNode(box, x, y) {
  const t = graph.tree, whole = tree.total[0], zoomed = graph.zoomed, { id } = box;
  const rows = [];
  if (id < 0) {
    rows.push(["together", `${amount(box.wide)}, ${share(box.wide, whole)}`]);
    placeCard(fillTip(`${count(box.many)} narrow frame${box.many > 1 ? "s" : ""}`,
      "Click to zoom in", rows), x + 14, y + 18);
    return;
  }
  rows.push(["total", `${amount(t.total[id])}, ${share(t.total[id], whole)}`]);
  if (zoomed) rows.push(["of view", share(t.total[id], t.total[zoomed])]);
  if (id && !t.up) rows.push(["self", `${amount(t.self[id])}, ${share(t.self[id], whole)}`]);
  rows.push(["samples", count(t.samples[id])]);
  if (id) rows.push(["95 % interval", interval(t.total[id])]);
  if (id && t === tree && !t.byLine) rows.push(...hotLines(id));
  placeCard(fillTip(label(id), id ? place(id) : "", rows), x + 14, y + 18);
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
  return [[lines.size > 1 ? "lines" : "line", text + (lines.size > 3 ? ", …" : "")]];
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
    ["All calls of it, merged", () => change({ focus: fn, invert: false })],
    ["All callers of it, merged", () => change({ focus: fn, invert: true })],
    ["Leave out stacks with it", () => hide(fn, true)],
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
