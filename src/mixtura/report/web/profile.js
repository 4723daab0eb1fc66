// Each component's mean, and one standard deviation to both sides, in standard deviations of all rows.

const TITLE = 18; // room for a feature's name above its marks
const MARKS_MOST = 160;

function drawProfile(section) {
  const features = data.columns.map((_, place) => place).filter((place) => data.columns[place].feature >= 0 && data.columns[place].spread > 0);
  if (features.length === 0 || data.components > 30) return;
  const readout = element("output", { "aria-live": "polite" }, hint("mark"));
  const picture = chart("Profile of the components", (width) => profileOf(width, features, readout));
  const rest = "Means with one standard deviation to both sides, in standard deviations of all rows; 0 is the mean of all rows.";
  section.querySelector("h2").after(legend(), element("figure", {}, picture, readout, element("figcaption", {}, rest)));
}

function profileOf(width, features, readout) {
  const step = TITLE + Math.min(MARKS_MOST, 14 * data.components + 6);
  const marks = features.flatMap((column, row) => data.means.map((mean, k) => {
    const { center, spread } = data.columns[column];
    const half = Math.sqrt(data.covariances[k][column][column]) / spread;
    const value = (mean[column] - center) / spread;
    return { column, k, value, low: value - half, high: value + half, row, share: (k + 0.5) / data.components };
  }));
  const ends = around(marks.flatMap(({ low, high }) => [low, high]));
  const height = features.length * step + 58;
  const { root, toX, inner, frame } = axes(width, height, { ...ends, name: "standard deviations from the mean" }, { low: 0, high: 1, name: null });
  const toY = (row, share) => frame.top + (row / features.length) * inner.height + TITLE + share * (step - TITLE);
  features.forEach((column, row) => {
    root.append(svg("path", { class: "grid", d: `M${frame.left} ${toY(row, 0) - TITLE}h${inner.width}` }));
    root.append(svg("text", { class: "label", x: frame.left + 4, y: toY(row, 0) - 3 }, short(nameOf(column), inner.width / 8)));
  });
  root.append(svg("path", { class: "axis", d: `M${toX(0)} ${frame.top}v${inner.height}` }));
  for (const { k, value, low, high, row, share } of marks) {
    root.append(svg("path", { d: `M${toX(low)} ${toY(row, share)}H${toX(high)}`, stroke: colourOf(k), "stroke-width": 2 }));
    root.append(svg("path", { d: symbolOf(k)(toX(value), toY(row, share), 5), fill: colourOf(k) }));
  }
  const places = marks.map(({ value, row, share }) => [toX(value), toY(row, share)]);
  pickable(root, places, "Profile of the components.", (i) => {
    const { column, k } = marks[i];
    const deviation = Math.sqrt(data.covariances[k][column][column]);
    readout.textContent = `${data.groups[k]}, ${nameOf(column)}: mean ${measured(data.means[k][column], column)}, standard deviation ${figure(deviation)}.`;
  });
  return root;
}
