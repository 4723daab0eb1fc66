"""The bootstrap of the likelihood ratio: levels, early stops, and one more component where there is one."""

import numpy as np
import pandas as pd
import pytest

from mixtura import GaussianMixture, bootstrap_lrt


@pytest.fixture
def two(rng):
    return np.concatenate([rng.normal(0, 1, 120), rng.normal(5, 1, 80)])[:, None]


TIED = GaussianMixture(covariance_type="tied", n_init=3)


def test_two_components_are_found_and_no_third(two):
    heard = []
    result = bootstrap_lrt(TIED, two, random_state=0, n_resamples=99, progress=lambda *at: heard.append(at))
    assert result.n_components == 2
    assert result.null.tolist() == [1, 2]
    assert result.p_value[0] == 0.01 and result.p_value[1] > 0.05
    assert len(heard) >= result.n_resamples.sum() and heard[0] == (1, 99)
    table = pd.DataFrame(result.columns)
    assert table.alternative.tolist() == [2, 3] and (table.statistic >= 0).all()


def test_statistics_are_those_of_the_two_fits(two):
    result = bootstrap_lrt(TIED, two, random_state=1, max_components=1, n_resamples=19)
    one, other = (GaussianMixture(k, covariance_type="tied", n_init=3, random_state=0).fit(two) for k in (1, 2))
    expected = 2 * len(two) * (other.score(two) - one.score(two))
    assert result.statistic[0] == pytest.approx(expected, abs=1e-3)
    assert result.n_components == 2  # rejected, and not tried further


def test_a_stopped_test_has_the_p_value_of_besag_and_clifford(rng):
    rows = rng.normal(size=(80, 1))
    whole = bootstrap_lrt(TIED, rows, random_state=2, max_components=1, n_resamples=60, stop_after=None)
    short = bootstrap_lrt(TIED, rows, random_state=2, max_components=1, n_resamples=60, stop_after=4)
    size = int(short.n_resamples[0])
    np.testing.assert_array_equal(short.resampled[0], whole.resampled[0][:size])
    exceeding = (whole.resampled[0] >= whole.statistic[0]).sum()
    assert whole.p_value[0] == (1 + exceeding) / 61
    if size < 60:
        assert short.p_value[0] == 4 / size
        assert short.resampled[0][-1] >= short.statistic[0]


def test_the_result_is_the_same_for_any_number_of_processes(two):
    results = [
        bootstrap_lrt(TIED, two, random_state=3, max_components=1, n_resamples=9, n_jobs=jobs) for jobs in (None, 2)
    ]
    np.testing.assert_array_equal(results[0].resampled[0], results[1].resampled[0])


@pytest.mark.slow
def test_p_values_under_the_null_hypothesis_are_uniform():
    """Of twenty-four samples of one component, one is expected at 0.05 and twelve below 0.5."""
    rng = np.random.default_rng(20261)
    values = np.array([
        bootstrap_lrt(TIED, rng.normal(size=(60, 1)), random_state=seed, max_components=1, n_resamples=19, stop_after=5)
        .p_value[0]
        for seed in range(24)
    ])  # fmt: skip
    assert (values <= 0.05).sum() <= 5  # binomial(24, 0.05) exceeds 5 once in a thousand
    assert 4 <= (values <= 0.5).sum() <= 20


def test_a_component_that_collapses_ends_the_test():
    rows = np.repeat([[0.0], [1.0], [3.0]], [20, 20, 20], axis=0)
    result = bootstrap_lrt(GaussianMixture(), rows, random_state=0, n_resamples=9)
    assert np.isnan(result.p_value[-1]) and result.n_components == result.null[-1]


@pytest.mark.parametrize("wrong", [{"level": 5}, {"n_resamples": 0}, {"max_components": 0}])
def test_bad_arguments_are_named(two, wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        bootstrap_lrt(TIED, two, **wrong)
