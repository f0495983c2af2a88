// How functions and files are said and coloured.

// Whose code: the colour's family. A file's kind is told by its path alone.
const FAMILIES = [
  { name: "your code", hues: [32, 42, 52, 62, 72, 82], chroma: 1 },
  { name: "standard library", hues: [228, 238, 248, 258, 268, 278], chroma: 0.7 },
  { name: "packages", hues: [132, 142, 152, 162, 172, 182], chroma: 0.75 },
  { name: "other", hues: [270, 270, 270, 270, 270, 270], chroma: 0.06 },
];
const SHADES = 3;

function hash(text) {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return (h ^ (h >>> 15)) >>> 0;
}

// oklch -> "rgb(...)": equal lightness looks equally light in every hue, so one text colour is
// readable on all of them.
function colour(l, c, h) {
  const a = c * Math.cos((h * Math.PI) / 180), b = c * Math.sin((h * Math.PI) / 180);
  const x = (l + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const y = (l - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const z = (l - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const channel = (v) => {
    v = v <= 0.0031308 ? 12.92 * v : 1.055 * v ** (1 / 2.4) - 0.055;
    return Math.round(255 * Math.min(1, Math.max(0, v)));
  };
  return `rgb(${channel(4.0767416621 * x - 3.3077115913 * y + 0.2309699292 * z)},${
    channel(-1.2684380046 * x + 2.6097574011 * y - 0.3413193965 * z)},${
    channel(-0.0041960863 * x - 0.7034186147 * y + 1.707614701 * z)})`;
}

// Lightness, chroma and hue of what is told apart on areas without text: neighbours differ in all.
const KINDS = [
  [0.7, 0.16, 50], [0.62, 0.14, 255], [0.74, 0.14, 145], [0.58, 0.19, 330], [0.84, 0.15, 95],
  [0.72, 0.1, 210], [0.52, 0.13, 25], [0.64, 0.13, 295],
];

// Steps of change, weakest first.
const STEPS = 5;
const changes = (dark, hue) => Array.from({ length: STEPS }, (_, i) => (dark
  ? colour(0.36 + 0.03 * i, 0.05 + 0.027 * i, hue) : colour(0.93 - 0.025 * i, 0.03 + 0.023 * i, hue)));

// Fills by colour index (family, hue, shade); `faded` for what is not looked at; `kinds`
// tell apart the functions on the map.
function palette(dark) {
  const fill = [], faded = [];
  for (const { hues, chroma } of FAMILIES)
    for (const hue of hues)
      for (let s = 0; s < SHADES; s++) {
        const step = (s - 1) * 0.028;
        fill.push(dark ? colour(0.435 + step, 0.088 * chroma, hue)
          : colour(0.835 + step, 0.115 * chroma, hue));
        faded.push(dark ? colour(0.3 + step / 3, 0.024 * chroma, hue)
          : colour(0.945 + step / 3, 0.022 * chroma, hue));
      }
  return {
    fill, faded, kinds: KINDS.map(([l, c, hue]) => colour(dark ? l - 0.06 : l, c, hue)),
    more: changes(dark, 25), less: changes(dark, 255),
    ...(dark
      ? { ink: "#f3f2f0", soft: "#dad6d1", quiet: "#a9a7a3", ground: "#161618", narrow: "#45454a",
          rest: "#5a5a60", root: "#333338", same: "#3a3a3e", match: colour(0.53, 0.19, 345), edge: "#ffffff" }
      : { ink: "#1b1b1e", soft: "#4d4844", quiet: "#66645f", ground: "#ffffff", narrow: "#d3d1cc",
          rest: "#b3b0aa", root: "#e6e4df", same: "#ebe9e5", match: colour(0.8, 0.14, 340), edge: "#111114" }),
  };
}

// Everything about names that is asked again and again, remembered.
function makeNames(profile) {
  const { strings, fnName, fnFile, fnLine, frameFn, frameLine } = profile;
  const shown = new Array(strings.length), files = new Map();
  const text = (id) => (shown[id] ??= visible(strings[id]));
  const project = commonFolder(Array.from(new Set(fnFile), (id) => strings[id])
    .filter((file) => file && !familyOf(file) && !file.startsWith("<")));

  function fileOf(id) {
    let f = files.get(id);
    if (!f) {
      const path = strings[id], family = familyOf(path);
      const inside = family === 2 ? path.replace(PACKAGE, "")
        : family === 1 ? path.replace(LIBRARY, "")
          : path.startsWith(project) ? path.slice(project.length) : path;
      const home = family ? inside.split("/")[0] : inside.slice(0, inside.lastIndexOf("/") + 1);
      f = {
        family, short: visible(inside),
        colour: (family * 6 + (hash(home) % 6)) * SHADES + (hash(path) % SHADES),
      };
      files.set(id, f);
    }
    return f;
  }
  const colours = Uint8Array.from(fnFile, (file) => fileOf(file).colour);
  const families = Uint8Array.from(fnFile, (file) => fileOf(file).family);
  for (let i = 1; i < frameFn.length; i++) // kind 0 is Python
    if (profile.frameKind[i]) colours[frameFn[i]] = 3 * 6 * SHADES + 1, families[frameFn[i]] = 3;
  return {
    colours, families,
    name: (fn) => text(fnName[fn]) || "(no name)",
    raw: (fn) => strings[fnName[fn]],
    file: (fn) => text(fnFile[fn]),
    short: (fn) => fileOf(fnFile[fn]).short,
    base: (fn) => text(fnFile[fn]).slice(text(fnFile[fn]).lastIndexOf("/") + 1),
    // Line of a key: the line that runs, or where the function begins.
    line: (tree, key) => (tree.byLine ? frameLine[key] : fnLine[key]),
  };
}
