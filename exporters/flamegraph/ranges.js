// Ranges of time: chosen on the map, shown as chips, compared.

let wantsSecond = false; // the next range that is chosen is what to compare with

function chooseRange(range, isSecond) {
  const second = state.range && (isSecond || wantsSecond);
  wantsSecond = false;
  recount(second ? { against: range, compare: true } : { range });
}

function armSecond(on) {
  wantsSecond = on && !!state.range;
  showRanges();
}

const span = ([a, b]) => {
  const { width } = profile.timeline, end = Math.min(b * width, Math.max(profile.health.duration_ns, a * width + 1));
  const step = Math.max(width, 10 ** Math.floor(Math.log10(Math.max(1, end - a * width)) - 2));
  return `${moment(a * width, step)} – ${moment(end, step)}`;
};

// Chips of what is chosen, each to be clicked away, and what can be done with it.
function showRanges() {
  const chips = $("ranges"), second = state.against;
  const add = (text, className, title, act) => {
    const button = element("button", className, text);
    button.title = title;
    button.addEventListener("click", act);
    chips.append(button);
    return button;
  };
  chips.textContent = "";
  if (!profile.timeline) wantsSecond = false;
  else if (!state.range && !profile.base) chips.append(element("span", "dim", "Drag over the map to see a range of time alone"));
  else if (state.range) add(`${span(state.range)} ✕`, "chip", "The whole run again", () => recount({ range: null, against: null }));
  if (state.range && !second)
    add(wantsSecond ? "now drag over a second range" : "Compare with…", wantsSecond ? "on" : "",
      "Choose a second range to compare with (c, or Shift+drag)", () => armSecond(!wantsSecond));
  if (second)
    add(`against ${span(second)} ✕`, "chip second", "Compare no more", () => recount({ against: null }));
  else if (profile.base)
    chips.append(element("span", "dim", `compared with ${visible(profile.base.process) || "a profile"} (${
      profile.base.pid}), ${time(profile.base.duration_ns)}`));
  if (!second && !profile.base) return;
  for (const [name, text, title, on] of [
    ["compare", "Differences", "Red for more, blue for less, or plain (x)", state.compare],
    ["swap", "Swap", "Widths of the other side: what is only there is seen too (w)", state.swap],
    ["absolute", "Per second", "Compared by time: of two runs of different length", !state.absolute]])
    add(text, "", title, () => recount({ [name]: !state[name] })).setAttribute("aria-pressed", on);
}

const heat = !profile.timeline ? { update: showRanges } : (() => {
  const made = makeHeat({
    profile, canvas: $("heat"), chosen: chooseRange,
    look: () => ({
      shown: threads.shown().map((on, i) => (on && !profile.threads[i].isBase ? 1 : 0)),
      match: matching, range: state.range, against: state.compare ? state.against : null,
      byThread: state.byThread, colours: graph.colours,
    }),
    tell: tipOfCell,
    explain: showKinds,
  });
  return { ...made, update: () => { showRanges(); made.update(); }, get map() { return made.map; } };
})();

// The functions that have a colour on the map; a click looks for one.
function showKinds(fns) {
  $("kinds").replaceChildren(...fns.map((fn, i) => {
    const name = names.name(fn), tail = name.slice(name.lastIndexOf(".", name.length - 2) + 1);
    const button = element("button", "", clip(tail, 60)), dot = element("i");
    dot.style.background = graph.colours.kinds[i];
    button.title = `Stands out on the map in this colour: ${name}, ${names.file(fn)}. Click to search`;
    button.prepend(dot);
    button.addEventListener("click", () => searchFor(fn));
    return button;
  }));
}

function tipOfCell(cell, x, y) {
  $("tip").hidden = true;
  if (!cell || !cell.weight) return;
  const rows = [[state.byThread ? "runs most" : "stands out", names.name(cell.top)],
    ["together", amount(cell.weight)]];
  if (cell.thread) rows.unshift(["thread", visible(profile.threads[cell.thread].name) || "(no name)"]);
  if (cell.matched !== null) rows.push(["found", share(cell.matched, cell.weight)]);
  placeCard(fillTip(span(cell.range), "", rows), x + 14, y + 18);
}
