// The profile as typed arrays, and the call trees made of it. Nothing here knows the screen.
// Stacks may be very deep: every pass over a tree is a loop over ids (parents come first).

// A column with more rows, given as they are.
function extend(array, values) {
  const out = new array.constructor(array.length + values.length);
  out.set(array);
  out.set(values, array.length);
  return out;
}

// strings: texts by id. functions: name and file (strings), first line. frames: function, line that
// runs, kind (0: Python's). nodes: parent node (0: none) and frame, parents first; in node_tasks, what
// of `tasks` they are part of (0: none; missing where nobody asked). selves: samples
// and weight of a thread in a node itself. lines: file (string), line, what stands there. base: what
// to compare with; its threads are those after `threads_after`. timeline: see time.js; `small` are
// parents of nodes that come after the others, in which ranges of time count rare stacks together.
function decodeProfile(json) {
  const { strings, functions, frames, nodes, threads, selves, base } = json;
  const samples = column(selves.samples, Float64Array);
  const weight = column(selves.weight_ns, Float64Array);
  const byTime = weight.some((w) => w > 0);
  const [name, tid, pid] = [column(threads.name), column(threads.tid), column(threads.pid)];
  const profile = {
    run: json.run, health: json.health, strings, base: base || null,
    fnName: column(functions.name), fnFile: column(functions.file), fnLine: column(functions.line),
    frameFn: column(frames.function), frameLine: column(frames.line),
    frameKind: column(frames.kind),
    parent: column(nodes.parent), frame: column(nodes.frame),
    tasks: json.tasks ?? [""], nodeTask: json.tasks ? column(json.node_tasks) : null,
    threads: Array.from(tid, (id, i) => ({ tid: id, pid: pid[i], name: strings[name[i]],
      isBase: !!base && i > base.threads_after })),
    selfThread: column(selves.thread), selfNode: column(selves.node),
    samples, weight: byTime ? weight : samples, byTime,
    timeline: decodeTimeline(json, byTime),
    source: new Map((json.lines || []).map(([file, line, text]) => [`${file}:${line}`, text])),
  };
  if (json.timeline?.small.length) addSmall(profile, column(json.timeline.small).subarray(1));
  return profile;
}

function addSmall(profile, parents) {
  const fn = profile.fnName.length, frame = profile.frameFn.length;
  profile.fnName = extend(profile.fnName, [profile.strings.push("(small)") - 1]);
  profile.fnFile = extend(profile.fnFile, [0]);
  profile.fnLine = extend(profile.fnLine, [0]);
  profile.frameFn = extend(profile.frameFn, [fn]);
  profile.frameLine = extend(profile.frameLine, [0]);
  profile.frameKind = extend(profile.frameKind, [1]);
  profile.parent = extend(profile.parent, parents);
  profile.frame = extend(profile.frame, parents.map(() => frame));
  if (profile.nodeTask) profile.nodeTask = extend(profile.nodeTask, parents.map((node) => profile.nodeTask[node]));
  profile.smallFn = fn;
}

// Sorts ids[from..to) by weight, heaviest first; equal weights by id.
function sortByWeight(ids, from, to, weight) {
  const n = to - from;
  if (n < 2) return;
  if (n <= 24) {
    for (let i = from + 1; i < to; i++) {
      const id = ids[i], w = weight[id];
      let j = i - 1;
      for (; j >= from && (weight[ids[j]] < w || (weight[ids[j]] === w && ids[j] > id)); j--)
        ids[j + 1] = ids[j];
      ids[j + 1] = id;
    }
  } else if (n <= 4096) {
    ids.subarray(from, to).sort((a, b) => weight[b] - weight[a] || a - b);
  } else {
    radixByWeight(ids.subarray(from, to), weight);
  }
}

// The same for many: floats that are not negative sort like their bits, 16 at a time.
function radixByWeight(ids, weight) {
  const n = ids.length;
  let bits = new Uint32Array(Float32Array.from(ids, (id) => weight[id]).buffer);
  let from = ids.slice(), to = new Int32Array(n), bitsTo = new Uint32Array(n);
  for (let shift = 0; shift < 32; shift += 16) {
    const at = new Uint32Array(65537);
    for (let i = 0; i < n; i++) at[((~bits[i] >>> shift) & 65535) + 1]++;
    for (let d = 0; d < 65536; d++) at[d + 1] += at[d];
    for (let i = 0; i < n; i++) {
      const p = at[(~bits[i] >>> shift) & 65535]++;
      to[p] = from[i];
      bitsTo[p] = bits[i];
    }
    [from, to, bits, bitsTo] = [to, from, bitsTo, bits];
  }
  ids.set(from);
}

// Merges equal keys under one parent. Returns for each node of the profile its merged node.
function mergeNodes(profile, byLine) {
  const { parent, frame, frameFn } = profile;
  const n = parent.length;
  const merged = new Int32Array(n), up = new Int32Array(n), key = new Int32Array(n);
  const mask = 2 ** Math.ceil(Math.log2(2 * n + 2)) - 1;
  const slots = new Int32Array(mask + 1);
  let count = 1;
  for (let i = 1; i < n; i++) {
    const p = merged[parent[i]], k = byLine ? frame[i] : frameFn[frame[i]];
    let s = Math.imul(p, 0x9e3779b1) ^ Math.imul(k, 0x85ebca6b);
    s = (s ^ (s >>> 15)) & mask;
    let m;
    while ((m = slots[s]) && (up[m] !== p || key[m] !== k)) s = (s + 1) & mask;
    if (!m) {
      m = slots[s] = count++;
      up[m] = p;
      key[m] = k;
    }
    merged[i] = m;
  }
  return { merged, up, key, count };
}

// The call tree by function or by line. Ids are in reading order (level by level, heaviest first),
// so the children of a node are neighbours: first[id] .. first[id] + count[id]. Node 0 is the root.
// The order is that of all threads and does not change with the choice of threads.
function buildTree(profile, byLine) {
  const { merged, up, key, count: n } = mergeNodes(profile, byLine);
  const weight = new Float64Array(n);
  for (let i = 1; i < profile.selfNode.length; i++)
    weight[merged[profile.selfNode[i]]] += profile.weight[i];
  const start = new Int32Array(n + 1), list = new Int32Array(n);
  for (let i = n - 1; i > 0; i--) {
    weight[up[i]] += weight[i];
    start[up[i] + 1]++;
  }
  for (let i = 0; i < n; i++) start[i + 1] += start[i];
  const fill = start.slice();
  for (let i = 1; i < n; i++) list[fill[up[i]]++] = i;
  for (let i = 0; i < n; i++) sortByWeight(list, start[i], start[i + 1], weight);

  const tree = {
    byLine, n, keys: byLine ? profile.frameFn.length : profile.fnName.length,
    parent: new Int32Array(n), key: new Int32Array(n), fn: new Int32Array(n),
    first: new Int32Array(n), count: new Int32Array(n),
    depth: new Int32Array(n), reach: new Int32Array(n), ...makeWeights(n),
    base: null, // what the same nodes weigh in what is compared with
    expand() {},
  };
  const old = new Int32Array(n), fresh = new Int32Array(n);
  for (let id = 0, next = 1; id < n; id++) {
    const was = old[id];
    tree.key[id] = key[was];
    tree.fn[id] = byLine ? profile.frameFn[key[was]] : key[was];
    tree.first[id] = next;
    tree.count[id] = start[was + 1] - start[was];
    for (let c = start[was]; c < start[was + 1]; c++, next++) {
      old[next] = list[c];
      fresh[list[c]] = next;
      tree.parent[next] = id;
      tree.depth[next] = tree.depth[id] + 1;
    }
  }
  for (let id = n - 1; id > 0; id--) {
    const p = tree.parent[id];
    tree.reach[p] = Math.max(tree.reach[p], tree.reach[id] + 1); // levels below
  }
  tree.of = merged.map((m) => fresh[m]);
  tree.outer = markOuter(tree, profile.fnName.length);
  return tree;
}

// 1 for nodes that have no ancestor of the same function.
function markOuter(tree, fnCount) {
  const { parent, first, count, fn, n } = tree;
  const outer = new Uint8Array(n), onPath = new Int32Array(fnCount);
  for (let id = 0; ;) {
    outer[id] = onPath[fn[id]]++ ? 0 : 1;
    if (count[id]) {
      id = first[id];
      continue;
    }
    for (;;) {
      onPath[fn[id]]--;
      if (!id) return outer;
      const p = parent[id];
      if (++id < first[p] + count[p]) break;
      id = p;
    }
  }
}

// For each node of the profile whether it is part of a stack with a `hidden` function, or not of what
// was `chosen`: [{ of, id }], what each node is of and what is wanted. null when all of them count.
function cutNodes({ parent, frame, frameFn }, hidden, chosen) {
  if (!hidden.size && !chosen.length) return null;
  const cut = new Uint8Array(parent.length);
  for (let i = 1; i < cut.length; i++) cut[i] = cut[parent[i]] | hidden.has(frameFn[frame[i]]);
  for (const { of, id } of chosen)
    for (let i = 1; i < cut.length; i++) if (of[i] !== id) cut[i] = 1;
  return cut;
}

const makeWeights = (n) => ({
  total: new Float64Array(n), samples: new Float64Array(n),
  self: new Float64Array(n), selfSamples: new Float64Array(n),
});

// Fills in self and total of the tree's nodes, in `into`, from what the profile's nodes have of their
// `own`, but for those that are `cut`. Returns the totals of the profile's nodes, which know lines.
function weighTree(profile, tree, own, cut, into) {
  const { parent } = profile, n = parent.length;
  const total = own.weight.slice(), samples = own.samples.slice();
  for (const a of [into.total, into.samples, into.self, into.selfSamples]) a.fill(0);
  // So far these are what is the node's own.
  for (let i = 0; i < n; i++) {
    if (cut && cut[i]) total[i] = samples[i] = 0;
    into.self[tree.of[i]] += total[i];
    into.selfSamples[tree.of[i]] += samples[i];
  }
  for (let i = n - 1; i > 0; i--) {
    total[parent[i]] += total[i];
    samples[parent[i]] += samples[i];
  }
  for (let i = 0; i < n; i++) {
    into.total[tree.of[i]] += total[i];
    into.samples[tree.of[i]] += samples[i];
  }
  return total;
}

// Self and total of every function, by the tree's `weights`; recursion counts a stack once.
function functionTotals(profile, tree, weights) {
  const out = makeWeights(profile.fnName.length);
  for (let id = 1; id < tree.n; id++) {
    const fn = tree.fn[id];
    out.self[fn] += weights.self[id];
    out.selfSamples[fn] += weights.selfSamples[id];
    if (!tree.outer[id]) continue;
    out.total[fn] += weights.total[id];
    out.samples[fn] += weights.samples[id];
  }
  return out;
}

// Weight of the stacks that hold a function with match[fn], each counted once; all, and those
// below `zoom`.
function matchedWeight(tree, match, zoom) {
  const { parent, fn, total, n } = tree;
  const state = new Uint8Array(n); // 1: this or an ancestor matches; 2: at or below zoom
  let all = 0, within = 0;
  for (let id = 0; id < n; id++) {
    const above = id ? state[parent[id]] : 0;
    const hit = match[fn[id]];
    state[id] = above | (hit ? 1 : 0) | (id === zoom ? 2 : 0);
    if (hit && !(above & 1)) {
      all += total[id];
      if (above & 2) within += total[id];
    }
    if (id === zoom && state[id] & 1) within = total[id];
  }
  return { all, within };
}

// A tree that grows where it is looked at. Upwards: from running functions to their callers.
// Downwards: all calls of some functions laid on one another. `seeds` are nodes of `tree`; each
// brings its own weight and samples, which of(weights) finds. Same fields as a tree of buildTree, but
// count[id] is -1 until expand(id).
function growTree(tree, up, seeds, of) {
  const { weight, samples } = of(tree), base = tree.base && of(tree.base);
  let room = 256;
  const types = {
    parent: Int32Array, key: Int32Array, fn: Int32Array, first: Int32Array, count: Int32Array,
    depth: Int32Array, reach: Int32Array, from: Float64Array, to: Float64Array,
    total: Float64Array, samples: Float64Array, self: Float64Array,
    baseTotal: Float64Array, baseSamples: Float64Array,
  };
  const grown = {
    byLine: tree.byLine, keys: tree.keys, n: 1, up, expand,
    get base() { return base && { total: grown.baseTotal, samples: grown.baseSamples }; },
  };
  for (const name in types) grown[name] = new types[name](room);
  // Where each node's stacks stand now (cursor), and which seed or node they weigh by (origin).
  let cursor = Int32Array.from(seeds), origin = cursor.slice(), used = cursor.length;
  const slot = new Int32Array(tree.keys);
  grown.count[0] = -1;
  grown.to[0] = used;
  for (const s of seeds) {
    grown.total[0] += weight[s];
    grown.samples[0] += samples[s];
    grown.baseTotal[0] += base ? base.weight[s] : 0;
    grown.baseSamples[0] += base ? base.samples[s] : 0;
    grown.reach[0] = Math.max(grown.reach[0], up ? tree.depth[s] : tree.reach[s] + 1);
  }
  grown.cost = 0; // entries moved so far

  function larger(array, wanted) {
    const out = new array.constructor(Math.max(wanted, 2 * array.length));
    out.set(array);
    return out;
  }

  function gather(id) {
    const from = grown.from[id], to = grown.to[id];
    if (!id) return [cursor.slice(from, to), origin.slice(from, to)];
    let n = to - from;
    if (!up) {
      n = 0;
      for (let e = from; e < to; e++) n += tree.count[cursor[e]];
    }
    const c = new Int32Array(n), o = new Int32Array(n);
    n = 0;
    for (let e = from; e < to; e++) {
      const at = cursor[e];
      if (up) {
        if (!tree.parent[at]) continue;
        c[n] = tree.parent[at];
        o[n++] = origin[e];
      } else {
        for (let k = tree.first[at], end = k + tree.count[at]; k < end; k++) {
          if (!tree.total[k] && !(base && base.weight[k])) continue;
          c[n] = k;
          o[n++] = k;
        }
      }
    }
    return [c.subarray(0, n), o.subarray(0, n)];
  }

  function expand(id) {
    if (grown.count[id] >= 0) return;
    const [c, o] = gather(id);
    const n = c.length, keys = [], sums = [], sizes = [];
    for (let i = 0; i < n; i++) {
      const k = tree.key[c[i]];
      if (!slot[k]) {
        slot[k] = keys.push(k);
        sums.push(0);
        sizes.push(0);
      }
      sums[slot[k] - 1] += weight[o[i]];
      sizes[slot[k] - 1]++;
    }
    const kinds = keys.length, start = grown.n;
    const order = Int32Array.from(keys, (_, i) => i);
    sortByWeight(order, 0, kinds, sums);
    if (start + kinds > room) {
      room = Math.max(2 * room, start + kinds);
      for (const name in types) grown[name] = larger(grown[name], room);
    }
    if (used + n > cursor.length) {
      cursor = larger(cursor, used + n);
      origin = larger(origin, used + n);
    }
    let at = used;
    for (let i = 0; i < kinds; i++) {
      const child = start + i, k = keys[order[i]];
      slot[k] = child;
      grown.parent[child] = id;
      grown.key[child] = k;
      grown.depth[child] = grown.depth[id] + 1;
      grown.count[child] = -1;
      grown.from[child] = grown.to[child] = at;
      grown.self[child] = up ? NaN : 0;
      at += sizes[order[i]];
    }
    for (let i = 0; i < n; i++) {
      const child = slot[tree.key[c[i]]], e = grown.to[child]++;
      cursor[e] = c[i];
      origin[e] = o[i];
      grown.fn[child] = tree.fn[c[i]];
      grown.total[child] += weight[o[i]];
      grown.samples[child] += samples[o[i]];
      if (base) {
        grown.baseTotal[child] += base.weight[o[i]];
        grown.baseSamples[child] += base.samples[o[i]];
      }
      if (!up) grown.self[child] += tree.self[c[i]];
      const reach = up ? tree.depth[c[i]] - 1 : tree.reach[c[i]];
      if (reach > grown.reach[child]) grown.reach[child] = reach;
    }
    for (const k of keys) slot[k] = 0;
    grown.first[id] = start;
    grown.count[id] = kinds;
    grown.n += kinds;
    grown.cost += n;
    used = at;
  }
  return grown;
}

// The tree to draw: the call tree itself, or one grown from it.
function viewOf(tree, invert, focus) {
  const seeds = [], { base } = tree;
  if (!invert && !focus) return tree;
  for (let id = 1; id < tree.n; id++)
    if (focus ? tree.fn[id] === focus && tree.outer[id] && (tree.total[id] || base?.total[id])
      : tree.self[id] || base?.self[id])
      seeds.push(id);
  return growTree(tree, invert || !focus, seeds, focus
    ? ({ total, samples }) => ({ weight: total, samples })
    : ({ self, selfSamples }) => ({ weight: self, samples: selfSamples }));
}

// How much of a node has changed against the base, whose weights count `scale` times: from -1 (it was
// only there before) to 1 (it is new); 0 where chance alone may have done it: below two standard
// deviations of the difference of two counts.
function changeOf(now, samples, before, samplesBefore, scale) {
  const was = before * scale;
  const deviation = Math.sqrt(samples + samplesBefore * scale * scale);
  if (Math.abs(samples - samplesBefore * scale) < 2 * deviation || now === was) return 0;
  return (now - was) / Math.max(now, was);
}

// Where a node begins, in the unit of weights.
function offsetOf(tree, id) {
  let at = 0;
  for (; id; id = tree.parent[id])
    for (let k = tree.first[tree.parent[id]]; k < id; k++) at += tree.total[k];
  return at;
}

// Keys from the root to a node, and back: a name for it that outlives the order of growing.
function pathOf(tree, id) {
  const keys = [];
  for (; id; id = tree.parent[id]) keys.push(tree.key[id]);
  return keys.reverse();
}

function childByKey(tree, id, key) {
  tree.expand(id);
  for (let k = tree.first[id], end = k + tree.count[id]; k < end; k++)
    if (tree.key[k] === key) return k;
  return 0;
}

function nodeAt(tree, keys) {
  let id = 0;
  for (const key of keys) {
    const child = childByKey(tree, id, key);
    if (!child) break;
    id = child;
  }
  return id;
}

// The 95 % interval (Wilson) of a share `p` that was found with `n` samples.
function wilson(p, n) {
  if (!n) return [0, 1];
  const z = 1.959964, d = 1 + (z * z) / n;
  const mid = (p + (z * z) / (2 * n)) / d;
  const half = (z / d) * Math.sqrt((p * (1 - p)) / n + (z * z) / (4 * n * n));
  return [Math.max(0, mid - half), Math.min(1, mid + half)];
}
