// Around the chart: which thread is drawn, and the time axis.

// The thread that is drawn: the one chosen, else the busiest of those shown.
function chartLine() {
  const all = profile.timeline.lines.filter((line) => line.to > line.from), shown = threads.shown();
  const spans = (line) => (shown[line.thread] ? line.to - line.from : 0);
  return all.find((line) => line.thread === state.lane)
    ?? all.reduce((best, line) => (best && spans(best) >= spans(line) ? best : line), null);
}

function chartOf() {
  const line = chartLine() ?? { from: 0, to: 0 }, all = [0, profile.timeline.count];
  $("lane").value = line.thread;
  return chartTree(profile, tree, line, state.range ?? all, cutNodes(profile, state.hidden, chosen()));
}

graph.drawn = () => {
  const { tree: shown, inSight, colours } = graph;
  if (shown.isChart) drawRuler($("ruler"), inSight.map((at) => at + shown.start), colours);
};

if (profile.timeline)
  for (const { thread, from, to } of profile.timeline.lines) {
    if (to === from) continue;
    const { name, tid } = profile.threads[thread];
    $("lane").append(new Option(`${clip(visible(name) || "(no name)", 40)} (${tid})`, thread));
  }
$("lane").addEventListener("change", () => change({ lane: Number($("lane").value) }));
