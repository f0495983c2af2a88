// The sandwich: the callers of a function above its calls, which are in the graph itself.

function showSandwich() {
  const isOn = state.view === "sandwich" && state.focus > 0;
  $("above").hidden = $("between").hidden = !isOn;
  if (!isOn) return;
  const fn = state.focus, whole = tree.total[0];
  callers.resize();
  callers.rootText = "▲ who calls it";
  callers.show(viewOf(tree, true, fn), true);
  callers.mark({ scale, sign: state.swap ? -1 : 1, match: matching });
  $("between").replaceChildren(element("b", "", clip(names.name(fn), 200)),
    element("span", "dim", names.file(fn) + (profile.fnLine[fn] ? `:${profile.fnLine[fn]}` : "")),
    element("span", "", `self ${amount(totals.self[fn])}, ${share(totals.self[fn], whole)}`),
    element("span", "", `total ${amount(totals.total[fn])}, ${share(totals.total[fn], whole)}`));
}

$("abovecanvas").addEventListener("pointermove", (e) => {
  const box = callers.hit(e.clientX, e.clientY);
  callers.mark({ hovered: box });
  $("abovecanvas").style.cursor = box ? "pointer" : "default";
  if (box) tipOfNode(box, e.clientX, e.clientY, callers);
  else $("tip").hidden = true;
});
$("abovecanvas").addEventListener("pointerleave", () => {
  callers.mark({ hovered: null });
  $("tip").hidden = true;
});
$("abovecanvas").addEventListener("click", (e) => {
  const box = callers.hit(e.clientX, e.clientY);
  $("tip").hidden = true;
  if (box && box.id < 0) callers.zoomRange(box.off, box.off + box.wide, true);
  else if (box && callers.tree.fn[box.id] === state.focus) callers.zoom(box.id);
  else if (box && box.id) change({ focus: callers.tree.fn[box.id] });
  else callers.zoom(0);
});
$("above").addEventListener("scroll", () => callers.redraw(), { passive: true });
new ResizeObserver(() => callers.resize()).observe($("above"));
