// The two lists: the table of functions and the choice of threads.

// The table of functions. `tell(fn, how)` as in makeList.
function makeTable({ profile, names, amount, tell }) {
  let totals = null, before = null, scale = 0, sign = 1, whole = 0, order = [], sort = "self", rising = false, match = null, mark = 0;
  const list = makeList({
    box: $("rows"), focus: $("grid"), height: 24, role: "row",
    build() {
      const row = element("div", "row");
      for (const name of ["num", "num", "num", "name", "file"]) {
        const cell = row.appendChild(element("div", name));
        cell.setAttribute("role", "gridcell");
        if (name === "num") cell.append(element("i"), element("span"), element("b"));
        if (name === "file") cell.append(element("bdi"));
      }
      return row;
    },
    fill(row, i) {
      const fn = order[i], [self, total, change, name, file] = row.children;
      const number = (cell, value) => {
        cell.children[0].style.width = (whole ? (100 * value) / whole : 0) + "%";
        cell.children[1].textContent = value ? amount(value) : "";
        cell.children[2].textContent = value ? share(value, whole) : "";
      };
      number(self, totals.self[fn]);
      number(total, totals.total[fn]);
      change.hidden = !before;
      if (before) fillChange(change, fn);
      name.textContent = clip(names.name(fn), 300);
      name.dataset.family = names.families[fn];
      file.firstChild.textContent = names.base(fn).slice(-300)
        + (profile.fnLine[fn] ? ":" + profile.fnLine[fn] : "");
      row.classList.toggle("marked", fn === mark);
    },
    act: (i, how) => tell(order[i], how),
  });

  const changed = (fn) => totals.total[fn] - before.total[fn] * scale;

  function fillChange(cell, fn) {
    const by = changed(fn), was = before.total[fn] * scale;
    const sure = changeOf(totals.total[fn], totals.samples[fn], before.total[fn], before.samples[fn], scale);
    const up = by * sign > 0;
    cell.className = `num ${sure ? (up ? "more" : "less") : ""}`;
    cell.children[1].textContent = by ? amount(Math.abs(by)) : "";
    cell.children[2].textContent = by ? (up ? "+" : "−") + share(Math.abs(by), whole || was) : "";
  }

  function arrange() {
    const rows = [];
    if (!before && sort === "change") sort = "self";
    for (let fn = 1; fn < profile.fnName.length; fn++)
      if ((totals.total[fn] > 0 || before?.total[fn] > 0) && (!match || match[fn])) rows.push(fn);
    order = Int32Array.from(rows);
    const by = {
      self: (a, b) => totals.self[b] - totals.self[a] || totals.total[b] - totals.total[a],
      total: (a, b) => totals.total[b] - totals.total[a] || totals.self[b] - totals.self[a],
      change: (a, b) => Math.abs(changed(b)) - Math.abs(changed(a)),
      name: (a, b) => compare(names.name(a), names.name(b)),
      file: (a, b) => compare(names.base(a), names.base(b)) || profile.fnLine[a] - profile.fnLine[b],
    }[sort];
    order.sort(rising ? (a, b) => by(b, a) || a - b : (a, b) => by(a, b) || a - b);
    $("grid").setAttribute("aria-rowcount", order.length);
    $("count").textContent = match ? `${count(order.length)} functions found`
      : `${count(order.length)} functions`;
    for (const head of document.querySelectorAll("[data-sort]")) {
      const down = ["self", "total", "change"].includes(head.dataset.sort) ? !rising : rising;
      head.setAttribute("aria-sort",
        head.dataset.sort === sort ? (down ? "descending" : "ascending") : "none");
    }
    list.resize(order.length);
  }
  const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

  for (const head of document.querySelectorAll("[data-sort]"))
    head.addEventListener("click", () => {
      rising = sort === head.dataset.sort && !rising;
      sort = head.dataset.sort;
      arrange();
    });
  return {
    get order() { return Array.from(order); },
    get sort() { return sort; },
    functionAt: (target) => order[list.indexOf(target)] || 0,
    totals: () => totals,
    // `newBefore` is null, or the totals to compare with, which count `newScale` times; `newSign` is
    // -1 where those are the newer ones.
    update(newTotals, newWhole, newMatch, newBefore, newScale, newSign) {
      [totals, whole, match] = [newTotals, newWhole, newMatch];
      [before, scale, sign] = [newBefore, newScale, newSign];
      $("grid").classList.toggle("compared", !!before);
      document.querySelector("[data-sort=change]").hidden = !before;
      arrange();
    },
    mark(fn) {
      if (fn !== mark) list.redraw();
      mark = fn;
    },
  };
}

// Threads of the same process and name are one entry; in a comparison the name alone decides. `changed()` is called after a choice.
function makeThreads({ profile, amount, changed }) {
  const groups = new Map(), owner = [], several = new Set(profile.threads.map((t) => t.pid)).size > 2;
  const isCompared = profile.threads.some((thread) => thread.isBase);
  profile.threads.forEach((thread, i) => {
    const id = isCompared ? thread.name : `${thread.pid} ${thread.name}`;
    if (!groups.has(id)) groups.set(id, { ...thread, count: 0, weight: 0, on: true });
    owner[i] = groups.get(id);
    owner[i].count++;
  });
  profile.selfThread.forEach((thread, i) => { owner[thread].weight += profile.weight[i]; });
  const all = Array.from(groups.values()).filter((group) => group.weight);
  all.sort((a, b) => b.weight - a.weight);
  const whole = all.reduce((sum, group) => sum + group.weight, 0);
  let listed = all;

  const list = makeList({
    box: $("threadrows"), focus: $("threadrows"), height: 28, role: "option",
    build() {
      const row = element("div", "row");
      row.append(element("i", "check"), element("div", "name"), element("span", "dim"),
        element("b"));
      return row;
    },
    fill(row, i) {
      const group = listed[i], [, name, id, part] = row.children;
      row.setAttribute("aria-selected", group.on);
      name.textContent = clip(visible(group.name) || "(no name)", 200);
      id.textContent = (several ? `${group.pid} / ` : "")
        + (group.count > 1 ? `× ${count(group.count)}` : group.tid);
      part.textContent = share(group.weight, whole);
      row.title = amount(group.weight);
    },
    act(i, how) {
      if (how === "open") for (const group of all) group.on = group === listed[i];
      else listed[i].on = !listed[i].on;
      change();
    },
  });
  function change() {
    list.redraw();
    say();
    changed();
  }
  function say() {
    const on = all.filter((group) => group.on).length;
    $("threads").textContent = on === all.length
      ? `All threads (${count(on)})` : `Threads ${count(on)} of ${count(all.length)}`;
    $("threads").classList.toggle("on", on !== all.length);
  }
  const set = (on) => {
    for (const group of listed) group.on = on;
    change();
  };
  $("all").addEventListener("click", () => set(true));
  $("none").addEventListener("click", () => set(false));
  $("threadquery").addEventListener("input", () => {
    const text = $("threadquery").value.toLowerCase();
    listed = all.filter((group) => `${group.name} ${group.tid}`.toLowerCase().includes(text));
    list.resize(listed.length);
  });
  say();
  return {
    groups: all,
    open() {
      $("threadrows").style.height = `${28 * Math.min(12, all.length)}px`;
      list.resize(listed.length);
    },
    shown: () => Uint8Array.from(owner, (group) => (group.on ? 1 : 0)),
    // For the address: "" for all, else the positions of those that are on.
    get text() {
      return all.every((group) => group.on) ? ""
        : all.flatMap((group, i) => (group.on ? i : [])).join(".") || "none";
    },
    set text(text) {
      const on = new Set(text.split("."));
      all.forEach((group, i) => { group.on = !text || on.has(String(i)); });
      say();
      list.redraw();
    },
  };
}
