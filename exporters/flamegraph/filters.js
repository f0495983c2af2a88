// Choices of one part of all stacks: a row for each kind of parts. They are kept in the state, under
// their name, and in the address; 0 is everything.

const MOST_OPTIONS = 1000; // the heaviest: a list that nobody can read is no choice

const filters = [
  { name: "task", letter: "k", all: "All tasks", title: "Show one task only", texts: profile.tasks,
    of: profile.nodeTask },
].filter(({ of }) => of);

// What cutNodes() is to leave.
function chosen() {
  return filters.filter(({ name }) => state[name]).map(({ name, of }) => ({ of, id: state[name] }));
}

const filterOf = ({ texts }, id) => (Number.isInteger(id) && id > 0 && id < texts.length ? id : 0);

function showFilters() {
  for (const { name, select: box } of filters) {
    box.value = state[name];
    box.classList.toggle("on", state[name] !== 0);
  }
}

function fillFilter({ name, all, title, texts, of }) {
  const box = element("select"), weight = new Float64Array(texts.length);
  profile.selfNode.forEach((node, i) => { weight[of[node]] += profile.weight[i]; });
  const whole = weight.reduce((sum, w) => sum + w, 0);
  const ids = Array.from(texts.keys()).filter((id) => id && weight[id]).sort((a, b) => weight[b] - weight[a]);
  box.id = name;
  box.title = title;
  box.setAttribute("aria-label", title);
  box.append(new Option(`${all} (${count(ids.length)})`, 0));
  for (const id of ids.slice(0, MOST_OPTIONS))
    box.append(new Option(`${clip(visible(texts[id]), 80)}  ${share(weight[id], whole)}`, id));
  if (ids.length > MOST_OPTIONS)
    box.append(Object.assign(new Option(`${count(ids.length - MOST_OPTIONS)} others are not listed`), { disabled: true }));
  box.addEventListener("change", () => recount({ [name]: Number(box.value) }));
  $("filters").append(box);
  return box;
}

for (const filter of filters) filter.select = fillFilter(filter);
