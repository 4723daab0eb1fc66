"""Model files of classifiers and detectors, and of given priors: back bit for bit, or refused with the place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_iris

import mixtura
from mixtura import ConjugatePrior, GaussianMixture, GaussianMixtureClassifier, GaussianMixtureOutlierDetector
from mixtura.document import digest, readable

IRIS, SPECIES = load_iris(return_X_y=True)
NAMES = load_iris().target_names


def same_bits(left: Any, right: Any) -> bool:
    one, other = np.asarray(left), np.asarray(right)
    return one.shape == other.shape and one.dtype == other.dtype and one.tobytes() == other.tobytes()


def restored(model: Any, path: Path) -> Any:
    mixtura.save(model, path / "model.json")
    return mixtura.load(path / "model.json")


@pytest.mark.parametrize(
    "classes",
    [SPECIES, SPECIES.astype(np.int8) - 1, SPECIES.astype(float), NAMES[SPECIES], NAMES[SPECIES].astype(object)],
)
@pytest.mark.parametrize("options", [{"covariance_type": "EEE"}, {"n_components": 2, "covariance_type": "VVI"}])
def test_a_classifier_comes_back_bit_for_bit(classes: np.ndarray, options: dict[str, Any], tmp_path: Path) -> None:
    before = GaussianMixtureClassifier(random_state=0, **options).fit(IRIS, classes)
    after = restored(before, tmp_path)
    assert type(after) is GaussianMixtureClassifier and after.get_params() == before.get_params()
    for name in ("predict_proba", "predict_log_proba", "score_samples"):
        assert same_bits(getattr(after, name)(IRIS), getattr(before, name)(IRIS))
    assert after.predict(IRIS).tolist() == before.predict(IRIS).tolist()
    assert after.classes_.dtype == before.classes_.dtype
    names = ("log_likelihood_", "bic_", "n_parameters_", "n_iter_", "converged_", "covariance_types_", "n_features_in_")
    for name in names:
        assert getattr(after, name) == getattr(before, name)


@pytest.mark.parametrize("contamination", [None, 0.05])
def test_a_detector_comes_back_bit_for_bit(contamination: float | None, tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    rows = pandas.DataFrame(IRIS, columns=list("abcd"))
    before = GaussianMixtureOutlierDetector(2, contamination=contamination, random_state=0).fit(rows)
    after = restored(before, tmp_path)
    assert type(after) is GaussianMixtureOutlierDetector and after.get_params() == before.get_params()
    assert same_bits(after.decision_function(rows), before.decision_function(rows))
    assert same_bits(after.contributions(rows, excess=True), before.contributions(rows, excess=True))
    assert same_bits(after.false_alarm_error_, before.false_alarm_error_) and after.threshold_ == before.threshold_
    assert after.n_iter_ == before.n_iter_ and after.feature_names_in_.tolist() == list("abcd")
    assert after.estimator_.get_params() == before.estimator_.get_params()


@pytest.mark.parametrize("scale", [None, 0.5, [0.1, 0.2, 0.3, 0.4], np.eye(4) / 3])
def test_a_given_prior_is_stored(scale: Any, tmp_path: Path) -> None:
    prior = ConjugatePrior(mean=np.arange(4) / 3, shrinkage=0.2, degrees_of_freedom=7, scale=scale)
    before = GaussianMixture(2, prior=prior, random_state=0).fit(IRIS)
    after = restored(before, tmp_path)
    assert type(after.prior) is ConjugatePrior
    for name, value in vars(prior).items():
        found = getattr(after.prior, name)
        assert found is value is None or same_bits(np.asarray(found, float), np.asarray(value, float))
    assert same_bits(after.fit(IRIS).means_, before.means_)


SURGERY: list[tuple[str, tuple[Any, ...], Any, str]] = [
    ("classifier", ("classes", "values"), [0, 1], "classes.values: must be 3"),
    ("classifier", ("classes", "values"), [0, 2, 1], "classes.values: must be in rising order"),
    ("classifier", ("classes", "values"), [0, 1, 1.5], "classes.values: are not all of type int64"),
    ("classifier", ("classes", "values", 1), "1", r"classes.values\[1\]: must be a number"),
    ("classifier", ("classes", "type"), "complex128", "classes.type: must be one of"),
    ("classifier", ("priors",), [0.5, 0.5, 0.5], "priors: must be positive and sum to 1"),
    ("classifier", ("priors",), [1.0], "priors: must be an array of 3"),
    ("classifier", ("mixtures", 1, "weights"), [0.5], r"mixtures\[1\].weights: must sum to 1"),
    ("classifier", ("mixtures", 2, "means"), [[0.0]], r"mixtures\[2\].covariances: must be an array of 1"),
    ("classifier", ("mixtures",), [], "mixtures: must be an array of 1 or more"),
    ("classifier", ("options", "n_components"), "few", "options: n_components must be 'auto'"),
    ("classifier", ("options", "tol"), -1.0, "options: tol must be"),
    ("classifier", ("fit", "bic"), None, "fit.bic: must be a number"),
    ("classifier", ("fit", "more"), 1, "fit: unknown key 'more'"),
    ("regressor", ("targets", "number"), 4, "targets.number: must leave a feature"),
    ("regressor", ("targets", "number"), 2, "targets.number: must leave a feature, and be 1 where flat"),
    ("regressor", ("targets", "flat"), 1, "targets.flat: must be true or false"),
    ("regressor", ("options", "n_components"), "few", "options: n_components must be 'auto'"),
    ("regressor", ("feature_names",), ["a"], "feature_names: must be 3"),
    ("detector", ("threshold", "offset"), "low", "threshold.offset: must be a number"),
    ("detector", ("threshold",), {}, "threshold: the key 'offset' is missing"),
    ("detector", ("options", "contamination"), 0.7, "options: contamination must be above 0 and at most 0.5"),
    ("detector", ("options", "reg_covar"), "x", "options: reg_covar must be a number"),
    ("detector", ("options", "prior"), {"mean": None}, "options.prior: the key 'shrinkage' is missing"),
    ("detector", ("options", "prior", "mean"), [0.0], "options.prior.mean: must be an array of 4"),
    ("detector", ("options", "prior", "scale"), "x", "options.prior.scale: must be a number"),
    ("detector", ("kind",), "GaussianMixtureClassifier", "the key 'mixtures' is missing"),
]


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    path = tmp_path_factory.mktemp("models")
    mixtura.save(GaussianMixtureClassifier(covariance_type="EEE").fit(IRIS, SPECIES), path / "classifier")
    detector = GaussianMixtureOutlierDetector(1, prior=ConjugatePrior()).fit(IRIS)
    mixtura.save(detector, path / "detector")
    mixtura.save(mixtura.GaussianMixtureRegressor(1).fit(IRIS[:, :3], IRIS[:, 3]), path / "regressor")
    return {name: (path / name).read_text("ascii") for name in ("classifier", "detector", "regressor")}


@pytest.mark.parametrize(("name", "place", "value", "match"), SURGERY)
def test_a_well_signed_but_unsound_document_is_refused(
    documents: dict[str, str], tmp_path: Path, name: str, place: tuple[Any, ...], value: Any, match: str
) -> None:
    content = json.loads(documents[name])
    parent = content
    for step in place[:-1]:
        parent = parent[step]
    parent[place[-1]] = value
    content["sha256"] = digest(content)
    (tmp_path / "model.json").write_text(readable(content), "ascii")
    with pytest.raises(mixtura.ModelFileError, match=match):
        mixtura.load(tmp_path / "model.json")


def test_what_is_not_fitted_or_has_odd_classes_is_not_saved(tmp_path: Path) -> None:
    for model in (GaussianMixtureClassifier(), GaussianMixtureOutlierDetector()):
        with pytest.raises(ValueError, match="not fitted yet"):
            mixtura.save(model, tmp_path / "model.json")
    odd = GaussianMixtureClassifier(covariance_type="EEE").fit(IRIS, SPECIES)
    odd.classes_ = np.array([b"a", b"b", b"c"])
    with pytest.raises(ValueError, match="neither numbers nor text"):
        mixtura.save(odd, tmp_path / "model.json")
    assert not list(tmp_path.iterdir())


def test_the_command_line_says_what_it_cannot_use(documents: dict[str, str], tmp_path: Path) -> None:
    runner = pytest.importorskip("typer.testing").CliRunner()
    from mixtura.cli.commands import application

    (tmp_path / "model.json").write_text(documents["classifier"], "ascii")
    result = runner.invoke(application, ["info", str(tmp_path / "model.json")])
    assert result.exit_code == 1 and "holds a GaussianMixtureClassifier" in result.output
