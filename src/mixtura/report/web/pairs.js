// Rows over any two columns with the components' ellipses; one column against itself is a histogram.

const pair = { x: data.first[0], y: data.first[1], share: 0.95, listeners: [] };
const nameOf = (column) => data.columns[column].name;

function choosePair(x, y) {
  pair.x = x;
  pair.y = y;
  pair.listeners.forEach((listener) => listener());
}

function drawPairs(section) {
  const readout = element("output", { "aria-live": "polite" });
  const picture = chart("Rows and components", (width) =>
    pair.x === pair.y ? histogram(width, pair.x, readout) : scatterOf(width, readout));
  const names = data.columns.map((column) => column.name);
  const first = select(names, pair.x, (place) => choosePair(place, pair.y));
  const second = select(names, pair.y, (place) => choosePair(pair.x, place));
  const slider = element("input", { type: "range", min: 50, max: 99, step: 1, value: 95, id: "ellipse-share" });
  const shown = element("span", {}, "95\u00a0%");
  const held = control("Ellipses hold ", slider, shown, " of a component");
  slider.addEventListener("input", () => {
    pair.share = Number(slider.value) / 100;
    shown.textContent = percent(pair.share);
    picture.redraw();
  });
  first.id = "pair-x";
  second.id = "pair-y";
  const matrix = mostTelling(3).length > 2 ? matrixOfPairs() : null;
  const caption = element("figcaption", {});
  pair.listeners.push(() => {
    first.value = String(pair.x);
    second.value = String(pair.y);
    held.hidden = pair.x === pair.y;
    readout.textContent = hint(pair.x === pair.y ? "bar" : "row");
    caption.textContent = captionOf();
    picture.redraw();
  });
  section.append(...[
    names.length > 1 ? element("div", { class: "controls" }, control("Across ", first), control("Up ", second), held) : null,
    legend(),
    element("figure", {}, picture, readout, caption),
    matrix,
  ].filter((one) => one !== null));
  pair.listeners.forEach((listener) => listener());
}

const hint = (thing) => `Point at a ${thing}, or tab to the picture and use the arrow keys.`;

function captionOf() {
  if (pair.x === pair.y) {
    const beyond = data.columns[pair.x].beyond;
    const rest = beyond > 0 ? ` ${amount(beyond)} are beyond the ends or missing.` : "";
    return `All ${amount(data.certainty.total)} rows in bars by their component; curves are the components' densities, the dark one their sum.${rest}`;
  }
  const { row, all } = data.points;
  const drawn = row.length < all ? `${amount(row.length)} of ${amount(all)} rows, drawn at random with some of every component` : `All ${amount(all)} rows`;
  const directions = [pair.x, pair.y].some((column) => data.columns[column].feature < 0)
    ? " A direction is the combination of features along which components differ most (Scrucca 2010)." : "";
  return `${drawn}; rows with a missing value in either column are left out. Numbers stand at the components' centres.${directions}`;
}

function describe(place) {
  const { row, values, label, certainty } = data.points;
  return `Row ${row[place]}: ${nameOf(pair.x)} ${measured(values[pair.x][place], pair.x)}, ${nameOf(pair.y)} ${measured(values[pair.y][place], pair.y)}; ` +
    `${data.groups[label[place]]}, with ${percent(certainty[place])} probability.`;
}

function scatterOf(width, readout, strong = null) {
  const xs = data.points.values[pair.x];
  const ys = data.points.values[pair.y];
  const across = { ...endsOf(pair.x, xs), name: nameOf(pair.x) };
  const up = { ...endsOf(pair.y, ys), name: nameOf(pair.y) };
  const { root, toX, toY, frame, inner } = axes(width, heightFor(width), across, up);
  const inside = clip(root, frame, inner);
  inside.append(symbols(toX, toY, xs, ys, data.points.label, { strong, radius: xs.length > 1500 ? 2.6 : 3.4 }));
  const means = data.means.map((mean) => [mean[pair.x], mean[pair.y]]);
  const parts = data.covariances.map((one) => [pair.x, pair.y].map((i) => [pair.x, pair.y].map((j) => one[i][j])));
  inside.append(ellipses(toX, toY, means, parts, pair.share));
  const label = `Scatter plot of ${nameOf(pair.y)} over ${nameOf(pair.x)}.`;
  pickable(root, placesOf(toX, toY, xs, ys), label, (place) => (readout.textContent = describe(place)));
  return root;
}

// Ends of a column's axis: of the rows, and of the ellipses as far as they are near them.
function endsOf(column, values) {
  const { low, high } = around(values);
  const reach = data.means.flatMap((mean, k) => {
    const half = 2.2 * Math.sqrt(data.covariances[k][column][column]);
    return [mean[column] - half, mean[column] + half];
  });
  const extra = 0.25 * (high - low);
  return { low: Math.max(low - extra, Math.min(low, ...reach)), high: Math.min(high + extra, Math.max(high, ...reach)) };
}

let clips = 0;

// A layer whose content ends at the axes.
function clip(root, frame, inner) {
  const id = `clip-${(clips += 1)}`;
  const shape = svg("rect", { x: frame.left, y: frame.top, width: Math.max(inner.width, 1), height: Math.max(inner.height, 1) });
  const layer = svg("g", { "clip-path": `url(#${id})` });
  root.append(svg("defs", {}, svg("clipPath", { id }, shape)), layer);
  return layer;
}

function histogram(width, column, readout) {
  const { low, high, name } = data.columns[column];
  const bars = data.bars[column];
  const size = bars[0].length;
  const step = (high - low) / size;
  const tops = Array.from({ length: size }, (_, i) => bars.reduce((sum, group) => sum + group[i], 0));
  const up = { low: 0, high: (Math.max(...tops) || 1) * 1.08, name: data.certainty.weighted ? "weight of rows" : "rows" };
  const { root, toX, toY, frame, inner } = axes(width, heightFor(width), { low, high, name }, up);
  const places = [];
  for (let i = 0; i < size; i += 1) {
    let from = 0;
    bars.forEach((group, k) => {
      if (group[i] <= 0) return;
      const top = toY(from + group[i]);
      root.append(svg("rect", {
        x: toX(low + i * step) + 0.5, y: top, width: Math.max(toX(low + step) - toX(low) - 1, 1), height: toY(from) - top,
        fill: colourOf(k), "fill-opacity": 0.45, class: "bar",
      }));
      from += group[i];
    });
    places.push([toX(low + (i + 0.5) * step), toY(tops[i])]);
  }
  const means = data.means.map((mean) => mean[column]);
  const variances = data.covariances.map((one) => one[column][column]);
  clip(root, frame, inner).append(densities(toX, toY, low, high, data.weights, means, variances, data.certainty.total * step));
  pickable(root, places, `Histogram of ${name}.`, (i) => {
    const parts = bars.map((group, k) => [k, group[i]]).filter(([, value]) => value > 0);
    const told = parts.map(([k, value]) => `${data.groups[k]}: ${amount(value)}`).join(", ");
    readout.textContent = `${name} ${measured(low + i * step, column)} to ${measured(low + (i + 1) * step, column)}: ${amount(Number(tops[i].toPrecision(6)))} rows` + (told ? ` (${told}).` : ".");
  });
  return root;
}

// All pairs of the most telling columns as small pictures, each a button.
function matrixOfPairs() {
  const shown = mostTelling(5);
  const host = element("div", { class: "matrix", role: "group", "aria-label": "All pairs of columns" });
  host.style.gridTemplateColumns = `repeat(${shown.length}, minmax(0, 1fr))`;
  const buttons = [];
  shown.forEach((y, row) => {
    shown.forEach((x, column) => {
      if (row === column) {
        host.append(element("div", { class: "name" }, element("bdi", {}, short(nameOf(x), 24))));
        return;
      }
      const button = element("button", { type: "button", "aria-label": `Show ${nameOf(y)} over ${nameOf(x)}` }, thumbnail(x, y));
      button.addEventListener("click", () => choosePair(x, y));
      buttons.push([button, x, y]);
      host.append(button);
    });
  });
  pair.listeners.push(() => {
    for (const [button, x, y] of buttons) button.setAttribute("aria-pressed", String(x === pair.x && y === pair.y));
  });
  return element("details", { open: shown.length < 5 ? "" : null }, element("summary", {}, "All pairs at a glance"), host);
}

function mostTelling(most) {
  const first = [...new Set(data.first)];
  const rest = data.columns.map((_, column) => column).filter((column) => !first.includes(column) && data.columns[column].feature >= 0);
  return [...first, ...rest].slice(0, most).sort((one, other) => one - other);
}

function thumbnail(x, y) {
  const xs = data.points.values[x].slice(0, 400);
  const ys = data.points.values[y].slice(0, 400);
  const across = around(data.points.values[x]);
  const up = around(data.points.values[y]);
  const toX = (value) => ((value - across.low) / (across.high - across.low)) * 100;
  const toY = (value) => 100 - ((value - up.low) / (up.high - up.low)) * 100;
  return svg("svg", { viewBox: "0 0 100 100", "aria-hidden": "true" }, symbols(toX, toY, xs, ys, data.points.label, { radius: 2 }));
}
