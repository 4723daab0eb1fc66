"""Reports as files: what they say against what the data are, what they refuse, and that nothing in them can act."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from report_problems import HOSTILE, blobs

import mixtura
from mixtura import GaussianMixture, GaussianMixtureIC, Mixture
from mixtura.datasets import load_old_faithful
from mixtura.report import fingerprint, write_report
from mixtura.report.columns import columns_of
from mixtura.report.findings import findings
from mixtura.report.iterations import Iterations, iterations_of
from mixtura.report.page import SCRIPTS
from mixtura.report.subject import subject_of
from mixtura.report.survey import THRESHOLDS, survey_rows


class Page(HTMLParser):
    """The elements of a page, and the text in its scripts."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.styles: list[str] = []
        self.text = path.read_text("utf-8")
        self.within = ""
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.within = tag
        if tag == "script":
            self.scripts.append("")
        if tag == "style":
            self.styles.append("")

    def handle_endtag(self, tag: str) -> None:
        self.within = ""

    def handle_data(self, data: str) -> None:
        if self.within == "script":
            self.scripts[-1] += data
        if self.within == "style":
            self.styles[-1] += data

    @property
    def data(self) -> dict[str, Any]:
        return json.loads(self.scripts[0])

    @property
    def policy(self) -> str:
        found = [attributes["content"] for tag, attributes in self.tags if "http-equiv" in attributes]
        assert len(found) == 1 and found[0] is not None
        return found[0]


def report_of(model: Any, X: Any, tmp_path: Path, **options: Any) -> Page:
    write_report(model, X, tmp_path / "report.html", **options)
    return Page(tmp_path / "report.html")


def titles_of(model: Any, X: Any, sample_weight: Any = None) -> list[str]:
    subject = subject_of(model, X, sample_weight, None)
    survey = survey_rows(subject, columns_of(subject))
    return [one.title for one in findings(subject, survey, iterations_of(subject))]


# What the page says


def test_the_summary_counts_what_predict_says(tmp_path: Path) -> None:
    X = load_old_faithful().data
    model = GaussianMixture(3, covariance_type="EEE", random_state=0).fit(X)
    page = report_of(model, X, tmp_path)
    uncertain = np.mean(model.predict_proba(X).max(axis=1) < 0.9)
    assert "The model finds three groups in 272 rows with two features." in page.text
    assert f"{100 * uncertain:.0f}\N{NO-BREAK SPACE}% of the rows are uncertain" in page.text
    shares = np.bincount(model.predict(X)) / len(X)
    for k, share in enumerate(shares):
        assert f"{100 * share:.0f}\N{NO-BREAK SPACE}% are in component {k}" in page.text


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("missing", [False, True])
def test_the_look_at_all_rows_is_what_numpy_counts(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, weighted: bool, missing: bool
) -> None:
    monkeypatch.setattr("mixtura.report.survey.BLOCK_ROWS", 128)
    X = blobs(rng, 900, 3, apart=2.0) + 1e4
    if missing:
        X[rng.uniform(size=X.shape) < 0.1] = np.nan
        X[np.isnan(X).all(axis=1)] = 1e4
    weights = rng.integers(0, 4, 900).astype(float) if weighted else None
    model = GaussianMixture(3, random_state=0).fit(X, sample_weight=weights)
    subject = subject_of(model, X, weights, None)
    columns = columns_of(subject)
    survey = survey_rows(subject, columns)
    kept = np.ones(900, dtype=bool) if weights is None else weights > 0
    share = model.predict_proba(X)[kept]
    mass = np.ones(900) if weights is None else weights[kept]
    best, label = share.max(axis=1), share.argmax(axis=1)
    assert np.array_equal(survey.labels, label)
    assert np.array_equal(survey.rivals, np.argsort(share, axis=1)[:, -2])
    for place in (0, 40, len(THRESHOLDS) - 1):
        for k in range(3):
            under = (label == k) & (best < THRESHOLDS[place])
            assert survey.below[k, place] == pytest.approx(mass[under].sum())
    cloud = np.ma.masked_invalid(X[kept])
    assert survey.mean == pytest.approx(np.ma.average(cloud, axis=0, weights=mass).data, rel=1e-12)
    spread = np.ma.average(np.square(cloud - survey.mean), axis=0, weights=mass)
    assert survey.variance == pytest.approx(spread.data, rel=1e-9)
    confusion = np.array([np.average(share, axis=0, weights=mass * share[:, k]) for k in range(3)])
    assert survey.confusion == pytest.approx(confusion)
    place = next(i for i, column in enumerate(columns) if column.feature == 1)
    edges = np.linspace(*survey.limits[place], survey.bars.shape[2] + 1)
    expected = np.histogram(X[kept][label == 2, 1], edges, weights=mass[label == 2])[0]
    assert survey.bars[place, 2] == pytest.approx(expected)
    assert survey.mean_log_density == pytest.approx(model.score(X, sample_weight=weights))
    order = np.argsort(best[survey.listed], kind="stable")
    assert np.array_equal(order, np.arange(len(order))) and best[survey.listed].max() <= np.sort(best)[200]


def test_many_rows_are_drawn_in_part_and_small_groups_with_them(rng: np.random.Generator) -> None:
    X = np.concatenate([rng.normal(size=(30_000, 2)), rng.normal(size=(12, 2)) + 40.0])
    model = GaussianMixture(2, n_init=1, means_init=[[0.0, 0.0], [40.0, 40.0]]).fit(X)
    subject = subject_of(model, X, None, None)
    survey = survey_rows(subject, columns_of(subject))
    assert 2500 < len(survey.drawn) < 3100
    assert np.isin(np.arange(30_000, 30_012), survey.drawn).all()


def test_data_of_the_page_are_the_models(rng: np.random.Generator, tmp_path: Path) -> None:
    X = blobs(rng, 300, 2)
    model = GaussianMixture(3, random_state=0).fit(X)
    data = report_of(model, X, tmp_path).data
    assert np.allclose(data["means"], model.means_, atol=np.ptp(X) * 1e-4)
    assert np.allclose(data["covariances"], model.covariances_, rtol=1e-3, atol=1e-4)
    assert data["points"]["label"] == model.predict(X).tolist()
    assert np.allclose(np.transpose(data["points"]["values"]), X, atol=np.ptp(X, axis=0).max() * 1e-4)


def test_large_values_that_differ_little_keep_their_digits(rng: np.random.Generator, tmp_path: Path) -> None:
    X = blobs(rng, 300, 2) * 1e-3 + 1.7e9
    model = GaussianMixture(3, random_state=0).fit(X)
    page = report_of(model, X, tmp_path)
    assert np.allclose(page.data["means"], model.means_, rtol=0, atol=np.ptp(X) * 1e-4)
    last = page.data["iterations"]["frames"][-1]["means"]
    assert np.allclose(last, model.means_, rtol=0, atol=np.ptp(X) * 1e-2)
    assert len(re.findall("1[67][09]{5}\\d{3}\\.\\d{5,6} \N{PLUS-MINUS SIGN} 0\\.00", page.text)) == 6


def test_the_same_model_and_rows_give_the_same_file(rng: np.random.Generator, tmp_path: Path) -> None:
    X = blobs(rng, 300, 3)
    model = GaussianMixture(2, random_state=0).fit(X)
    assert report_of(model, X, tmp_path).text == report_of(model, X, tmp_path).text


def test_iterations_climb_to_the_fits_level(rng: np.random.Generator) -> None:
    X = blobs(rng, 600, 2, apart=4.0)
    model = GaussianMixture(3, random_state=0).fit(X)
    run = iterations_of(subject_of(model, X, None, None))
    assert isinstance(run, Iterations) and run.whole and run.converged and run.sound
    levels = [frame.log_likelihood for frame in run.frames]
    assert all(after >= before - 1e-9 for before, after in pairwise(levels))
    assert levels[-1] == pytest.approx(model.score(X), abs=1e-3)
    assert run.fitted == pytest.approx(model.score(X), abs=1e-9)
    for order in ([0, 1, 2], [1, 2, 0], [2, 0, 1]):  # each run in the fit's own order
        run = iterations_of(subject_of(model.mixture_.take(order), X, None, None))
        assert isinstance(run, Iterations)
        assert run.frames[-1].mixture.means == pytest.approx(model.means_[order], abs=0.05)


def test_a_fits_own_trace_is_shown_where_there_is_one(rng: np.random.Generator, tmp_path: Path) -> None:
    X = blobs(rng, 600, 2, apart=3.0)
    model = GaussianMixture(3, trace=True, random_state=0).fit(X)
    run = iterations_of(subject_of(model, X, None, None))
    assert isinstance(run, Iterations) and run.origin == model.trace_.origin and run.converged
    for frame in run.frames:
        assert frame.mixture.means == pytest.approx(model.trace_.mixtures[frame.iteration].means)
        shares = model.trace_.responsibilities(frame.iteration + 1, run.rows)
        assert np.array_equal(frame.labels, shares.argmax(axis=1))
    held = GaussianMixture(2, fixed={0: {"weight": 0.5}}, random_state=0).fit(X)
    assert "held some parameters" in report_of(held, X, tmp_path).data["iterations"]["reason"]


def test_features_that_tell_components_apart_are_drawn_first(rng: np.random.Generator, tmp_path: Path) -> None:
    X = rng.normal(size=(400, 20))
    X[:200, 17] += 9.0
    X[:200, 3] *= 6.0  # apart in width alone
    model = GaussianMixture(2, random_state=0, covariance_type="diag").fit(X)
    data = report_of(model, X, tmp_path).data
    names = [column["name"] for column in data["columns"]]
    assert [names[place] for place in data["first"]] == ["x3", "x17"]
    assert len(names) == 14 and names[-2:] == ["direction 1", "direction 2"]


# Warnings


def test_a_sound_fit_has_no_warnings(rng: np.random.Generator) -> None:
    X = blobs(rng, 3000, 2, n_groups=2, apart=20.0)
    assert titles_of(GaussianMixture(2, random_state=0).fit(X), X) == []


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_warnings_are_there_when_there_is_cause(rng: np.random.Generator) -> None:
    X = blobs(rng, 300, 2, apart=1.0)
    assert "The fit did not converge" in titles_of(GaussianMixture(3, max_iter=1, n_init=1, random_state=0).fit(X), X)
    assert "One start only" in titles_of(GaussianMixture(3, n_init=1, random_state=0).fit(X), X)
    assert "No seed" in titles_of(GaussianMixture(2).fit(X), X)
    halves = np.concatenate([X, X + 0.5])
    assert "Components overlap" in titles_of(GaussianMixture(2, random_state=0, tol=0.1).fit(halves), halves)
    flat = np.column_stack([X, np.ones(len(X))])
    assert {"One component collapsed", "Constant features"} <= set(titles_of(GaussianMixture(1).fit(flat), flat))
    gaps = np.where(rng.uniform(size=X.shape) < 0.05, np.nan, X)
    assert "Missing values" in titles_of(GaussianMixture(1).fit(gaps), gaps)
    assert "These are not the rows of the fit" in titles_of(GaussianMixture(1).fit(X), X + 1)
    few = np.concatenate([X * 0.1, [[30.0, 30.0], [31.0, 30.5]]])
    lone = GaussianMixture(2, means_init=[[0, 0], [30, 30]], prior="default").fit(few)
    assert "Very small components" in titles_of(lone, few)
    below = Mixture.from_parameters([0.9, 0.1], [[0.0, 0.0], [0.0, 0.1]], [1.0, 1.0], "spherical")
    assert "Components that are nowhere the best" in titles_of(below, X)


def test_a_doubtful_optimum_is_said(rng: np.random.Generator) -> None:
    X = blobs(rng, 300, 2)
    model = GaussianMixture(3, random_state=0).fit(X)
    assert "The optimum is in doubt" not in titles_of(model, X)
    report = model.search_
    assert report is not None
    model.search_ = type(report)(7, 3, 1, (-1.0, -1.1), (1, 4))
    assert "The optimum is in doubt" in titles_of(model, X)
    apart = rng.normal(size=(300, 2)) + np.repeat([[0, 0], [20, 0], [100, 0]], 100, axis=0)
    given = {"covariance_type": "spherical", "random_state": 0}
    poor = GaussianMixture(3, means_init=[[10, 0], [99, 0], [101, 0]], **given).fit(apart)  # EM does not leave it
    assert "There is a better optimum" in titles_of(poor, apart)
    assert "There is a better optimum" not in titles_of(GaussianMixture(3, **given).fit(apart), apart)


def test_a_choice_at_the_edge_is_said(rng: np.random.Generator) -> None:
    X = blobs(rng, 400, 2, n_groups=4, apart=20.0)
    edge = "The number of components is at the edge of what was tried"
    assert edge in titles_of(GaussianMixtureIC(range(1, 5), covariance_type="EII", random_state=0).fit(X), X)
    inside = GaussianMixtureIC(range(1, 7), covariance_type="EII", random_state=0).fit(X)
    assert inside.best_params_["n_components"] == 4 and edge not in titles_of(inside, X)


# Kinds of rows and models


def test_frames_and_arrays_give_the_same_numbers(rng: np.random.Generator, tmp_path: Path) -> None:
    X = blobs(rng, 300, 2)
    model = GaussianMixture(2, random_state=0).fit(X)
    plain = report_of(model, X, tmp_path).data
    for frame in (pd.DataFrame(X, columns=["a", "b"]), pl.DataFrame(X, schema=["a", "b"])):
        named = GaussianMixture(2, random_state=0).fit(frame)
        data = report_of(named, frame, tmp_path).data
        assert [column["name"] for column in data["columns"]] == ["a", "b"]
        assert data["points"] == plain["points"] and fingerprint(frame) == fingerprint(X)


def test_rows_keep_a_data_frames_names(rng: np.random.Generator, tmp_path: Path) -> None:
    frame = pd.DataFrame(blobs(rng, 300, 2, apart=1.0), columns=["a", "b"], index=[f"id {i}" for i in range(300)])
    rows = report_of(GaussianMixture(2, random_state=0).fit(frame), frame, tmp_path).data["certainty"]["rows"]
    assert rows["name"] == [f"id {i}" for i in rows["row"]] and rows["row"]


def test_rows_of_weight_zero_count_as_none(rng: np.random.Generator, tmp_path: Path) -> None:
    X = blobs(rng, 300, 2)
    weights = np.where(np.arange(300) < 100, 0.0, 2.0)
    model = GaussianMixture(2, random_state=0).fit(X, sample_weight=weights)
    page = report_of(model, X, tmp_path, sample_weight=weights)
    assert "in 200 rows of weight 400 in all" in page.text
    assert min(page.data["points"]["row"]) == 100
    assert fingerprint(X, weights) in page.text and fingerprint(X, weights) == fingerprint(X[100:], weights[100:])


def test_bare_mixtures_choices_and_detectors_have_reports(rng: np.random.Generator, tmp_path: Path) -> None:
    X = blobs(rng, 300, 2)
    choice = GaussianMixtureIC([2, 3, 40], covariance_type=["EII", "VVV"], random_state=0).fit(X[:60])
    page = report_of(choice, X[:60], tmp_path)
    assert page.data["choice"]["best"] == choice.best_index_ and "Without a sound fit" in page.text
    mixture = Mixture.from_parameters([1.0], [[0.0, 0.0]], [9.0], "spherical")
    assert "how it was fitted is not known" in report_of(mixture, X, tmp_path).text
    detector = mixtura.GaussianMixtureOutlierDetector(2, random_state=0).fit(X)
    detector.report(X, tmp_path / "detector.html")
    assert "As an outlier detector" in (tmp_path / "detector.html").read_text("utf-8")


def test_noise_is_a_group_of_its_own(rng: np.random.Generator, tmp_path: Path) -> None:
    X = np.concatenate([blobs(rng, 600, 2, 2, 8.0), rng.uniform(-30, 30, (60, 2))])
    model = GaussianMixture(2, noise=True, random_state=0).fit(X)
    page = report_of(model, X, tmp_path)
    assert page.data["groups"][-1] == "noise" and "of the rows are noise" in page.text
    assert sum(label == 2 for label in page.data["points"]["label"]) == np.sum(model.predict(X) == -1)


def test_what_has_no_report_is_refused(rng: np.random.Generator, tmp_path: Path) -> None:
    X = blobs(rng, 90, 2)
    classifier = mixtura.GaussianMixtureClassifier(covariance_type="EEE").fit(X, np.repeat([0, 1, 2], 30))
    with pytest.raises(TypeError, match="one for each class"):
        classifier.report(X, tmp_path / "no.html")
    with pytest.raises(ValueError, match="not fitted"):
        GaussianMixture(2).report(X, tmp_path / "no.html")
    with pytest.raises(ValueError, match="features"):
        GaussianMixture(2, random_state=0).fit(X).report(X[:, :1], tmp_path / "no.html")
    with pytest.raises(ValueError, match="infinity at row 3"):
        GaussianMixture(2, random_state=0).fit(X).report(np.where(np.arange(90)[:, None] == 3, np.inf, X), "no.html")
    with pytest.raises(TypeError, match="rows in memory"):
        GaussianMixture(2, random_state=0).fit(X).report("rows.csv", tmp_path / "no.html")
    with pytest.raises(TypeError, match="needs a fitted mixture"):
        write_report(object(), X, tmp_path / "no.html")
    assert not list(tmp_path.iterdir())


# What the file is


def test_hostile_names_stay_text(rng: np.random.Generator, tmp_path: Path) -> None:
    frame = pd.DataFrame(blobs(rng, 300, len(HOSTILE)), columns=HOSTILE, index=["<b>row</b>"] * 300)
    model = GaussianMixture(2, random_state=0).fit(frame)
    page = report_of(model, frame, tmp_path, title="<script>alert(1)</script>")
    plain = report_of(GaussianMixture(2, random_state=0).fit(frame.to_numpy()), frame.to_numpy(), tmp_path)
    assert {tag for tag, _ in page.tags} == {tag for tag, _ in plain.tags}
    assert sum(tag == "script" for tag, _ in page.tags) == 2 and len(page.scripts) == 2
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert page.data["columns"][0]["name"] == HOSTILE[0]
    assert not re.search("[\x00-\x09\x0b-\x1f\u202a-\u202e]", page.text)


def test_the_policy_lets_nothing_in_but_this_script_and_style(rng: np.random.Generator, tmp_path: Path) -> None:
    X = blobs(rng, 300, 2)
    page = report_of(GaussianMixture(2, random_state=0).fit(X), X, tmp_path)
    rules = dict(rule.strip().split(" ", 1) for rule in page.policy.split(";"))
    for kind, text in (("script-src", page.scripts[1]), ("style-src", page.styles[0])):
        assert rules[kind] == f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    assert "unsafe" not in page.policy
    places = [value for _, attributes in page.tags for name, value in attributes.items() if name in ("src", "href")]
    assert all(place and place.startswith(("#", "data:,")) for place in places)
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", page.scripts[1] + page.styles[0])


def test_every_script_is_in_the_page() -> None:
    folder = Path(mixtura.__file__).parent / "report" / "web"
    assert sorted(SCRIPTS) == sorted(path.name for path in folder.glob("*.js"))
    for path in folder.iterdir():
        assert path.read_text("utf-8").count("\n") < 400


def test_the_fingerprint_is_that_of_the_numbers(rng: np.random.Generator) -> None:
    X = rng.normal(size=(1000, 3))
    expected = hashlib.sha256(b'["mixtura rows", 1000, 3]' + X.astype("<f8").tobytes()).hexdigest()
    assert fingerprint(X) == fingerprint(np.asfortranarray(X)) == expected
    changed = X.copy()
    changed[999, 2] = np.nextafter(changed[999, 2], 9.0)
    assert len({fingerprint(X), fingerprint(changed), fingerprint(X.reshape(500, 6)), fingerprint(X[::-1])}) == 4
    assert fingerprint(X, np.ones(1000)) != fingerprint(X, np.full(1000, 2.0))


def test_the_estimators_do_not_load_reports() -> None:
    code = "import sys; from mixtura import GaussianMixture; print('mixtura.report' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"
