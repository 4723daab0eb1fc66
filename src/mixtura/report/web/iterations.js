// EM step by step: each E-step shares the rows out (their colours), each M-step moves the components (the ellipses).

function drawIterations(section) {
  const run = data.iterations;
  if (run.reason) {
    section.append(element("p", {}, run.reason));
    return;
  }
  const frames = run.frames;
  const last = 2 * frames.length - 1;
  const slider = element("input", { type: "range", id: "iteration", min: 0, max: last, step: 1, value: 0 });
  const told = element("output", { id: "step", for: "iteration", "aria-live": "polite" });
  const play = element("button", { type: "button", "aria-pressed": "false" }, "Play");
  const at = () => Number(slider.value);
  const picture = chart("One step of EM", (width) => drawStep(width, run, at()));
  const level = chart("Log likelihood by iteration", (width) => drawLevel(width, run, Math.floor(at() / 2)));
  const update = () => {
    told.textContent = tellStep(run, at());
    slider.setAttribute("aria-valuetext", told.textContent);
    picture.redraw();
    level.redraw();
  };
  slider.addEventListener("input", update);
  player(play, slider, last, update);
  section.append(
    element("div", { class: "controls" }, control("Step ", slider), play),
    told,
    element("div", { class: "side" }, element("figure", {}, picture), element("figure", {}, level)),
    element("p", { class: "aside" }, captionOfRun(run)),
  );
  update();
}

// At step 2i the components have moved to iteration i and the rows are as before; at 2i + 1 they are shared out anew.
function stateAt(run, step) {
  const frame = run.frames[Math.floor(step / 2)];
  const colours = step % 2 === 1 ? frame : run.frames[step / 2 - 1] || null;
  return { frame, colours };
}

function tellStep(run, step) {
  const { frame } = stateAt(run, step);
  if (step === 0) return "Start: components as they were seeded; no row belongs to any yet.";
  const value = `mean log likelihood ${figure(frame.level, 7)} per row`;
  if (step % 2 === 1) return `E-step of iteration ${frame.iteration + 1}: rows are shared out among the components (${value}).`;
  const skipped = frame.iteration - run.frames[step / 2 - 1].iteration;
  if (skipped > 1) return `M-step of iteration ${frame.iteration}, ${skipped} iterations on: the components have moved.`;
  return `M-step of iteration ${frame.iteration}: the components move to the rows that they were given.`;
}

function drawStep(width, run, step) {
  const { frame, colours } = stateAt(run, step);
  const options = { opacity: colours === null ? null : colours.certainty };
  const labels = colours === null ? null : colours.label;
  const xs = run.values[0];
  const weights = frame.weights;
  if (run.names.length === 1) return drawStepOnLine(width, run, frame, labels, options, weights);
  const ys = run.values[1];
  const { root, toX, toY, frame: edges, inner } = axes(width, heightFor(width), { ...around(xs), name: run.names[0] }, { ...around(ys), name: run.names[1] });
  const inside = clip(root, edges, inner);
  inside.append(symbols(toX, toY, xs, ys, labels, options), ellipses(toX, toY, frame.means, frame.covariances, 0.9));
  return described(root, "Rows and components at this step");
}

function drawStepOnLine(width, run, frame, labels, options, weights) {
  const xs = run.values[0];
  const ends = around(xs);
  const means = frame.means.map((mean) => mean[0]);
  const variances = frame.covariances.map((one) => one[0][0]);
  const sum = (x) => weights.reduce((all, weight, k) => all + (variances[k] > 0 ? weight * normal(x, means[k], variances[k]) : 0), 0);
  const peak = Math.max(...means.map(sum), 1e-300);
  const { root, toX, toY, frame: edges, inner } = axes(width, heightFor(width), { ...ends, name: run.names[0] }, { low: -0.12 * peak, high: 1.15 * peak, name: "density" });
  const heights = xs.map((_, i) => -peak * (0.02 + 0.08 * ((i * 0.618) % 1))); // spread, so that equal values show
  const inside = clip(root, edges, inner);
  inside.append(symbols(toX, toY, xs, heights, labels, options), densities(toX, toY, ends.low, ends.high, weights, means, variances, 1));
  return described(root, "Components' densities at this step");
}

function drawLevel(width, run, place) {
  const xs = run.frames.map((frame) => frame.iteration);
  const ys = run.frames.map((frame) => frame.level);
  const { root, toX, toY } = axes(width, 220, { low: 0, high: Math.max(xs[xs.length - 1], 1), name: "iteration", whole: true }, { ...around([...ys, run.fitted], 0.08), name: "log likelihood" });
  root.append(svg("path", { d: line([0, Math.max(xs[xs.length - 1], 1)], [run.fitted, run.fitted], toX, toY), stroke: "#50565e", "stroke-dasharray": "6 4", fill: "none" }));
  root.append(svg("path", { d: line(xs, ys, toX, toY), stroke: "#0b5394", "stroke-width": 2, fill: "none" }));
  root.append(svg("circle", { cx: toX(xs[place]), cy: toY(ys[place]), r: 6, fill: "#0b5394" }));
  return described(root, "Mean log likelihood over the iterations; the dashed line is the fitted model's");
}

function described(root, text) {
  root.setAttribute("role", "img");
  root.setAttribute("aria-label", text);
  return root;
}

function captionOfRun(run) {
  const shown = "The surer a row, the stronger its colour; ellipses hold 90\u00a0% of a component.";
  if (run.origin) return `These are the fit's own iterations, by plain EM from ${run.origin}. ${shown}`;
  const end = run.frames[run.frames.length - 1];
  const apart = end.level - run.fitted;
  const where = Math.abs(apart) < 1e-3
    ? "It came to the fitted model's level (the dashed line)."
    : `It ended ${figure(Math.abs(apart), 3)} per row ${apart < 0 ? "below" : "above"} the fitted model (the dashed line): ` +
      (apart < 0 ? "a single run of EM may stop at a lesser optimum, or be slow." : aboveOf(run));
  return `These are not the iterations of the fit itself. They are those of a short, plain run of EM on ${amount(run.rows)} rows, made for this page from ` +
    `seeds as k-means++ draws them; the fit searches from several starts, and may be accelerated. ${run.converged ? "The run converged." : "The run was stopped before it converged."} ${where} ${shown}`;
}

function aboveOf(run) {
  if (!run.sound) return "but a component of the run collapsed onto few rows, which makes that number worthless.";
  return run.whole ? "the fit did not find the best optimum." : "it looks at these rows alone, the fit at all.";
}

// Moves a slider on by itself until its end, or until it is pressed again.
function player(button, slider, last, update) {
  let timer = null;
  const stop = () => {
    clearInterval(timer);
    timer = null;
    button.textContent = "Play";
    button.setAttribute("aria-pressed", "false");
  };
  button.addEventListener("click", () => {
    if (timer !== null) {
      stop();
      return;
    }
    if (Number(slider.value) >= last) slider.value = "0";
    button.textContent = "Pause";
    button.setAttribute("aria-pressed", "true");
    timer = setInterval(() => {
      slider.value = String(Number(slider.value) + 1);
      update();
      if (Number(slider.value) >= last) stop();
    }, 450);
  });
}
