// The source of a file, line by line, and its minimap.

// Which lines are shown: all of them, or hot ones with two around each; 0 stands for a gap.
function linesToShow(file, hotOnly) {
  if (!hotOnly) return Array.from({ length: file.length }, (_, i) => i + 1);
  const near = new Set();
  for (const line of file.hot)
    for (let at = line - 2; at <= line + 2; at++) if (at >= 1 && at <= file.length) near.add(at);
  const shown = [];
  for (const line of Array.from(near).sort((a, b) => a - b)) {
    if (shown.length ? line > shown[shown.length - 1] + 1 : line > 1) shown.push(0);
    shown.push(line);
  }
  if (shown.length && shown[shown.length - 1] < file.length) shown.push(0);
  return shown;
}

// Tabs stay; whatever else cannot be seen is shown escaped.
const visibleCode = (text) => text.split("\t").map(visible).join("\t");

// `state` has file, by, hotOnly, line, pointed (an instruction) and matching (a regular expression).
function makeSource({ box, focus, map, state, pick }) {
  let shown = [], indexOf = new Map();
  const list = makeList({
    box, focus, height: 19, role: "row",
    build() {
      const row = element("div", "row line");
      row.append(element("i", "heat"), element("span", "number"), element("span", "self"),
        element("span", "total"), element("code"));
      return row;
    },
    fill(row, index) {
      const [heat, number, self, total, code] = row.children;
      const line = shown[index], { file, by } = state, counts = file.lines.get(line);
      row.classList.toggle("gap", !line);
      row.classList.toggle("pointed", isPointed(line));
      row.classList.toggle("picked", line > 0 && line === state.line);
      number.textContent = line || "⋯";
      self.textContent = counts && counts.self ? count(counts.self) : "";
      total.textContent = counts && counts.total ? count(counts.total) : "";
      heat.style.opacity = counts ? heatOf(counts[by], file.most[by]) : 0;
      fillCode(code, line);
    },
    act: (index) => shown[index] && pick(shown[index]),
  });

  const heatOf = (value, most) => (value ? 0.12 + 0.88 * Math.sqrt(value / most) : 0);

  // Whether the instruction that is pointed at stands for something in this line.
  function isPointed(line) {
    const { pointed, file } = state;
    return Boolean(line && pointed && pointed.file === file && line >= pointed.row.line
      && line <= (pointed.row.end_line || pointed.row.line));
  }

  function fillCode(code, line) {
    const text = line && state.file.text ? state.file.text[line - 1] ?? "" : "";
    const span = isPointed(line) ? spanIn(state.pointed.row, line, text) : null;
    code.replaceChildren();
    if (span) {
      code.append(visibleCode(text.slice(0, span[0])),
        element("mark", "", visibleCode(text.slice(span[0], span[1]))), visibleCode(text.slice(span[1])));
    } else if (text && state.matching) {
      fillMatches(code, text);
    } else {
      code.textContent = visibleCode(text);
    }
  }

  function fillMatches(code, text) {
    const all = new RegExp(state.matching.source, state.matching.flags + "g");
    let from = 0;
    for (const { 0: found, index } of text.matchAll(all)) {
      if (!found) continue;
      code.append(visibleCode(text.slice(from, index)), element("mark", "match", visibleCode(found)));
      from = index + found.length;
    }
    code.append(visibleCode(text.slice(from)));
  }

  // A column of the map is a line or, in long files, several: the hottest of them counts.
  function drawMap() {
    const { clientWidth: width, clientHeight: height } = map, ratio = devicePixelRatio || 1;
    map.width = width * ratio;
    map.height = height * ratio;
    const ctx = map.getContext("2d"), style = getComputedStyle(map);
    ctx.scale(ratio, ratio);
    if (!state.file || !shown.length) return;
    const step = Math.min(19, height / shown.length);
    ctx.fillStyle = style.getPropertyValue("--press");
    const [top, view] = [list.top / 19, box.clientHeight / 19];
    ctx.fillRect(0, top * step, width, Math.max(3, Math.min(view, shown.length) * step));
    ctx.fillStyle = style.getPropertyValue("--hot");
    for (const line of state.file.hot) {
      const index = indexOf.get(line);
      const value = state.file.lines.get(line)[state.by];
      if (index === undefined || !value) continue;
      ctx.globalAlpha = heatOf(value, state.file.most[state.by]);
      ctx.fillRect(4, index * step, width - 8, Math.max(2, step - 1));
    }
  }
  map.addEventListener("pointerdown", (e) => {
    map.setPointerCapture(e.pointerId);
    toPointer(e);
  });
  map.addEventListener("pointermove", (e) => e.buttons & 1 && toPointer(e));
  function toPointer(e) {
    const step = Math.min(19, map.clientHeight / Math.max(1, shown.length));
    list.centre(Math.floor((e.clientY - map.getBoundingClientRect().top) / step));
  }
  box.addEventListener("scroll", drawMap, { passive: true });
  new ResizeObserver(drawMap).observe(map);

  function reveal(line) {
    const index = indexOf.get(line);
    if (index === undefined) return;
    list.go(index);
    list.centre(index);
  }

  return {
    get shown() { return shown; },
    redraw() {
      list.draw();
      drawMap();
    },
    reveal,
    // Shows state.file anew.
    show() {
      shown = state.file ? linesToShow(state.file, state.hotOnly) : [];
      indexOf = new Map(shown.map((line, index) => [line, index]));
      const widest = state.file && state.file.text
        ? state.file.text.reduce((most, text) => Math.max(most, Math.min(text.length, 2000)), 0) : 0;
      box.style.setProperty("--wide", widest + 4);
      list.resize(shown.length);
      box.scrollTop = 0;
      drawMap();
    },
    // A line that is not shown, because only hot ones are, is shown by showing all.
    has: (line) => indexOf.has(line),
  };
}
