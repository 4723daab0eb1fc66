// Points as symbols, components as ellipses, and the choice of a point by pointer or by keys.

// Paths of many symbols at once: one element for each group, and for each of faded and strong.
function symbols(toX, toY, xs, ys, labels, options = {}) {
  const { radius = 3.2, strong = null, opacity = null } = options;
  const paths = new Map();
  for (let i = 0; i < xs.length; i += 1) {
    if (xs[i] === null || ys[i] === null) continue;
    const group = labels === null ? -1 : labels[i];
    const kind = strong === null ? 1 : Number(strong[i]);
    const shade = opacity === null ? 9 : opacity[i];
    const key = `${group} ${kind} ${shade}`;
    if (!paths.has(key)) paths.set(key, { group, kind, shade, parts: [] });
    const draw = group < 0 ? SYMBOLS[0] : symbolOf(group);
    paths.get(key).parts.push(draw(Number(toX(xs[i]).toFixed(1)), Number(toY(ys[i]).toFixed(1)), radius));
  }
  const layer = svg("g", {});
  const ordered = [...paths.values()].sort((one, other) => one.kind - other.kind);
  for (const { group, kind, shade, parts } of ordered) {
    const colour = group < 0 ? NOISE_COLOUR : colourOf(group);
    const faded = kind === 0;
    layer.append(svg("path", {
      d: parts.join(""),
      fill: colour,
      "fill-opacity": faded ? 0.18 : 0.35 + 0.05 * shade,
      stroke: strong !== null && kind === 1 ? "#1c1f23" : "none",
      "stroke-width": 1,
    }));
  }
  return layer;
}

// Points of the ellipse that holds a share of a component over two columns: mean + L u, with L L^T = covariance.
function ellipse(mean, covariance, share, toX, toY) {
  const radius = Math.sqrt(-2 * Math.log(1 - share)); // a quantile of chi with two degrees of freedom
  const [[a, b], [, c]] = covariance;
  const first = Math.sqrt(Math.max(a, 0));
  const below = first > 0 ? b / first : 0;
  const second = Math.sqrt(Math.max(c - below * below, 0));
  const steps = [];
  for (let i = 0; i < 72; i += 1) {
    const u = radius * Math.cos((i * Math.PI) / 36);
    const v = radius * Math.sin((i * Math.PI) / 36);
    steps.push(`${toX(mean[0] + first * u).toFixed(1)} ${toY(mean[1] + below * u + second * v).toFixed(1)}`);
  }
  return `M${steps.join("L")}z`;
}

function ellipses(toX, toY, means, covariances, share) {
  const layer = svg("g", {});
  means.forEach((mean, k) => {
    if (mean.includes(null) || covariances[k].flat().includes(null)) return;
    layer.append(svg("path", {
      d: ellipse(mean, covariances[k], share, toX, toY), class: "ellipse", fill: "none", stroke: colourOf(k),
      "stroke-width": 2, "stroke-dasharray": dashOf(k),
    }));
  });
  means.forEach((mean, k) => {
    if (mean.includes(null)) return;
    layer.append(svg("text", { class: "label", x: toX(mean[0]), y: toY(mean[1]) + 4, "text-anchor": "middle" }, String(k)));
  });
  return layer;
}

// Lets a reader pick one of several places on a chart: by pointer the nearest, by arrow keys the next from left to right.
// `say(place)` is told which; a ring shows it.
function pickable(root, places, label, say) {
  const ring = svg("circle", { class: "picked", r: 9, cx: -99, cy: -99 });
  const order = [...places.keys()].sort((i, j) => places[i][0] - places[j][0] || places[i][1] - places[j][1]);
  let at = -1;
  const pick = (place) => {
    ring.setAttribute("cx", places[place][0]);
    ring.setAttribute("cy", places[place][1]);
    say(place);
  };
  root.setAttribute("tabindex", "0");
  root.setAttribute("role", "application");
  root.setAttribute("aria-label", `${label} Arrow keys go from one to the next.`);
  root.addEventListener("pointermove", (event) => {
    const place = nearest(places, root, event);
    if (place >= 0) pick(place);
  });
  root.addEventListener("pointerdown", (event) => {
    const place = nearest(places, root, event);
    if (place >= 0) pick(place);
  });
  root.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
    if (step === undefined || order.length === 0) return;
    event.preventDefault();
    at = (at + step + order.length) % order.length;
    pick(order[at]);
  });
  root.append(ring);
}

function nearest(places, root, event) {
  const box = root.getBoundingClientRect();
  const scale = root.viewBox.baseVal.width / box.width;
  const x = (event.clientX - box.left) * scale;
  const y = (event.clientY - box.top) * scale;
  let best = -1;
  let least = 40 * 40;
  places.forEach(([a, b], place) => {
    const apart = (a - x) ** 2 + (b - y) ** 2;
    if (apart < least) [best, least] = [place, apart];
  });
  return best;
}

// Places of points on a chart; those without a value are out of reach.
function placesOf(toX, toY, xs, ys) {
  return xs.map((x, i) => (x === null || ys[i] === null ? [-1e6, -1e6] : [toX(x), toY(ys[i])]));
}

const normal = (x, mean, variance) => Math.exp((-0.5 * (x - mean) ** 2) / variance) / Math.sqrt(2 * Math.PI * variance);

// Curves of weighted normal densities, and of their sum, times a scale.
function densities(toX, toY, low, high, weights, means, variances, scale) {
  const layer = svg("g", {});
  const grid = Array.from({ length: 201 }, (_, i) => low + ((high - low) * i) / 200);
  const total = grid.map(() => 0);
  weights.forEach((weight, k) => {
    if (weight === null || !(variances[k] > 0)) return;
    const curve = grid.map((x) => scale * weight * normal(x, means[k], variances[k]));
    curve.forEach((value, i) => (total[i] += value));
    layer.append(svg("path", { d: line(grid, curve, toX, toY), fill: "none", stroke: colourOf(k), "stroke-width": 2, "stroke-dasharray": dashOf(k), class: "density" }));
  });
  layer.append(svg("path", { d: line(grid, total, toX, toY), fill: "none", stroke: "#1c1f23", "stroke-width": 1.5, class: "density" }));
  return layer;
}

function line(xs, ys, toX, toY) {
  return "M" + xs.map((x, i) => `${toX(x).toFixed(1)} ${toY(ys[i]).toFixed(1)}`).join("L");
}
