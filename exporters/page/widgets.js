// What pages are made of: elements, lists of any length, cards that lie over the page, and what every
// page says of its profile.

const TALLEST = 8e6; // browsers limit an element's height; beyond, scrolling is scaled

const $ = (id) => document.getElementById(id);

function element(tag, className, text) {
  const out = document.createElement(tag);
  if (className) out.className = className;
  if (text !== undefined) out.textContent = text;
  return out;
}

// Scrolling over any height. `box` scrolls, `space` is the element inside that gives it height.
function makeScroll(box, space) {
  let content = 0;
  const scale = () => (content <= TALLEST ? 1
    : (content - box.clientHeight) / Math.max(1, TALLEST - box.clientHeight));
  return {
    get top() { return box.scrollTop * scale(); },
    set top(px) { box.scrollTop = px / scale(); },
    get content() { return content; },
    resize(px) {
      content = px;
      space.style.height = Math.min(px, TALLEST) + "px";
    },
  };
}

// Only the rows in sight exist.
// `box` scrolls, `focus` gets the keys. `fill(row, index)` writes a row made by `build()`;
// `act(index, how)` is told of "pick" (click, Space) and "open" (double click, Enter).
function makeList({ box, focus, height, build, fill, act, role }) {
  const space = element("div"), rows = element("div", "rows"), pool = [];
  space.append(rows);
  box.append(space);
  const scroll = makeScroll(box, space);
  let total = 0, current = -1, first = 0, pending = 0;

  function draw() {
    pending = 0;
    const top = scroll.top;
    first = Math.floor(top / height);
    const n = Math.max(0, Math.min(total - first, Math.ceil(box.clientHeight / height) + 1));
    while (pool.length < n) {
      const row = build();
      row.setAttribute("role", role);
      row.id = `${box.id}-${pool.length}`;
      pool.push(row);
      rows.append(row);
    }
    rows.style.transform = `translateY(${-(top % height)}px)`;
    focus.removeAttribute("aria-activedescendant");
    pool.forEach((row, i) => {
      row.hidden = i >= n;
      if (i >= n) return;
      row.classList.toggle("current", first + i === current);
      row.setAttribute("aria-rowindex", first + i + 1);
      if (first + i === current) focus.setAttribute("aria-activedescendant", row.id);
      fill(row, first + i);
    });
  }
  const redraw = () => { pending ||= requestAnimationFrame(draw); };

  function go(index) {
    current = Math.min(total - 1, Math.max(0, index));
    const y = current * height, view = box.clientHeight;
    if (y < scroll.top) scroll.top = y;
    else if (y + height > scroll.top + view) scroll.top = y + height - view;
    redraw();
  }
  const indexOf = (target) => {
    const i = pool.findIndex((row) => row.contains(target));
    return i < 0 ? -1 : first + i;
  };
  box.addEventListener("scroll", redraw, { passive: true });
  box.addEventListener("click", (e) => {
    const i = indexOf(e.target);
    if (i < 0) return;
    current = i;
    act(i, "pick");
    redraw();
  });
  box.addEventListener("dblclick", (e) => {
    const i = indexOf(e.target);
    if (i >= 0) act(i, "open");
  });
  focus.addEventListener("keydown", (e) => {
    if (e.target !== focus) return;
    const page = Math.max(1, Math.floor(box.clientHeight / height) - 1);
    const move = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -total,
      End: total }[e.key];
    if (move) go(current + move);
    else if (current >= 0 && current < total && e.key === " ") act(current, "pick");
    else if (current >= 0 && current < total && e.key === "Enter") act(current, "open");
    else return;
    e.preventDefault();
    e.stopPropagation();
    redraw();
  });
  new ResizeObserver(redraw).observe(box);
  return {
    indexOf, redraw, draw, go,
    get current() { return current; },
    get top() { return scroll.top; },
    centre(index) {
      scroll.top = Math.max(0, (index + 0.5) * height - box.clientHeight / 2);
      redraw();
    },
    resize(n) {
      total = n;
      current = -1;
      scroll.resize(n * height);
      draw();
    },
  };
}

function placeCard(card, x, y) {
  card.hidden = false;
  const { width, height } = card.getBoundingClientRect();
  card.style.left = `${Math.max(6, Math.min(x, innerWidth - width - 6))}px`;
  card.style.top = `${Math.max(6, y + height + 6 > innerHeight ? y - height - 28 : y)}px`;
}

function copy(text) {
  const old = () => {
    const area = document.body.appendChild(element("textarea"));
    area.value = text;
    area.select();
    document.execCommand("copy");
    area.remove();
  };
  if (navigator.clipboard) navigator.clipboard.writeText(text).catch(old);
  else old();
  $("detail").textContent = "Copied";
}

// The names of what was profiled, and how well it went, into the page's header and footer.
function showRun({ run, health: h, strings }) {
  const text = (id) => visible(strings[id]);
  const process = text(run.process) || "profile", wanted = run.interval_ns ? 1e9 / run.interval_ns : 0;
  $("process").textContent = process;
  $("process").title = text(run.command);
  $("about").textContent = [`pid ${run.pid}`, text(run.python) && `Python ${text(run.python)}`,
    text(run.mode) && `${text(run.mode)} mode`, time(h.duration_ns),
    run.start_ms && new Date(run.start_ms).toLocaleString(), text(run.command)]
    .filter(Boolean).join("  ·  ");
  $("about").title = $("about").textContent;
  const sentence = [`${count(h.samples)} samples at ${rate(h.rate_hz)}${
    wanted ? ` (${rate(wanted)} asked)` : ""}`, `${count(h.lost)} lost`, `${count(h.late)} late`,
    `${count(h.unverified)} unverified`];
  if (h.truncated) sentence.push(`${count(h.truncated)} cut short`);
  const quality = $("quality");
  quality.textContent = sentence.join(", ");
  quality.title = `Lost: samples that should have been and are not. Late: looks dropped because the \
profiler was not in time. Unverified: stacks that could not be confirmed. The profiler used ${
    time(h.cpu_ns)} of CPU time. ${text(run.profiler)}`;
  quality.classList.toggle("bad", h.lost + h.unverified > 0.05 * (h.samples + h.lost));
}
