"""Reports in a browser: nothing is requested, nothing fails, and what is moved changes what is said.

Chromium runs headless and offline. Where there is none these tests are skipped, unless MIXTURA_REQUIRE_BROWSER is 1;
the pictures that they take are kept in out/report.
"""

from __future__ import annotations

import os
import re
import shutil
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from report_problems import HOSTILE, blobs
from scipy.stats import chi2

from mixtura import GaussianMixture, GaussianMixtureIC, Mixture
from mixtura.datasets import load_old_faithful
from mixtura.report import write_report

REQUIRED = os.environ.get("MIXTURA_REQUIRE_BROWSER") == "1"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PICTURES = Path(__file__).parents[1] / "out" / "report"
WIDTHS = (1400, 390)
SEED = 11

if REQUIRED:
    import playwright.sync_api as playwright
else:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on this machine")

OPTIONS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run", "--disable-dev-shm-usage",
]  # fmt: skip

#: WCAG 2.2's contrast of every text with what is behind it; returns the worst and where it is.
CONTRAST = """() => {
  const parts = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = (rgb) => {
    const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = rgb.slice(0, 3).map((v) => linear(v / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const colour = parts(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  let worst = [99, ""];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text = walker.nextNode(); text; text = walker.nextNode()) {
    const node = text.parentElement;
    if (!text.data.trim() || ["SCRIPT", "STYLE", "NOSCRIPT", "OPTION"].includes(node.tagName)) continue;
    const style = getComputedStyle(node);
    const colour = parts(node.ownerSVGElement ? style.fill : style.color);
    const [one, other] = [light(colour), light(behind(node))].sort((a, b) => b - a);
    const ratio = (one + 0.05) / (other + 0.05);
    if (ratio < worst[0]) worst = [ratio, node.tagName + ": " + text.data.slice(0, 40)];
  }
  return worst;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.fail("MIXTURA_REQUIRE_BROWSER is 1, and there is no chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield browser
        browser.close()


Opened = Callable[..., Any]


@pytest.fixture
def opened(browser: Any) -> Iterator[Opened]:
    """Opens a file; at the end, nothing but files that were opened may have been asked for, and nothing said."""
    asked: list[str] = []
    said: list[str] = []
    contexts = []
    expected = []

    def open_page(path: Path, width: int = 1400, height: int = 900) -> Any:
        context = browser.new_context(viewport={"width": width, "height": height}, offline=True)
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("dialog", lambda dialog: said.append("a dialog opened"))
        expected.append(path.as_uri())
        page.goto(path.as_uri())
        page.wait_for_selector("#pairs .chart svg")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert asked == expected and said == []


def until(page: Any, expression: str) -> None:
    """Wait for it; the policy keeps the driver's own way of waiting out."""
    for _ in range(200):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(50)
    pytest.fail(f"it never came: {expression}")


def keep_picture(page: Any, name: str) -> None:
    """A picture of the whole page, to be looked at."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
    page.wait_for_timeout(100)
    page.screenshot(path=PICTURES / f"{name}.png", full_page=True)


def fits_its_width(page: Any) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reports")


@pytest.fixture(scope="module")
def faithful(folder: Path) -> tuple[Path, Any, Any]:
    """The report of a choice, its best estimator and its rows."""
    X = pd.DataFrame(load_old_faithful().data, columns=["eruptions", "waiting"])
    choice = GaussianMixtureIC(range(1, 7), random_state=0).fit(X)
    choice.report(X, folder / "faithful.html")
    return folder / "faithful.html", choice.best_estimator_, X


@pytest.mark.parametrize("width", WIDTHS)
def test_a_report_loads_offline_and_fits_the_screen(opened: Opened, faithful: Any, width: int) -> None:
    page = opened(faithful[0], width)
    for section in ("pairs", "certainty", "profile", "choice", "iterations"):
        page.wait_for_selector(f"#{section} .chart svg")
    assert fits_its_width(page)
    keep_picture(page, f"faithful-{width}")
    assert fits_its_width(page)
    ratio, where = page.evaluate(CONTRAST)
    assert ratio >= 4.5, where


def test_the_threshold_is_moved_by_keys(opened: Opened, faithful: Any) -> None:
    path, model, X = faithful
    page = opened(path)
    best = model.predict_proba(X).max(axis=1)
    page.focus("#threshold")
    for key, steps in (("ArrowLeft", 20), ("ArrowRight", 5)):
        for _ in range(steps):
            page.keyboard.press(key)
        threshold = float(page.inner_text("#threshold-text").split("\N{NO-BREAK SPACE}")[0]) / 100
        count = int(np.sum(best < threshold))
        assert page.inner_text("#below").startswith(f"{count} of 272 rows")
        assert page.get_attribute("#threshold", "aria-valuetext") == page.inner_text("#threshold-text")
        outlined = page.locator("#certainty .chart g[clip-path] path[fill][stroke='#1c1f23']").evaluate_all(
            "all => all.map((one) => one.getAttribute('d')).join('')"
        )
        assert outlined.count("M") == count
        listed = page.locator("#uncertain-rows tbody tr")
        assert listed.count() == min(count, 15)
    assert threshold == pytest.approx(0.75)
    assert int(listed.nth(0).locator("th").inner_text()) == int(best.argmin())
    rows = page.locator("#certainty .side tbody tr td:nth-child(2)").all_inner_texts()
    assert [int(text) for text in rows] == np.bincount(model.predict(X)[best < threshold], minlength=3).tolist()


def test_the_slider_of_iterations_moves_components_and_colours(opened: Opened, faithful: Any) -> None:
    page = opened(faithful[0])
    shapes = "#iterations figure:first-child .ellipse"
    page.wait_for_selector(shapes)
    states = []
    page.focus("#iteration")
    for _ in range(4):
        drawn = page.locator(shapes).evaluate_all("all => all.map((one) => one.getAttribute('d')).join()")
        fills = page.locator("#iterations figure:first-child path[fill-opacity]").evaluate_all(
            "all => all.map((one) => [one.getAttribute('fill'), one.getAttribute('d')])"
        )
        states.append((page.inner_text("#step"), drawn, fills))
        page.keyboard.press("ArrowRight")
    assert [text.split(" ")[0].strip(":") for text, _, _ in states] == ["Start", "E-step", "M-step", "E-step"]
    assert states[0][1] == states[1][1] != states[2][1] == states[3][1]  # only an M-step moves
    assert {colour for colour, _ in states[0][2]} == {"#6b6b6b"}  # grey, until
    assert {"#0072b2", "#d55e00"} <= {colour for colour, _ in states[1][2]}  # an E-step gives the rows their colours,
    assert states[1][2] == states[2][2] != states[3][2]  # and only an E-step changes them
    page.keyboard.press("End")
    assert "E-step" in page.inner_text("#step")
    page.click("#iterations button")
    until(page, "document.querySelector('#iteration').value === '1'")
    page.click("#iterations button")


def test_pointing_at_a_row_tells_what_it_is(opened: Opened, faithful: Any) -> None:
    path, model, X = faithful
    page = opened(path)
    readout = page.locator("#pairs output")
    chart = page.locator("#pairs .chart svg")
    box = chart.bounding_box()
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.6 * box["height"])
    until(page, "document.querySelector('#pairs output').textContent.startsWith('Row')")
    row, first, second, component = re.match(
        r"Row (\d+): eruptions ([\d.]+), waiting ([\d.]+); component (\d)", readout.inner_text()
    ).groups()
    assert [float(first), float(second)] == X.iloc[int(row)].tolist()
    assert int(component) == model.predict(X)[int(row)]
    chart.focus()
    page.keyboard.press("ArrowRight")
    leftmost = readout.inner_text()
    assert f"eruptions {X['eruptions'].min():g}" in leftmost
    page.keyboard.press("ArrowRight")
    assert readout.inner_text() != leftmost
    page.select_option("#pair-y", "0")
    page.wait_for_selector("#pairs .bar")
    chart.focus()
    page.keyboard.press("ArrowRight")
    assert "rows" in readout.inner_text() and "eruptions" in readout.inner_text()


def test_ellipses_and_points_stand_where_the_numbers_say(opened: Opened, faithful: Any) -> None:
    path, model, X = faithful
    page = opened(path)
    ticks = page.locator("#pairs .chart .tick").evaluate_all(
        "all => all.map((one) => [...['text-anchor', 'x', 'y'].map((name) => one.getAttribute(name)), one.textContent])"
    )
    across = np.array([[float(x), float(text)] for anchor, x, _, text in ticks if anchor == "middle"])
    up = np.array([[float(y) - 4.0, float(text)] for anchor, _, y, text in ticks if anchor == "end"])
    to_x, to_y = np.polyfit(*across.T, 1), np.polyfit(*up.T, 1)
    curves = page.locator("#pairs .chart .ellipse").evaluate_all("all => all.map((one) => one.getAttribute('d'))")
    assert len(curves) == model.n_components
    for k, curve in enumerate(curves):
        points = np.array(re.findall(r"(-?[\d.]+) (-?[\d.]+)", curve), dtype=float)
        around = np.column_stack([np.polyval(to_x, points[:, 0]), np.polyval(to_y, points[:, 1])])
        away = around - model.means_[k]
        factor = np.linalg.cholesky(model.mixture_.dense_covariances[k])
        squares = np.square(np.linalg.solve(factor, away.T)).sum(axis=0)
        assert squares == pytest.approx(np.full(72, chi2.ppf(0.95, 2)), rel=0.03)
    drawn = page.locator("#pairs .chart g[clip-path] path:not(.ellipse)").evaluate_all(
        "all => all.map((one) => one.getAttribute('d')).join('')"
    )
    first = X[model.predict(X) == 0].to_numpy()  # circles, whose paths begin at their left
    starts = np.array(re.findall(r"M(-?[\d.]+) (-?[\d.]+)a", drawn), dtype=float)
    assert np.polyval(to_x, starts[:, 0] + 3.4) == pytest.approx(first[:, 0], abs=0.01)
    assert np.polyval(to_y, starts[:, 1]) == pytest.approx(first[:, 1], abs=0.2)


def test_a_choice_is_read_by_keys_and_by_criterion(opened: Opened, faithful: Any) -> None:
    page = opened(faithful[0])
    page.focus("#choice .chart svg")
    page.keyboard.press("ArrowRight")
    assert re.match(r"\w{3} with 1: BIC ", page.inner_text("#choice output"))
    before = page.inner_html("#choice .chart")
    page.select_option("#choice select", label="AIC")
    assert page.inner_html("#choice .chart") != before
    page.uncheck("#choice input[type=checkbox]")
    assert "AIC" in page.inner_html("#choice .chart")


def test_everything_is_reached_by_tab_and_the_focus_shows(opened: Opened, faithful: Any) -> None:
    page = opened(faithful[0], 390)
    reached = []
    for _ in range(60):
        page.keyboard.press("Tab")
        state = page.evaluate(
            "() => { const at = document.activeElement, style = getComputedStyle(at);"
            "return [at.id || at.tagName.toLowerCase(), style.outlineStyle, parseFloat(style.outlineWidth)]; }"
        )
        if state[0] == "body":
            break
        reached.append(state)
    assert all(style != "none" and width >= 2 for _, style, width in reached), reached
    assert reached[0][0] == "a"  # past the navigation
    wanted = {"pair-x", "pair-y", "ellipse-share", "threshold", "iteration", "svg", "button"}
    assert wanted <= {one[0] for one in reached}


def test_colours_stand_out_and_symbols_differ(opened: Opened, folder: Path) -> None:
    rng = np.random.default_rng(SEED)
    centres = np.array([[x, y] for x in range(4) for y in range(4)]) * 20.0
    X = np.concatenate([rng.normal(size=(40, 2)) + centre for centre in centres])
    GaussianMixture(16, n_init=1, means_init=centres).fit(X).report(X, folder / "many.html")
    page = opened(folder / "many.html")
    marks = page.locator("#pairs .legend path").evaluate_all(
        "all => all.map((one) => [one.getAttribute('fill'), one.getAttribute('d')])"
    )
    assert len({tuple(mark) for mark in marks}) == 16
    for colour, _ in marks:
        channels = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
        assert 1.05 / (linear @ [0.2126, 0.7152, 0.0722] + 0.05) >= 3.0, colour
    keep_picture(page, "many-1400")


def test_hostile_names_do_nothing(opened: Opened, folder: Path) -> None:
    frame = pd.DataFrame(blobs(np.random.default_rng(SEED), 300, len(HOSTILE)), columns=HOSTILE)
    frame.index = ["<img src=x onerror=alert(2)>"] * 300
    model = GaussianMixture(2, random_state=0).fit(frame)
    write_report(model, frame, folder / "hostile.html", title="<script>alert(3)</script> \N{ELEPHANT}")
    for width in WIDTHS:
        page = opened(folder / "hostile.html", width)
        assert page.inner_text("h1").startswith("<script>alert(3)</script>")
        assert HOSTILE[0] in page.locator("#pair-x option").all_inner_texts()
        assert page.locator("img, iframe, object, embed, link[rel=stylesheet]").count() == 0
        assert fits_its_width(page)
        keep_picture(page, f"hostile-{width}")


def test_the_policy_stops_what_would_get_in(browser: Any, faithful: Any) -> None:
    page = browser.new_page()
    page.goto(faithful[0].as_uri())
    page.evaluate("""() => {
      window.stopped = [];
      document.addEventListener("securitypolicyviolation", (event) => window.stopped.push(event.effectiveDirective));
      const add = (name, attributes) => document.body.append(Object.assign(document.createElement(name), attributes));
      add("img", { src: "http://127.0.0.1:9/x.png" });
      add("script", { textContent: "window.ran = true" });
      add("iframe", { src: "http://127.0.0.1:9/" });
      fetch("http://127.0.0.1:9/").catch(() => null);
    }""")
    until(page, "window.stopped.length >= 4")
    assert set(page.evaluate("window.stopped")) == {"img-src", "script-src-elem", "frame-src", "connect-src"}
    assert page.evaluate("window.ran === undefined")
    page.close()


def shapes_of_data() -> dict[str, tuple[Any, Any, dict[str, Any]]]:
    rng = np.random.default_rng(SEED)
    gaps = blobs(rng, 300, 4)
    gaps[rng.uniform(size=gaps.shape) < 0.1] = np.nan
    noisy = np.concatenate([blobs(rng, 300, 2, 2, 8.0), rng.uniform(-30, 30, (40, 2))])
    return {
        "one column": (GaussianMixture(3, random_state=0), blobs(rng, 300, 1), {}),
        "200 columns": (GaussianMixture(2, covariance_type="diag", random_state=0), blobs(rng, 400, 200, 2), {}),
        "all rows equal": (GaussianMixture(1), np.ones((50, 3)), {}),
        "missing values": (GaussianMixture(3, random_state=0), gaps, {}),
        "noise": (GaussianMixture(2, noise=True, random_state=0), noisy, {}),
        "weights": (GaussianMixture(2, random_state=0), blobs(rng, 300, 2), {"sample_weight": rng.uniform(size=300)}),
        "far from zero": (GaussianMixture(2, random_state=0), blobs(rng, 300, 2) * 1e-3 + 1.7e9, {}),
        "not converged": (GaussianMixture(3, max_iter=2, n_init=1, random_state=0), blobs(rng, 300, 2, 3, 1.0), {}),
    }


@pytest.mark.parametrize("kind", shapes_of_data())
def test_every_shape_of_data_is_drawn(opened: Opened, folder: Path, kind: str) -> None:
    model, X, options = shapes_of_data()[kind]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, **options)
    path = folder / f"{kind.replace(' ', '-')}.html"
    model.report(X, path, **options)
    page = opened(path, 390)
    assert fits_its_width(page)
    assert "NaN" not in page.inner_html("main") and "undefined" not in page.inner_html("main")
    keep_picture(page, path.stem)
    ratio, where = page.evaluate(CONTRAST)
    assert ratio >= 4.5, where


def test_a_million_rows_are_one_small_page_soon(opened: Opened, folder: Path) -> None:
    rng = np.random.default_rng(SEED)
    means = rng.normal(size=(5, 10)) * 3.0
    mixture = Mixture.from_parameters(np.full(5, 0.2), means, np.ones((5, 10)), "diag")
    X = rng.normal(size=(1_000_000, 10)) + means[np.arange(1_000_000) % 5]
    started = time.perf_counter()
    write_report(mixture, X, folder / "million.html")
    assert time.perf_counter() - started < 20.0
    assert (folder / "million.html").stat().st_size < 6e6
    page = opened(folder / "million.html")
    squares = [np.square(X - mean).sum(axis=1) for mean in means]  # equal weights, unit covariances
    share = np.exp(-0.5 * (np.min(squares, axis=0) - np.array(squares)))
    below = int(np.sum(1 / share.sum(axis=0) < 0.9))
    assert f"{below:,}".replace(",", "\N{NO-BREAK SPACE}") in page.inner_text("#below")
    keep_picture(page, "million-1400")


def test_without_scripts_the_text_is_there(browser: Any, faithful: Any) -> None:
    context = browser.new_context(java_script_enabled=False, offline=True)
    page = context.new_page()
    page.goto(faithful[0].as_uri())
    assert "three groups" in page.inner_text("#summary") and "JavaScript" in page.inner_text("noscript")
    assert page.locator("#profile .cards li").count() == 3
    context.close()
