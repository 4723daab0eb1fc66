// The data of the page, and what all charts share: elements, scales, axes, symbols and numbers as text.

const data = JSON.parse(document.getElementById("data").textContent);

// Told apart with any colour vision, and each at least 3 : 1 against white; dark ones for text are not needed.
const COLOURS = ["#0072b2", "#d55e00", "#00805e", "#aa4499", "#8c6d00", "#3d7dd8", "#222222"];
const NOISE_COLOUR = "#6b6b6b";
const DASHES = ["", "7 3", "2 3", "9 3 2 3", "12 4"];

// Of another period than the colours, so that pairs repeat late. Each is a path about (x, y), of about the same area.
const SYMBOLS = [
  (x, y, r) => `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`,
  (x, y, r) => polygon(x, y, r, [[-0.9, -0.9], [0.9, -0.9], [0.9, 0.9], [-0.9, 0.9]]),
  (x, y, r) => polygon(x, y, r, [[0, -1.25], [1.15, 0.85], [-1.15, 0.85]]),
  (x, y, r) => polygon(x, y, r, [[0, -1.35], [1.35, 0], [0, 1.35], [-1.35, 0]]),
  (x, y, r) => polygon(x, y, r, [[0, 1.25], [1.15, -0.85], [-1.15, -0.85]]),
  (x, y, r) => polygon(x, y, r, [[-0.4, -1.2], [0.4, -1.2], [0.4, -0.4], [1.2, -0.4], [1.2, 0.4], [0.4, 0.4],
    [0.4, 1.2], [-0.4, 1.2], [-0.4, 0.4], [-1.2, 0.4], [-1.2, -0.4], [-0.4, -0.4]]),
  (x, y, r) => polygon(x, y, r, [[0, -1.3], [1.2, -0.4], [0.75, 1.05], [-0.75, 1.05], [-1.2, -0.4]]),
  (x, y, r) => polygon(x, y, r, [[-1.3, -0.55], [1.3, -0.55], [1.3, 0.55], [-1.3, 0.55]]),
];
const CROSS = (x, y, r) => polygon(x, y, r, [[-1.2, -0.9], [-0.9, -1.2], [0, -0.3], [0.9, -1.2], [1.2, -0.9], [0.3, 0],
  [1.2, 0.9], [0.9, 1.2], [0, 0.3], [-0.9, 1.2], [-1.2, 0.9], [-0.3, 0]]);

function polygon(x, y, r, corners) {
  return "M" + corners.map(([a, b]) => `${(x + a * r).toFixed(1)} ${(y + b * r).toFixed(1)}`).join("L") + "z";
}

const isNoise = (group) => group >= data.components;
const colourOf = (group) => (isNoise(group) ? NOISE_COLOUR : COLOURS[group % COLOURS.length]);
const symbolOf = (group) => (isNoise(group) ? CROSS : SYMBOLS[group % SYMBOLS.length]);
const dashOf = (group) => DASHES[group % DASHES.length];

// Elements. Text is always text: nothing from the data is ever parsed as markup.

function element(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

function svg(name, attributes = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function filled(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) node.setAttribute(key, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

let labelled = 0;

// A control with its label, which is joined to it by an identifier.
function control(text, input, ...after) {
  input.id = input.id || `control-${(labelled += 1)}`;
  return element("label", { for: input.id }, text, input, ...after);
}

function select(names, chosen, onChange) {
  const node = element("select", {});
  names.forEach((name, place) => node.append(element("option", { value: place }, name)));
  node.value = String(chosen);
  node.addEventListener("change", () => onChange(Number(node.value)));
  return node;
}

// Numbers as text

function figure(value, digits = 5) {
  if (value === null || value === undefined) return "missing";
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e9 || size < 1e-4)) return value.toExponential(Math.min(digits - 1, 3));
  return String(Number(value.toPrecision(size >= 1e4 ? 9 : digits)));
}

// A value of a column, with the digits that matter over the column's range.
function measured(value, column) {
  if (value === null) return "missing";
  const { low, high } = data.columns[column];
  const places = 3 - Math.floor(Math.log10(high - low));
  return places >= 0 && places <= 12 && Math.abs(value) < 1e15 ? String(Number(value.toFixed(places))) : figure(value);
}

function percent(share) {
  const value = 100 * share;
  if (share >= 1 || share <= 0) return `${Math.round(value)}\u00a0%`;
  if (value > 99.9) return "over\u00a099.9\u00a0%";
  return `${value >= 10 && value <= 99 ? Math.round(value) : Number(value.toPrecision(value > 99 ? 3 : 2))}\u00a0%`;
}

// Amounts of rows: whole, or a sum of weights
const amount = (value) => (Number.isInteger(value) ? value.toLocaleString("en").replaceAll(",", "\u00a0") : figure(value));

// Scales and axes

function ticksOf(low, high, most) {
  const rough = (high - low) / Math.max(most, 1);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((one) => one * power).find((one) => one >= rough * 0.999) || rough;
  const ticks = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9 * step && ticks.length < 50; i += 1) ticks.push(i * step);
  return { ticks, step };
}

function tickText(value, step) {
  const size = Math.max(Math.abs(value), step);
  if (size >= 1e7 && step >= 1e4) return value === 0 ? "0" : value.toExponential(Math.min(3, Math.max(0, Math.floor(Math.log10(size / step)))));
  if (step < 1e-5) return value === 0 ? "0" : value.toExponential(2);
  return value.toFixed(Math.max(0, -Math.floor(Math.log10(step) + 1e-9)));
}

// Axes with room for their names: low and high of x and y in, maps from values to pixels out.
function axes(width, height, x, y) {
  const frame = { left: y.name === null ? 12 : 64, right: 14, top: 12, bottom: 46 };
  const inner = { width: width - frame.left - frame.right, height: height - frame.top - frame.bottom };
  const toX = (value) => frame.left + ((value - x.low) / (x.high - x.low)) * inner.width;
  const toY = (value) => frame.top + inner.height - ((value - y.low) / (y.high - y.low)) * inner.height;
  const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height });
  const floor = frame.top + inner.height;
  const across = x.whole ? wholeTicks(x.low, x.high) : ticksOf(x.low, x.high, inner.width / 55);
  const fromX = originOf(x);
  for (const value of across.ticks) {
    root.append(svg("path", { class: "grid", d: `M${toX(value)} ${frame.top}V${floor}` }));
    root.append(svg("text", { class: "tick", x: toX(value), y: floor + 17, "text-anchor": "middle" }, tickText(value - fromX, across.step)));
  }
  if (y.name !== null) {
    const up = ticksOf(y.low, y.high, inner.height / 38);
    const fromY = originOf(y);
    for (const value of up.ticks) {
      root.append(svg("path", { class: "grid", d: `M${frame.left} ${toY(value)}h${inner.width}` }));
      root.append(svg("text", { class: "tick", x: frame.left - 6, y: toY(value) + 4, "text-anchor": "end" }, tickText(value - fromY, up.step)));
    }
    const middle = frame.top + inner.height / 2;
    root.append(svg("text", { x: 13, y: middle, transform: `rotate(-90 13 ${middle})`, "text-anchor": "middle" }, axisName(y, fromY, inner.height)));
  }
  root.append(svg("path", { class: "axis", d: `M${frame.left} ${frame.top}V${floor}H${frame.left + inner.width}` }));
  root.append(svg("text", { x: frame.left + inner.width / 2, y: height - 8, "text-anchor": "middle" }, axisName(x, fromX, inner.width)));
  return { root, toX, toY, frame, inner };
}

// Where values are large and differ little, ticks are counted from a round number, which stands in the axis's name.
function originOf({ low, high }) {
  const range = high - low;
  if (Math.max(Math.abs(low), Math.abs(high)) < 2000 * range) return 0;
  const unit = 10 ** Math.ceil(Math.log10(range));
  return Math.round((low + high) / 2 / unit) * unit;
}

function axisName({ name }, origin, room) {
  const after = origin === 0 ? "" : ` ${origin > 0 ? "\u2212" : "+"} ${String(Number(Math.abs(origin).toPrecision(12)))}`;
  return short(name, room / 7.5 - after.length) + after;
}

function wholeTicks(low, high) {
  const step = Math.max(1, Math.ceil(ticksOf(low, high, 8).step));
  const ticks = [];
  for (let value = Math.ceil(low / step) * step; value <= high; value += step) ticks.push(value);
  return { ticks, step };
}

function short(text, most) {
  const letters = Array.from(text);
  return letters.length <= most ? text : letters.slice(0, Math.max(3, Math.floor(most) - 1)).join("") + "\u2026";
}

// Ends of an axis around values, with a margin.
function around(values, margin = 0.05) {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (value !== null && value < low) low = value;
    if (value !== null && value > high) high = value;
  }
  if (!Number.isFinite(low)) return { low: 0, high: 1 };
  const extra = (high - low) * margin || Math.abs(high) * 0.1 || 1;
  return { low: low - extra, high: high + extra };
}

// A chart that is drawn again whenever its width changes. `draw(width)` returns an element.
function chart(label, draw) {
  const host = element("div", { class: "chart", role: "group", "aria-label": label });
  let last = 0;
  host.redraw = () => {
    if (last > 0) host.replaceChildren(draw(last));
  };
  new ResizeObserver(() => {
    const width = Math.floor(host.clientWidth);
    if (width > 0 && width !== last) {
      last = width;
      host.redraw();
    }
  }).observe(host);
  return host;
}

const heightFor = (width) => Math.round(Math.max(260, Math.min(width * 0.65, 460)));

// The sign of a group, as in the pictures.
function sign(group) {
  const path = svg("path", { d: symbolOf(group)(8, 8, 5), fill: colourOf(group) });
  return svg("svg", { viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true" }, path);
}

function legend() {
  if (data.groups.length > 24) return element("p", { class: "hint" }, "Components are numbered at their centres.");
  const items = data.groups.map((name, group) => element("li", {}, sign(group), ` ${name}`));
  return element("ul", { class: "legend" }, ...items);
}
