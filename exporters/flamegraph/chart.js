// The flame chart: one thread's stacks along the time axis, as a tree whose children stand in the
// order of time. It grows where it is looked at, like that of growTree().

// Ancestors at a depth in few steps, however deep the tree is: every node has its parent and one
// jump further up; jumps are as long as in a skew-binary number.
function makeAncestors({ parent, depth, n }) {
  const jump = new Int32Array(n);
  for (let id = 1; id < n; id++) {
    const p = parent[id], j = jump[p];
    jump[id] = depth[p] - depth[j] === depth[j] - depth[jump[j]] ? jump[j] : p;
  }
  return (id, wanted) => {
    while (depth[id] > wanted) id = depth[jump[id]] >= wanted ? jump[id] : parent[id];
    return id;
  };
}

// What a thread did in the buckets [a, b): stretches of one node of `tree` each, without gaps; node
// 0 where it was not seen, or where `cut` says that the stack is left out.
function stretchesOf(profile, tree, line, a, b, cut) {
  const { timeline } = profile, { width, first, length, cells } = timeline;
  const node = [], samples = [], ends = [];
  let now = a * width;
  const put = (id, n, weight) => {
    if (weight <= 0) return;
    now += weight;
    if (node.length && node.at(-1) === id) {
      ends[ends.length - 1] = now;
      samples[samples.length - 1] += n;
      return;
    }
    node.push(id);
    samples.push(n);
    ends.push(now);
  };
  for (let s = line.from; s < line.to && first[s] < b; s++) {
    const n = length[s], lo = Math.max(first[s], a), hi = Math.min(first[s] + n, b);
    if (hi <= lo) continue;
    put(0, 0, lo * width - now);
    for (let c = cells[s]; c < cells[s + 1]; c++) {
      const id = cut && cut[timeline.node[c]] ? 0 : tree.of[timeline.node[c]];
      const of = (whole) => (n === 1 ? whole : partOf(whole, n, lo - first[s], hi - first[s]));
      put(id, of(timeline.samples[c]), of(timeline.weight[c]));
    }
  }
  put(0, 0, b * width - now);
  return { node, samples, ends, start: a * width };
}

function chartTree(profile, tree, line, [a, b], cut) {
  const { node, samples, ends, start } = stretchesOf(profile, tree, line, a, b, cut);
  const ancestor = makeAncestors(tree);
  const begin = (i) => (i ? ends[i - 1] : start);
  const chart = {
    isChart: true, start, byLine: tree.byLine, keys: tree.keys, n: 1, up: false, cost: 0, expand,
    parent: [0], key: [0], fn: [0], first: [0], count: [-1], depth: [0], reach: [0],
    from: [0], to: [node.length], total: [b * profile.timeline.width - start], samples: [0], self: [0],
  };
  for (let i = 0; i < node.length; i++) {
    chart.samples[0] += samples[i];
    chart.reach[0] = Math.max(chart.reach[0], tree.depth[node[i]]);
  }

  // A child without a key is time in `parent` itself: it keeps the others in their places.
  function add(parent, id, from) {
    const deep = chart.depth[parent] + 1;
    const values = {
      parent, key: id ? tree.key[id] : 0, fn: id ? tree.fn[id] : 0, first: 0, count: id ? -1 : 0,
      depth: deep, reach: 0, from, to: from, total: 0, samples: 0, self: 0,
    };
    for (const name in values) chart[name].push(values[name]);
    return chart.n++;
  }

  function expand(parent) {
    if (chart.count[parent] >= 0) return;
    const deep = chart.depth[parent] + 1, base = chart.n;
    let last = -1, child = 0;
    for (let i = chart.from[parent]; i < chart.to[parent]; i++) {
      const id = tree.depth[node[i]] >= deep ? ancestor(node[i], deep) : 0;
      if (id !== last) child = add(parent, last = id, i);
      chart.to[child] = i + 1;
      chart.total[child] += ends[i] - begin(i);
      chart.samples[child] += samples[i];
      if (tree.depth[node[i]] === deep) chart.self[child] += ends[i] - begin(i);
      if (id) chart.reach[child] = Math.max(chart.reach[child], tree.depth[node[i]] - deep);
    }
    chart.first[parent] = base;
    chart.count[parent] = chart.n - base;
    chart.cost += chart.to[parent] - chart.from[parent];
  }
  return chart;
}

// A time axis above the chart: `range` is what can be seen, in ns since the start of the run.
function drawRuler(canvas, range, colours) {
  const ctx = canvas.getContext("2d"), { clientWidth: width, clientHeight: height } = canvas;
  const ratio = Math.max(1, devicePixelRatio || 1), [from, to] = range;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  ctx.scale(ratio, ratio);
  ctx.font = `11px ${getComputedStyle(canvas).fontFamily}`;
  ctx.textBaseline = "middle";
  let step = 10 ** Math.floor(Math.log10(Math.max(1, ((to - from) * 90) / width)));
  for (const by of [2, 2.5, 2]) if ((step * width) / (to - from) < 90) step *= by;
  for (let tick = Math.ceil(from / step); tick * step <= to; tick++) {
    const x = Math.round(((tick * step - from) / (to - from)) * width);
    ctx.fillStyle = colours.narrow;
    ctx.fillRect(x, 0, 1, height);
    ctx.fillStyle = colours.quiet;
    ctx.fillText(moment(tick * step, step), x + 4, height / 2 + 0.5);
  }
}

// A point in time, as exactly as steps of `step` need; both in ns.
function moment(ns, step) {
  const digits = Math.max(0, Math.min(9, 9 - Math.floor(Math.log10(step) + 1e-9)));
  const s = ns / 1e9;
  if (s < 120) return `${s.toFixed(digits)} s`;
  const two = (n, d) => n.toFixed(d).padStart(d ? d + 3 : 2, "0");
  const h = Math.floor(s / 3600), m = Math.floor((s % 3600) / 60);
  return (h ? `${h}:${two(m, 0)}` : `${m}`) + `:${two(s % 60, digits)}`;
}
