// The uncertainty explorer: a threshold that can be moved, and the rows that fall under it.

const LISTED_FIRST = 15;

function drawCertainty(section) {
  const known = data.certainty;
  const last = known.thresholds.length - 1;
  if (data.groups.length < 2) {
    section.append(element("p", {}, "With one component and no noise, every row belongs to it with certainty."));
    return;
  }
  const slider = element("input", { type: "range", id: "threshold", min: Math.min(known.from, last), max: last, step: 1, value: Math.max(known.start, known.from) });
  const shown = element("strong", { id: "threshold-text" });
  const told = element("output", { id: "below", for: "threshold", "aria-live": "polite" });
  const readout = element("output", { "aria-live": "polite" });
  const threshold = () => known.thresholds[Number(slider.value)];
  const picture = chart("Rows under the threshold", (width) => {
    const strong = data.points.certainty.map((value) => value < threshold());
    return pair.x === pair.y ? certaintyLine(width, strong, readout) : scatterOf(width, readout, strong);
  });
  const curve = chart("Share of rows under each threshold", (width) => shareCurve(width, Number(slider.value)));
  const groups = element("div", {});
  const list = listOfRows(threshold);
  const update = () => {
    shown.textContent = percent(threshold());
    slider.setAttribute("aria-valuetext", percent(threshold()));
    told.textContent = tellBelow(Number(slider.value));
    groups.replaceChildren(groupTable(Number(slider.value)));
    picture.redraw();
    curve.redraw();
    list.update();
  };
  slider.addEventListener("input", update);
  pair.listeners.push(() => {
    readout.textContent = "";
    picture.redraw();
  });
  section.append(
    element("p", {}, "A row is uncertain if the component that fits it best has a low probability all the same. Move the threshold to see which rows fall under it."),
    element("div", { class: "controls" }, control("Best probability below ", slider, shown)),
    told,
    element("div", { class: "side" },
      element("figure", {}, picture, readout, element("figcaption", {}, "Rows under the threshold are outlined, the others pale; the columns are those chosen above.")),
      element("div", {}, element("figure", {}, curve), groups)),
    list.node,
  );
  update();
}

function tellBelow(place) {
  const { below, total, thresholds, weighted } = data.certainty;
  const sum = below.reduce((all, group) => all + group[place], 0);
  const rows = weighted ? "of the rows' weight" : "rows";
  return `${amount(Number(sum.toPrecision(8)))} of ${amount(total)} ${rows} (${percent(sum / total)}) have a best probability below ${percent(thresholds[place])}.`;
}

function groupTable(place) {
  const { below, total } = data.certainty;
  const body = element("tbody", {});
  data.groups.slice(0, 30).forEach((name, group) => {
    const own = data.shares[group] * total;
    const value = below[group][place];
    body.append(element("tr", {},
      element("th", { scope: "row" }, sign(group), ` ${name}`),
      element("td", {}, amount(value)), element("td", {}, own > 0 ? percent(Math.min(1, value / own)) : "")));
  });
  const head = element("tr", {}, ...["group", "under it", "share of its rows"].map((title) => element("th", { scope: "col" }, title)));
  return element("div", { class: "wide", tabindex: 0, role: "region", "aria-label": "Rows under the threshold by group" },
    element("table", {}, element("thead", {}, head), body));
}

function shareCurve(width, place) {
  const { below, total, thresholds, from } = data.certainty;
  const xs = thresholds.slice(from);
  const ys = xs.map((_, i) => (100 * below.reduce((sum, group) => sum + group[i + from], 0)) / total);
  const { root, toX, toY, frame, inner } = axes(width, 220, { low: 100 * xs[0], high: 100, name: "threshold, %" }, { low: 0, high: (Math.max(...ys) || 1) * 1.05, name: "rows, %" });
  root.append(svg("path", { d: line(xs.map((x) => 100 * x), ys, toX, toY), fill: "none", stroke: "#0b5394", "stroke-width": 2 }));
  const at = toX(100 * thresholds[place]);
  root.append(svg("path", { d: `M${at} ${frame.top}v${inner.height}`, stroke: "#1c1f23", "stroke-width": 1.5, "stroke-dasharray": "4 3" }));
  root.append(svg("circle", { cx: at, cy: toY(ys[place - from]), r: 5, fill: "#0b5394" }));
  return root;
}

// Where there is one column: the rows along it, by how certain they are.
function certaintyLine(width, strong, readout) {
  const xs = data.points.values[pair.x];
  const ys = data.points.certainty.map((value) => 100 * value);
  const { root, toX, toY } = axes(width, heightFor(width), { ...around(xs), name: nameOf(pair.x) }, { low: Math.min(...ys) - 2, high: 102, name: "best probability, %" });
  root.append(symbols(toX, toY, xs, ys, data.points.label, { strong }));
  pickable(root, placesOf(toX, toY, xs, ys), `Best probability over ${nameOf(pair.x)}.`, (place) => {
    readout.textContent = `Row ${data.points.row[place]}: ${nameOf(pair.x)} ${measured(xs[place], pair.x)}; ${data.groups[data.points.label[place]]}, with ${percent(data.points.certainty[place])} probability.`;
  });
  return root;
}

// The least certain rows of all, as far as they are under the threshold.
function listOfRows(threshold) {
  const rows = data.certainty.rows;
  const node = element("div", {});
  const more = element("button", { type: "button" }, "Show more rows");
  let most = LISTED_FIRST;
  const update = () => {
    const found = rows.certainty.filter((value) => value < threshold()).length;
    const body = element("tbody", {});
    for (let i = 0; i < Math.min(found, most); i += 1) body.append(lineOf(rows, i));
    const titles = ["row", ...(rows.name ? ["name"] : []), "best", "probability", "next", ...rows.columns.map(nameOf)];
    const head = element("tr", {}, ...titles.map((title) => element("th", { scope: "col" }, element("bdi", {}, short(title, 24)))));
    const caption = element("p", { class: "caption" }, found === 0 ? "No row is under this threshold." : captionOfRows(found, Math.min(found, most)));
    more.hidden = found <= most;
    node.replaceChildren(caption);
    if (found === 0) return;
    node.append(
      element("div", { class: "wide", tabindex: 0, role: "region", "aria-label": "The least certain rows" },
        element("table", { id: "uncertain-rows" }, element("thead", {}, head), body)), more);
  };
  more.addEventListener("click", () => {
    most = rows.row.length;
    update();
  });
  return { node, update };
}

function captionOfRows(found, shown) {
  const limit = data.certainty.rows.row.length;
  const rest = found === limit && limit >= 200 ? ` The page has the ${limit} least certain ones.` : "";
  return `The least certain rows first: ${shown} of ${found}.${rest} Rows are counted from 0.`;
}

function lineOf(rows, i) {
  const cells = [
    ...(rows.name ? [element("bdi", {}, rows.name[i])] : []),
    data.groups[rows.label[i]], percent(rows.certainty[i]), data.groups[rows.rival[i]], ...rows.values[i].map((value, j) => measured(value, rows.columns[j])),
  ];
  return element("tr", {}, element("th", { scope: "row" }, String(rows.row[i])), ...cells.map((cell) => element("td", {}, cell)));
}
