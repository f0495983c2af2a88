// The profile as the page asks for it. Nothing here knows the screen.

// Rows as objects, by id from 1; rows[0] is undefined.
function rowsOf(table) {
  const names = Object.keys(table), columns = names.map((name) => column(table[name], Float64Array));
  return Array.from(columns[0] || [], (_, id) =>
    (id ? Object.fromEntries(names.map((name, i) => [name, columns[i][id]])) : undefined));
}

// names: of all functions. functions, files, lines, calls: what has samples. codes, instructions and forms
// (how often an instruction was seen as what): when bytecode was recorded. sources, texts: files.
function decodeHeat(json) {
  const { strings } = json;
  const tables = ["names", "functions", "files", "lines", "calls", "codes", "instructions", "forms", "sources"];
  const [names, functions, files, lines, calls, codes, instructions, forms, sources] =
    tables.map((table) => rowsOf(json[table]).slice(1));
  const out = { run: json.run, health: json.health, strings, functions: [], files: [] };
  const byFunction = new Map(), byFile = new Map();

  const fileOf = (id) => {
    let file = byFile.get(id);
    if (!file) {
      file = { id, path: strings[id], functions: [], lines: new Map(), self: 0, total: 0, text: null };
      byFile.set(id, file);
      if (id) out.files.push(file);
    }
    return file;
  };
  for (const { file, self, total } of files) Object.assign(fileOf(file), { self, total });
  for (const { function: id, self, total } of functions) {
    const { name, file, line } = names[id - 1];
    const fn = { id, name: strings[name] || "(no name)", file: fileOf(file), line, self, total,
      callers: [], callees: [], codes: [] };
    byFunction.set(id, fn);
    fn.file.functions.push(fn);
    out.functions.push(fn);
  }
  for (const { file, line, self, total, function: fn } of lines) {
    fileOf(file).lines.set(line, { line, self, total, fn: byFunction.get(fn) });
  }
  for (const { caller, callee, self, total } of calls) {
    const [from, to] = [byFunction.get(caller), byFunction.get(callee)];
    from.callees.push({ fn: to, self, total });
    to.callers.push({ fn: from, self, total });
  }
  sources.forEach(({ file }, i) => { fileOf(file).text = linesOf(json.texts[i]); });
  addBytecode(byFunction, strings, codes, instructions, forms);
  out.samples = functions.reduce((sum, { self }) => sum + self, 0);
  finish(out);
  return out;
}

// As Python counts lines: a form feed ends none.
function linesOf(text) {
  const lines = text.split(/\r\n|[\n\r]/);
  if (lines[lines.length - 1] === "") lines.pop();
  return lines;
}

function addBytecode(byFunction, strings, codes, instructions, forms) {
  const listings = codes.map(({ function: fn }, id) =>
    ({ id, fn: byFunction.get(fn), rows: [], samples: 0 }));
  const rows = instructions.map((row) => {
    const listing = listings[row.code - 1];
    const out = { ...row, opcode: strings[row.opcode], base: strings[row.base], samples: 0, forms: [] };
    listing.rows.push(out);
    return Object.assign(out, { listing });
  });
  for (const { instruction, opcode, samples } of forms) {
    const row = rows[instruction - 1];
    row.forms.push({ opcode: strings[opcode], samples });
    row.samples += samples;
    row.listing.samples += samples;
  }
  for (const listing of listings) {
    if (!listing.fn || !listing.samples) continue;
    listing.rows.sort((a, b) => a.offset - b.offset);
    for (const { forms: seen } of listing.rows) seen.sort((a, b) => b.samples - a.samples);
    listing.fn.codes.push(listing);
  }
}

// Orders what has an order, and finds what all pages need the most of.
function finish(profile) {
  for (const file of profile.files) {
    file.functions.sort((a, b) => a.line - b.line);
    file.length = file.text ? file.text.length : 0;
    for (const line of file.lines.keys()) file.length = Math.max(file.length, line);
    file.hot = Array.from(file.lines.keys()).filter((line) => line > 0).sort((a, b) => a - b);
    file.most = { self: 0, total: 0 };
    for (const { self, total } of file.lines.values()) {
      file.most.self = Math.max(file.most.self, self);
      file.most.total = Math.max(file.most.total, total);
    }
  }
  for (const fn of profile.functions) {
    fn.callers.sort((a, b) => b.total - a.total);
    fn.callees.sort((a, b) => b.total - a.total);
    fn.codes.sort((a, b) => b.samples - a.samples);
  }
}

// The function that a line belongs to: the one that ran there, else the last to begin before it.
function functionAt(file, line) {
  const hot = file.lines.get(line);
  if (hot && hot.fn) return hot.fn;
  let found = null;
  for (const fn of file.functions) if (fn.line && fn.line <= line) found = fn;
  return found;
}

// 0 when no line is known.
function hottestLine(file, by) {
  return file.hot.reduce((best, line) =>
    (!best || file.lines.get(line)[by] > file.lines.get(best)[by] ? line : best), 0);
}

// The line of a function to show: its hottest, else where it begins.
function bestLine(fn, by) {
  let best = null;
  for (const line of fn.file.lines.values())
    if (line.fn === fn && (!best || line[by] > best[by])) best = line;
  return best && best[by] ? best.line : fn.line;
}

// The number of UTF-16 units of `text` that its first `bytes` bytes of UTF-8 are.
function unitsOfBytes(text, bytes) {
  let units = 0;
  for (const c of text) {
    const code = c.codePointAt(0);
    bytes -= code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    if (bytes < 0) break;
    units += c.length;
  }
  return units;
}

// Where an instruction's source lies in a line, as [from, to) in `text`; null when it does not.
function spanIn(row, line, text) {
  const last = row.end_line || row.line;
  if (!row.line || line < row.line || line > last) return null;
  const from = line === row.line && row.column ? unitsOfBytes(text, row.column - 1)
    : text.length - text.trimStart().length;
  const to = line === last && row.end_column ? unitsOfBytes(text, row.end_column - 1) : text.length;
  return to > from ? [from, to] : null;
}
