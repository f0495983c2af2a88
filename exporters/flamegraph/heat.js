// The map of the run: cells of time, coloured by the function that stands out in them (those that do
// most often have a colour of their own, the others are grey), or by how much of what is searched for
// is in them, the strongest cell in full colour.
// In the grid a column is a stretch of time that runs from top to bottom; else a row is a thread.

const AXIS = 16;        // height of the time axis in CSS pixels
const NAMES_WIDE = 130; // of the threads' names
const LEAST_COLUMN = 5, LEAST_ROW = 3, LEAST_LANE = 8;

// `chosen(range, isSecond)` is told of a range of buckets; `look()` gives { shown, match, range,
// against, byThread, colours }; `tell(cell, x, y)` shows a cell, or hides what is shown (null);
// `explain(fns)` is told of the functions that have a colour, in the order of colours.kinds.
function makeHeat({ profile, canvas, look, chosen, tell, explain }) {
  const { timeline } = profile, ctx = canvas.getContext("2d", { alpha: false });
  let map = null, made = "", matched = null, anchor = null, cursor = null, pending = 0;
  let drag = null; // while it is dragged: { range }

  function makeGrid({ shown }, width, height) {
    const most = Math.max(10, Math.floor(width / LEAST_COLUMN));
    const grid = gridOf(timeline, most, Math.floor(height / LEAST_ROW));
    const several = timeline.lines.filter((line) => shown[line.thread] && line.to > line.from).length > 1;
    const places = grid.columns * grid.rows;
    const lanes = [{ shown, ...heatOf(profile, shown, grid.row, places, several) }];
    return { left: 0, per: grid.row, down: grid.rows, columns: grid.columns, places, lanes };
  }

  function makeLanes({ shown }, width, height) {
    const weight = (line) => timeline.weight.subarray(timeline.cells[line.from], timeline.cells[line.to])
      .reduce((a, b) => a + b, 0);
    const lines = timeline.lines.filter((line) => shown[line.thread] && line.to > line.from)
      .sort((a, b) => weight(b) - weight(a)).slice(0, Math.max(1, Math.floor(height / LEAST_LANE)));
    const most = Math.max(10, Math.floor((width - NAMES_WIDE) / LEAST_COLUMN));
    const { column: per, columns: places } = gridOf(timeline, most, 1);
    const lanes = lines.map(({ thread }) => {
      const only = shown.map((_, i) => (i === thread ? 1 : 0));
      return { thread, shown: only, ...heatOf(profile, only, per, places, false) };
    });
    return { left: NAMES_WIDE, per, down: 1, columns: places, places, lanes };
  }

  // Made anew only where something has changed: this is the one thing here that takes a while.
  function make() {
    const seen = look(), width = canvas.clientWidth, height = canvas.clientHeight - AXIS;
    const wanted = [seen.byThread, width, height, seen.shown.join("")].join();
    if (wanted !== made) {
      map = (seen.byThread ? makeLanes : makeGrid)(seen, width, height);
      rank();
    }
    made = wanted;
    matched = seen.match
      && map.lanes.map((lane) => matchedHeat(profile, lane.shown, map.per, map.places, seen.match));
    map.most = map.lanes.reduce((most, { weight }) => Math.max(most, ...chunkMax(weight)), 0);
    map.mostHit = 0;
    matched?.forEach((hits, i) => hits.forEach((w, place) => {
      if (w) map.mostHit = Math.max(map.mostHit, w / map.lanes[i].weight[place]);
    }));
    map.wide = (width - map.left) / map.columns;
    map.tall = height / (map.down * Math.max(1, map.lanes.length));
  }

  // Gives colours to the functions that stand out in most cells.
  function rank() {
    const cells = new Map();
    for (const { top } of map.lanes)
      for (const fn of top) if (fn) cells.set(fn, (cells.get(fn) || 0) + 1);
    const best = Array.from(cells).sort((a, b) => b[1] - a[1]).slice(0, KINDS.length).map(([fn]) => fn);
    map.kinds = new Map(best.map((fn, i) => [fn, i]));
    explain(best);
  }

  // Math.max(...array) in parts that fit on the stack.
  function chunkMax(array) {
    const out = [0];
    for (let i = 0; i < array.length; i += 4096) out.push(Math.max(...array.subarray(i, i + 4096)));
    return out;
  }

  const isIn = (range, place) => range && place * map.per < range[1] && (place + 1) * map.per > range[0];

  function drawLane(lane, y0, hits, { colours, range, against }) {
    for (let place = 0; place < map.places; place++) {
      if (!lane.weight[place]) continue;
      const x = map.left + Math.floor(place / map.down) * map.wide, y = y0 + (place % map.down) * map.tall;
      const part = hits ? hits[place] / lane.weight[place] / map.mostHit : lane.weight[place] / map.most;
      const isOut = (range || against) && !isIn(range, place) && !isIn(against, place);
      ctx.globalAlpha = isOut ? 0.3 : 1;
      ctx.fillStyle = colours.narrow;
      ctx.fillRect(x, y, map.wide - (map.wide > 8 ? 1 : 0), map.tall - (map.tall > 5 ? 1 : 0));
      ctx.globalAlpha *= hits ? part : 0.3 + 0.7 * Math.sqrt(part);
      ctx.fillStyle = hits ? colours.match : colours.kinds[map.kinds.get(lane.top[place])] ?? colours.rest;
      ctx.fillRect(x, y, map.wide - (map.wide > 8 ? 1 : 0), map.tall - (map.tall > 5 ? 1 : 0));
    }
    ctx.globalAlpha = 1;
  }

  function drawAxis(width, height, { colours, range, against }) {
    const column = map.per * map.down;
    let every = 1;
    for (const by of [2, 2.5, 2, 2, 2.5, 2]) if (every * map.wide < 84) every *= by;
    ctx.textBaseline = "middle";
    ctx.font = `11px ${getComputedStyle(canvas).fontFamily}`;
    const bar = ([a, b], colour) => {
      const x = (bucket) => map.left + (bucket / column) * map.wide;
      ctx.fillStyle = colour;
      ctx.fillRect(x(a), height - AXIS, Math.max(2, x(b) - x(a)), 3);
    };
    for (let c = 0; c < map.columns; c += every) {
      const x = Math.round(map.left + c * map.wide);
      if (x + 60 > width) break;
      ctx.fillStyle = colours.narrow;
      ctx.fillRect(x, height - AXIS, 1, AXIS);
      ctx.fillStyle = colours.quiet;
      ctx.fillText(moment(c * column * timeline.width, column * timeline.width), x + 4, height - AXIS / 2 + 2);
    }
    if (against) bar(against, colours.less.at(-1));
    if (range) bar(range, colours.more.at(-1));
  }

  function draw() {
    pending = 0;
    const width = canvas.clientWidth, height = canvas.clientHeight;
    const seen = drag ? { ...look(), range: drag.range, against: null } : look();
    const ratio = Math.max(1, devicePixelRatio || 1);
    if (!width || !height) return;
    make();
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    ctx.scale(ratio, ratio);
    ctx.fillStyle = seen.colours.ground;
    ctx.fillRect(0, 0, width, height);
    map.lanes.forEach((lane, i) => drawLane(lane, i * map.tall * map.down, matched?.[i], seen));
    drawAxis(width, height, seen);
    if (!map.left) return;
    ctx.fillStyle = seen.colours.ground;
    ctx.fillRect(0, 0, map.left - 4, height);
    ctx.fillStyle = seen.colours.soft;
    ctx.font = `${Math.min(11, map.tall + 1)}px ${getComputedStyle(canvas).fontFamily}`;
    map.lanes.forEach(({ thread }, i) => ctx.fillText(
      visible(profile.threads[thread].name).slice(0, 20) || "(no name)", 10, (i + 0.5) * map.tall));
  }

  const redraw = () => { pending ||= requestAnimationFrame(draw); };

  // The cell at a point, as { lane, place, range }.
  function cellAt(clientX, clientY) {
    const at = canvas.getBoundingClientRect(), within = (n, most) => Math.max(0, Math.min(most - 1, n));
    const column = within(Math.floor((clientX - at.left - map.left) / map.wide), map.columns);
    const line = within(Math.floor((clientY - at.top) / map.tall), map.down * map.lanes.length);
    return cellOf(column * map.down + (line % map.down), Math.floor(line / map.down));
  }

  function cellOf(place, i) {
    const last = Math.floor((timeline.count - 1) / map.per);
    place = Math.max(0, Math.min(last, place));
    const from = place * map.per, to = Math.min(timeline.count, from + map.per), lane = map.lanes[i];
    return { place, lane: i, range: [from, to], top: lane.top[place], weight: lane.weight[place],
      thread: lane.thread, matched: matched ? matched[i][place] : null };
  }

  const rangeTo = (cell) => [Math.min(anchor.range[0], cell.range[0]), Math.max(anchor.range[1], cell.range[1])];

  canvas.addEventListener("pointerdown", (e) => {
    if (e.button || !map?.lanes.length) return;
    canvas.setPointerCapture(e.pointerId);
    anchor = cursor = cellAt(e.clientX, e.clientY);
    drag = { range: anchor.range };
    tell(null);
    redraw();
  });
  canvas.addEventListener("pointermove", (e) => {
    if (!map?.lanes.length) return;
    const cell = cellAt(e.clientX, e.clientY);
    if (!drag) return tell(cell, e.clientX, e.clientY);
    cursor = cell;
    drag.range = rangeTo(cell);
    redraw();
  });
  canvas.addEventListener("pointerup", (e) => {
    if (drag) chosen(rangeTo(cellAt(e.clientX, e.clientY)), e.shiftKey);
    drag = null;
  });
  canvas.addEventListener("pointercancel", () => { drag = null; });
  canvas.addEventListener("pointerleave", () => tell(null));
  canvas.addEventListener("keydown", (e) => {
    const side = map?.down ?? 1;
    const step = { ArrowLeft: -side, ArrowRight: side, ArrowUp: -1, ArrowDown: 1, Enter: 0, " ": 0 }[e.key];
    if (step === undefined || !map.lanes.length) return;
    cursor = cellOf((cursor ?? cellOf(0, 0)).place + (anchor ? step : 0), 0);
    if (!e.shiftKey || !anchor) anchor = cursor;
    chosen(rangeTo(cursor), false);
    e.preventDefault();
    e.stopPropagation();
  });
  new ResizeObserver(redraw).observe(canvas);
  return { update: redraw, cellOf: (place, lane) => (make(), cellOf(place, lane)), get map() { return map; } };
}
