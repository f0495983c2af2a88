// When what ran: the time buckets of each thread, and sums over ranges of them. Knows no screen.

// timeline: `count` buckets of `width_ns` from the start of the run. spans[i] is what thread i + 1
// did, as numbers in a row: buckets since the end of the span before, length in buckets, number of
// cells, then for each cell the node (difference from the cell before), samples, and the weight
// beyond samples * interval. A span longer than one bucket has one cell, evenly spread.
function decodeTimeline(json, byTime) {
  const { timeline: t, run } = json;
  if (!t || !t.count) return null;
  const first = [], length = [], cells = [0], node = [], samples = [], weight = [], lines = [];
  t.spans.forEach((row, i) => {
    const from = first.length;
    for (let at = 0, bucket = 0, last = 0; at < row.length;) {
      first.push(bucket += row[at++]);
      length.push(row[at++]);
      bucket += length.at(-1);
      for (let n = row[at++]; n > 0; n--, at += 3) {
        node.push(last += row[at]);
        samples.push(row[at + 1]);
        weight.push(byTime ? row[at + 2] + row[at + 1] * run.interval_ns : row[at + 1]);
      }
      cells.push(node.length);
    }
    lines.push({ thread: i + 1, from, to: first.length });
  });
  return {
    width: t.width_ns, count: t.count, fold: t.fold_ns, lines,
    first: Int32Array.from(first), length: Int32Array.from(length), cells: Int32Array.from(cells),
    node: Int32Array.from(node), samples: Float64Array.from(samples),
    weight: Float64Array.from(weight),
  };
}

// The part of a whole that `length` buckets have in their buckets [a, b); all parts make the whole.
const partOf = (whole, length, a, b) => Math.floor((whole * b) / length) - Math.floor((whole * a) / length);

// Tells add(node, samples, weight) of all that the threads in `shown` did in the buckets [a, b).
function eachCell(timeline, shown, a, b, add) {
  const { first, length, cells, node, samples, weight } = timeline;
  for (const { thread, from, to } of timeline.lines) {
    if (!shown[thread]) continue;
    for (let s = from; s < to && first[s] < b; s++) {
      const n = length[s], lo = Math.max(0, a - first[s]), hi = Math.min(n, b - first[s]);
      if (hi <= lo) continue;
      for (let c = cells[s]; c < cells[s + 1]; c++)
        if (n === 1) add(node[c], samples[c], weight[c]);
        else add(node[c], partOf(samples[c], n, lo, hi), partOf(weight[c], n, lo, hi));
    }
  }
}

// What each node itself has, of the threads in `shown`: in the whole run, or in the buckets of
// `range`.
function ownWeights(profile, shown, range) {
  const own = {
    weight: new Float64Array(profile.parent.length), samples: new Float64Array(profile.parent.length),
  };
  const add = (node, samples, weight) => {
    own.samples[node] += samples;
    own.weight[node] += weight;
  };
  if (range) eachCell(profile.timeline, shown, range[0], range[1], add);
  else
    for (let i = 1; i < profile.selfNode.length; i++)
      if (shown[profile.selfThread[i]]) add(profile.selfNode[i], profile.samples[i], profile.weight[i]);
  return own;
}

// --- The heat map: time in columns of equal length, each cut into rows.

// How long columns and rows are, in buckets; both are 1, 2 or 5 times a power of ten in time.
function gridOf({ width, count }, most, rows) {
  const steps = [1, 2, 5, 10];
  let column = 1;
  for (let unit = 1; column * most < count; unit *= 10)
    column = unit * (steps.find((s) => unit * s * most >= count && niceTime(unit * s * width)) ?? 10);
  let row = 1;
  while (column / row > rows || column % row || !niceTime(row * width)) row++;
  return { column, row, columns: Math.ceil(count / column), rows: column / row };
}

// 1, 2 or 5 times a power of ten?
function niceTime(ns) {
  while (ns >= 10) ns /= 10;
  return [1, 2, 5].includes(Math.round(ns * 1e6) / 1e6);
}

// For each of `places` cells of `per` buckets: its weight, and the function that stands out: with
// `beyond`, the one that runs most above its own average, which takes threads that always wait out of
// the picture; else the one that runs most.
function heatOf(profile, shown, per, places, beyond) {
  const { timeline, frame, frameFn } = profile;
  const weight = new Float64Array(places), top = new Int32Array(places);
  const kinds = Array.from({ length: places }, () => new Map());
  const average = new Map(), steady = new Map();
  const plus = (map, key, w) => map.set(key, (map.get(key) || 0) + w);
  // What fills several cells would fill every map: only where it begins and ends is noted.
  const spread = (fn, begin, end, w) => {
    if (!steady.has(fn)) steady.set(fn, new Float64Array(timeline.count + 1));
    steady.get(fn)[begin] += w;
    steady.get(fn)[end] -= w;
  };
  for (const { thread, from, to } of timeline.lines) {
    if (!shown[thread]) continue;
    for (let s = from; s < to; s++) {
      const begin = timeline.first[s], n = timeline.length[s];
      for (let c = timeline.cells[s]; c < timeline.cells[s + 1]; c++) {
        const fn = frameFn[frame[timeline.node[c]]], w = timeline.weight[c];
        plus(average, fn, w / places);
        if (n > 1) spread(fn, begin, begin + n, w / n);
        else plus(kinds[Math.floor(begin / per)], fn, w);
      }
    }
  }
  for (const [fn, steps] of steady)
    for (let bucket = 0, now = 0; bucket < timeline.count; bucket++) {
      now += steps[bucket];
      if (now > 1e-3) plus(kinds[Math.floor(bucket / per)], fn, now);
    }
  kinds.forEach((kind, place) => {
    let best = -Infinity;
    for (const [fn, w] of kind) {
      const value = beyond ? w - average.get(fn) : w;
      weight[place] += w;
      if (value <= best) continue;
      best = value;
      top[place] = fn;
    }
  });
  return { weight, top };
}

// What of each cell's weight is in stacks with a function that `match` hits.
function matchedHeat(profile, shown, per, places, match) {
  const { timeline, parent, frame, frameFn } = profile;
  const out = new Float64Array(places), hit = new Uint8Array(parent.length);
  for (let i = 1; i < hit.length; i++) hit[i] = hit[parent[i]] | match[frameFn[frame[i]]];
  for (const { thread, from, to } of timeline.lines) {
    if (!shown[thread]) continue;
    for (let s = from; s < to; s++)
      for (let c = timeline.cells[s]; c < timeline.cells[s + 1]; c++) {
        if (!hit[timeline.node[c]]) continue;
        const n = timeline.length[s], w = timeline.weight[c] / n, end = timeline.first[s] + n;
        for (let at = timeline.first[s], next; at < end; at = next) {
          next = Math.min(end, (Math.floor(at / per) + 1) * per);
          out[Math.floor(at / per)] += w * (next - at);
        }
      }
  }
  return out;
}
