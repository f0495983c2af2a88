// The flame graph on its canvas: which boxes, where, drawn how. Only rows in sight are drawn.

const ROW = 20;         // height of a row in CSS pixels
const NARROW = 0.5;     // boxes below this many pixels are drawn together
const TEXT_ROOM = 26;   // no text in boxes below this

function makeGraph({ box, space, canvas, names }) {
  const ctx = canvas.getContext("2d", { alpha: false });
  const scroll = makeScroll(box, space);
  const font = getComputedStyle(canvas).fontFamily;
  let colours = palette(false);
  let width = 1, height = 1, ratio = 1;
  let tree = null, flame = false, zoomed = 0, selected = -1, hovered = null;
  let mark = 0, match = null;
  let scale = 0, sign = 1;   // of the base, in a comparison; whether more than it is red
  let from = 0, to = 1;      // the part in sight, in the unit of weights
  let goal = [0, 1];         // where a slide will end; else the same
  let pending = 0, moving = 0, slow = false;

  // Boxes level by level; id -1 stands for `many` narrow ones.
  let ids = new Int32Array(1024), many = new Int32Array(1024);
  let offs = new Float64Array(1024), wides = new Float64Array(1024);
  let boxes = 0, levels = [0], below = 0; // levels[i] .. levels[i + 1] are the boxes of level i

  function push(id, off, wide, n) {
    if (boxes === ids.length) {
      const twice = (a) => {
        const out = new a.constructor(2 * a.length);
        out.set(a);
        return out;
      };
      [ids, many, offs, wides] = [twice(ids), twice(many), twice(offs), twice(wides)];
    }
    ids[boxes] = id;
    offs[boxes] = off;
    wides[boxes] = wide;
    many[boxes++] = n;
  }

  // Lays out the children of the last level.
  function layoutLevel() {
    const start = levels[levels.length - 2], end = boxes;
    const least = (NARROW * (to - from)) / width;
    let run = -1;
    below = 0;
    for (let b = start; b < end; b++) {
      const id = ids[b];
      if (id < 0) continue;
      tree.expand(id);
      const { total, first, count, reach } = tree;
      let off = offs[b];
      for (let k = first[id], last = k + count[id]; k < last && off < to; k++) {
        const w = total[k];
        if (off + w > from && w > 0 && tree.key[k]) {
          if (w >= least) {
            push(k, off, w, 1);
            run = -1;
            if (reach[k] > below) below = reach[k];
          } else if (run >= 0 && offs[run] + wides[run] >= off - least) {
            wides[run] = off + w - offs[run];
            many[run]++;
          } else {
            run = boxes;
            push(-1, off, w, 1);
          }
        }
        off += w;
      }
    }
    if (boxes > end) levels.push(boxes);
  }

  // The call tree is laid out at once; a growing tree a good part, then as far as is scrolled to.
  function layoutTo(level) {
    const cost = tree.cost;
    while (below && (cost === undefined || levels.length - 2 < level
        || (tree.cost < cost + 2e6 && levels.length < 400)))
      layoutLevel();
  }

  function layout() {
    const began = performance.now();
    boxes = 0;
    levels = [0];
    push(0, 0, tree.total[0], 1);
    levels.push(1);
    below = tree.reach[0];
    layoutTo(0);
    slow = performance.now() - began > 12;
  }

  const rowCount = () => levels.length - 1 + below;
  const fullHeight = () => Math.max(rowCount() * ROW, height);
  const levelTop = (level) => (flame ? scroll.content - (level + 1) * ROW : level * ROW);
  const levelAt = (y) => Math.floor((flame ? scroll.content - y : y) / ROW);

  // Gives the scroll bar the height of what is laid out; a flame keeps its distance to the bottom.
  function fit(keepTall) {
    const was = scroll.content, wanted = fullHeight();
    const now = keepTall ? Math.max(was, wanted) : wanted;
    if (now === was) return;
    const top = scroll.top;
    scroll.resize(now);
    if (flame) scroll.top = top + now - was;
  }

  function redraw() {
    pending ||= requestAnimationFrame(() => {
      pending = 0;
      draw();
    });
  }

  function draw() {
    if (!tree) return;
    const top = scroll.top;
    let lo = levelAt(flame ? top + height - 1 : top), hi = levelAt(flame ? top : top + height - 1);
    if (below && hi + 20 > levels.length - 2) {
      layoutTo(hi + 60);
      fit(false);
    }
    lo = Math.max(0, lo);
    hi = Math.min(hi, levels.length - 2);
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    ctx.fillStyle = colours.ground;
    ctx.fillRect(0, 0, width, height);
    const px = width / (to - from), y0 = -scroll.top;
    for (let level = lo; level <= hi; level++) drawRow(level, y0 + levelTop(level), px);
    drawTexts(lo, hi, y0, px);
    drawMarks(lo, hi, y0, px);
    api.drawn();
    if (!tree.total[0]) {
      ctx.fillStyle = colours.ink;
      ctx.fillText("No samples of what is chosen", 14, 20);
    }
  }

  const snap = (x) => Math.round(Math.min(width, Math.max(0, x)) * ratio) / ratio;

  function fillOf(id) {
    const c = names.colours[tree.fn[id]];
    if (match && match[tree.fn[id]] && id) return colours.match;
    if (!id) return colours.root;
    if (scale && tree.depth[id] >= tree.depth[zoomed] && !match) return changeFill(id);
    return match || tree.depth[id] < tree.depth[zoomed] ? colours.faded[c] : colours.fill[c];
  }

  // Red for more, blue for less, the stronger the larger the change; grey where chance may have done it.
  function changeFill(id) {
    const { total, samples, base } = tree;
    const change = changeOf(total[id], samples[id], base.total[id], base.samples[id], scale) * sign;
    if (!change) return colours.same;
    const steps = change > 0 ? colours.more : colours.less;
    return steps[Math.min(steps.length - 1, Math.floor(Math.abs(change) * steps.length))];
  }

  function drawRow(level, y, px) {
    let fill = "";
    for (let b = levels[level]; b < levels[level + 1]; b++) {
      let x = (offs[b] - from) * px, end = snap(x + wides[b] * px);
      if (end <= 0) continue;
      x = snap(x);
      if (end <= x) end = x + 1 / ratio; // what is there is seen
      const wanted = ids[b] < 0 ? colours.narrow : fillOf(ids[b]);
      if (wanted !== fill) ctx.fillStyle = fill = wanted;
      ctx.fillRect(x, y, end - x - (end - x > 4 ? 1 : end - x > 2 ? 0.5 : 0), ROW - 1);
    }
  }

  // Widths of characters are measured once each.
  const wide = new Map();
  function measure(c) {
    let w = wide.get(c);
    if (w === undefined) wide.set(c, (w = ctx.measureText(c).width));
    return w;
  }

  // How much of `text` fits: its width when all does, else -1 - the number of characters that do.
  function measureTo(text, room) {
    let w = 0, n = 0;
    for (const c of text) {
      w += measure(c);
      if (w > room) return -1 - n;
      n += c.length;
    }
    return w;
  }

  function shorten(text, room) {
    const n = -1 - measureTo(text, room - measure("…"));
    return n > 0 ? text.slice(0, n) + "…" : "";
  }

  function drawTexts(lo, hi, y0, px) {
    ctx.font = `12px ${font}`;
    ctx.textBaseline = "middle";
    ctx.direction = "ltr";
    for (let level = lo; level <= hi; level++) {
      const y = y0 + levelTop(level) + ROW / 2;
      for (let b = levels[level]; b < levels[level + 1]; b++) {
        if (ids[b] < 0 || wides[b] * px < TEXT_ROOM) continue;
        const x = Math.max(0, (offs[b] - from) * px) + 5;
        const room = Math.min(width, (offs[b] + wides[b] - from) * px) - x - 4;
        if (room > TEXT_ROOM - 9) drawText(ids[b], x, y, room);
      }
    }
  }

  function drawText(id, x, y, room) {
    const fn = tree.fn[id];
    let text = id ? names.name(fn) : api.rootText;
    const line = id && tree.byLine && names.line(tree, tree.key[id]);
    if (line) text += ":" + line;
    let w = measureTo(text, room);
    if (w < 0) {
      // The end of a qualified name says more than its beginning.
      const tail = text.slice(text.lastIndexOf(".", text.length - 2) + 1);
      text = tail.length < text.length && tail.length < 200 && measureTo(tail, room) >= 0 ? tail
        : shorten(tail.length < text.length && tail.length > 2 ? tail : text, room);
      w = -1;
    }
    const faded = id && tree.depth[id] < tree.depth[zoomed];
    ctx.fillStyle = faded ? colours.quiet : colours.ink;
    ctx.fillText(text, x, y + 0.5);
    if (w < 0 || !id || faded) return;
    const place = names.short(fn);
    if (place && place.length < 300 && measureTo(place, room - w - 12) >= 0) {
      ctx.fillStyle = match && match[fn] ? colours.ink : colours.soft;
      ctx.fillText(place, x + w + 8, y + 0.5);
    }
  }

  function drawMarks(lo, hi, y0, px) {
    const outline = (b, level, thick) => {
      const x = snap((offs[b] - from) * px), end = snap((offs[b] + wides[b] - from) * px);
      ctx.lineWidth = thick;
      ctx.strokeRect(x + thick / 2, y0 + levelTop(level) + thick / 2,
        Math.max(0.5, end - x - 1 - thick), ROW - 1 - thick);
    };
    ctx.strokeStyle = colours.edge;
    for (let level = lo; level <= hi; level++)
      for (let b = levels[level]; b < levels[level + 1]; b++) {
        const id = ids[b];
        if (id === selected && id >= 0) {
          outline(b, level, 2);
        } else if (id > 0 && mark && tree.fn[id] === mark && wides[b] * px > 5) {
          ctx.setLineDash([2, 2]);
          outline(b, level, 1);
          ctx.setLineDash([]);
        }
        if (hovered && hovered.level === level && hovered.off === offs[b]) outline(b, level, 1);
      }
  }

  function boxAt(level, value) {
    if (level < 0 || level > levels.length - 2) return -1;
    let lo = levels[level], hi = levels[level + 1] - 1;
    while (lo < hi) {
      const mid = (lo + hi + 1) >> 1;
      if (offs[mid] <= value) lo = mid;
      else hi = mid - 1;
    }
    return lo <= hi && offs[lo] <= value && value < offs[lo] + wides[lo] ? lo : -1;
  }

  const describe = (b, level) => (b < 0 ? null
    : { id: ids[b], level, off: offs[b], wide: wides[b], many: many[b] });

  function clamp(a, b) {
    const all = tree.total[0];
    if (!all) return [0, 1];
    const wideEnough = Math.min(all, Math.max(b - a, all * 1e-9));
    a = Math.min(Math.max(0, a), all - wideEnough);
    return [a, a + wideEnough];
  }

  function moveTo(a, b, keepTall) {
    from = a;
    to = b;
    layout();
    fit(keepTall);
  }

  function jump(a, b) {
    cancelAnimationFrame(moving);
    goal = [a, b];
    moveTo(a, b, false);
    redraw();
  }

  // Shows [a, b); slides there when that is quick and not unwanted.
  function slide(a, b, after) {
    cancelAnimationFrame(moving);
    goal = [a, b];
    const a0 = from, b0 = to, began = performance.now();
    const still = slow || (a === from && b === to)
      || matchMedia("(prefers-reduced-motion: reduce)").matches;
    const step = () => {
      const t = still ? 1 : Math.min(1, (performance.now() - began) / 170);
      const e = 1 - (1 - t) ** 3;
      moveTo(t === 1 ? a : a0 + (a - a0) * e, t === 1 ? b : b0 + (b - b0) * e, t < 1);
      if (t < 1 && !slow) moving = requestAnimationFrame(step);
      else if (t < 1) moveTo(a, b, false);
      if (t === 1 || slow) after();
      draw();
    };
    step();
  }

  // Scrolls so that a level can be seen.
  function revealLevel(level) {
    layoutTo(level + 40);
    fit(false);
    const y = levelTop(level), top = scroll.top, margin = Math.min(height / 3, 3 * ROW);
    if (y < top + margin) scroll.top = y - margin;
    else if (y + ROW > top + height - margin) scroll.top = y + ROW + margin - height;
    redraw();
  }

  // The deepest node that covers all of [a, b].
  function covering(a, b) {
    const near = (b - a) * 1e-9;
    let id = 0, off = 0;
    for (;;) {
      tree.expand(id);
      let child = 0, at = off;
      for (let k = tree.first[id], end = k + tree.count[id]; k < end && at <= a + near; k++) {
        if (at + tree.total[k] >= b - near) {
          child = tree.key[k] ? k : 0;
          break;
        }
        at += tree.total[k];
      }
      if (!child) return id;
      id = child;
      off = at;
    }
  }

  const api = {
    rootText: "",
    drawn() {},
    scroll,
    redraw,
    draw,
    get tree() { return tree; },
    get range() { return goal; },
    get inSight() { return [from, to]; },
    get colours() { return colours; },
    get zoomed() { return zoomed; },
    get rows() { return rowCount(); },
    paint(dark) {
      colours = palette(dark);
      redraw();
    },
    resize() {
      const old = width + "," + height + "," + ratio;
      width = Math.max(1, box.clientWidth);
      height = Math.max(1, box.clientHeight);
      ratio = Math.max(1, devicePixelRatio || 1);
      if (old === width + "," + height + "," + ratio) return;
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
      canvas.style.width = width + "px";
      canvas.style.height = height + "px";
      if (!tree) return;
      moveTo(from, to, false);
      draw();
    },
    show(newTree, wasFlame) {
      tree = newTree;
      zoomed = 0;
      selected = -1;
      hovered = null;
      api.orient(wasFlame);
    },
    // After the weights have changed: the same zoom, if it still has any.
    refresh() {
      if (!tree.total[zoomed]) zoomed = 0;
      const off = offsetOf(tree, zoomed);
      jump(...clamp(off, off + tree.total[zoomed]));
    },
    orient(toFlame) {
      flame = toFlame;
      scroll.resize(0);
      api.refresh();
      scroll.top = flame ? scroll.content : 0;
    },
    zoom(id) {
      zoomed = id;
      const off = offsetOf(tree, id);
      slide(...clamp(off, off + tree.total[id]), () => revealLevel(tree.depth[id]));
    },
    // Shows a range of weights; the frame zoomed to is then the one that holds all of it.
    zoomRange(a, b, smooth) {
      [a, b] = clamp(a, b);
      zoomed = covering(a, b);
      if (smooth) slide(a, b, () => {});
      else jump(a, b);
    },
    mark(what) {
      if ("selected" in what) selected = what.selected;
      if ("hovered" in what) hovered = what.hovered;
      if ("fn" in what) mark = what.fn;
      if ("match" in what) match = what.match;
      if ("scale" in what) [scale, sign] = [what.scale, what.sign];
      redraw();
    },
    reveal(id) { revealLevel(tree.depth[id]); },
    valueAt(clientX) {
      return from + ((clientX - canvas.getBoundingClientRect().left) / width) * (to - from);
    },
    hit(clientX, clientY) {
      const rect = canvas.getBoundingClientRect();
      const level = levelAt(clientY - rect.top + scroll.top);
      return describe(boxAt(level, api.valueAt(clientX)), level);
    },
    // The box of a node, if it is drawn by itself.
    boxOf(id) {
      const level = tree.depth[id];
      layoutTo(level);
      const b = boxAt(level, offsetOf(tree, id) + tree.total[id] / 2);
      return b >= 0 && ids[b] === id ? describe(b, level) : null;
    },
    // The next box with a node in the row of `id`, to the left (-1) or right (1).
    beside(id, step) {
      const level = tree.depth[id];
      let b = boxAt(level, offsetOf(tree, id) + tree.total[id] / 2);
      if (b < 0) return null;
      for (b += step; b >= levels[level] && b < levels[level + 1]; b += step)
        if (ids[b] >= 0) return describe(b, level);
      return null;
    },
    // Where a node is drawn, in the window's pixels, or null.
    rect(id) {
      const found = api.boxOf(id);
      if (!found) return null;
      const at = canvas.getBoundingClientRect(), px = width / (to - from);
      const x = snap((found.off - from) * px), end = snap((found.off + found.wide - from) * px);
      return { x: at.left + x, y: at.top + levelTop(found.level) - scroll.top,
        width: end - x, height: ROW - 1 };
    },
    // Matched boxes in reading order, starting after `id`, wrapping around.
    nextMatch(id, step) {
      if (!match) return -1;
      const found = [];
      let at = -1;
      for (let b = 1; b < boxes; b++) {
        const hit = ids[b] > 0 && match[tree.fn[ids[b]]];
        if (id > 0 && ids[b] === id) at = hit ? found.length : found.length - 0.5;
        if (hit) found.push(ids[b]);
      }
      if (!found.length) return -1;
      const next = step > 0 ? Math.floor(at) + 1 : Math.ceil(at) - 1;
      return found[(next + found.length) % found.length];
    },
  };
  return api;
}
