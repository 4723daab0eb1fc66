// The criterion of a choice over the number of components: a curve for each covariance model, failed cells as crosses.

function drawChoice(section) {
  const choice = data.choice;
  if (choice === null) return;
  const names = Object.keys(choice.criteria);
  let criterion = choice.criterion;
  let near = true;
  const readout = element("output", { "aria-live": "polite" });
  const picture = chart("Model selection", (width) => choiceCurves(width, choice, criterion, near, readout));
  const pick = select(names.map((name) => name.toUpperCase()), names.indexOf(criterion), (place) => {
    criterion = names[place];
    picture.redraw();
  });
  const box = element("input", { type: "checkbox", checked: "" });
  box.addEventListener("change", () => {
    near = box.checked;
    picture.redraw();
  });
  const models = [...new Set(choice.model)];
  const items = models.map((model, place) => {
    const path = svg("path", { d: SYMBOLS[place % SYMBOLS.length](8, 8, 5), fill: COLOURS[place % COLOURS.length] });
    return element("li", {}, svg("svg", { viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true" }, path), ` ${model}`);
  });
  readout.textContent = hint("mark");
  const figureNode = element("figure", {}, picture, readout,
    element("figcaption", {}, "Lower is better. The ring is the choice; a cross at the lower edge is a fit that failed."));
  section.querySelector("h2").after(
    element("div", { class: "controls" }, control("Criterion ", pick), control("Only near the best ", box)), element("ul", { class: "legend" }, ...items), figureNode);
}

function choiceCurves(width, choice, criterion, near, readout) {
  const values = choice.criteria[criterion];
  const across = { low: Math.min(...choice.number) - 0.3, high: Math.max(...choice.number) + 0.3, name: "number of components", whole: true };
  const shown = near ? bestHalf(values) : values;
  const { root, toX, toY, frame, inner } = axes(width, heightFor(width), across, { ...around(shown, 0.08), name: criterion.toUpperCase() });
  const inside = clip(root, frame, inner);
  const models = [...new Set(choice.model)];
  models.forEach((model, place) => {
    const colour = COLOURS[place % COLOURS.length];
    const own = values.map((_, i) => i).filter((i) => choice.model[i] === model).sort((i, j) => choice.number[i] - choice.number[j]);
    const known = own.filter((i) => values[i] !== null);
    if (known.length > 0) inside.append(svg("path", { d: line(known.map((i) => choice.number[i]), known.map((i) => values[i]), toX, toY), fill: "none", stroke: colour, "stroke-width": 1.5, "stroke-opacity": 0.75 }));
    const marks = known.map((i) => SYMBOLS[place % SYMBOLS.length](toX(choice.number[i]), toY(values[i]), 4));
    const failed = own.filter((i) => values[i] === null);
    const crosses = failed.map((i) => CROSS(toX(choice.number[i]) + 5 * (place - models.length / 2) / 2, frame.top + inner.height - 8, 3));
    inside.append(svg("path", { d: [...marks, ...crosses].join("") || "M0 0", fill: colour }));
  });
  root.append(svg("circle", { class: "picked", cx: toX(choice.number[choice.best]), cy: toY(values[choice.best]), r: 10 }));
  const places = values.map((value, i) => (value === null ? [-1e6, -1e6] : [toX(choice.number[i]), toY(value)]));
  pickable(root, places, `${criterion.toUpperCase()} over the number of components.`, (i) => {
    readout.textContent = `${choice.model[i]} with ${choice.number[i]}: ${criterion.toUpperCase()} ${figure(values[i], 8)}, ${figure(values[i] - values[choice.best])} from the choice.`;
  });
  return root;
}

// The lower half of the values: fits far from the best would press the others together.
function bestHalf(values) {
  const known = values.filter((value) => value !== null).sort((one, other) => one - other);
  return known.slice(0, Math.max(2, Math.ceil(known.length / 2)));
}
