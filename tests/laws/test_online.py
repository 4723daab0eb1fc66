"""Stepwise EM against its definition, in moments about zero; and what a stream may not depend on."""

from __future__ import annotations

import numpy as np
import pytest

from laws.problems import assert_same_mixture, random_mixture, random_rows
from mixtura import online
from mixtura.estep import block_statistics, responsibilities
from mixtura.mixture import Mixture
from mixtura.mstep import MStep
from mixtura.online import POWER, RECENCY, Stream
from mixtura.shape import Array

Moments = tuple[Array, Array, Array]


def literal(mixture: Mixture, rows: Array) -> Moments:
    """Counts, sums and sums of squares of each component, a row."""
    resp = responsibilities(mixture.forms, rows)[0] / len(rows)
    return resp.sum(axis=0), resp.T @ rows, np.einsum("nk,ni,nj->kij", resp, rows, rows)


def mixture_of(moments: Moments) -> Mixture:
    count, first, second = moments
    means = first / count[:, None]
    outer = np.einsum("ki,kj->kij", means, means)
    return Mixture(count / count.sum(), means, second / count[:, None, None] - outer)


def between(old: Moments, new: Moments, step: float) -> Moments:
    count, first, second = ((1 - step) * before + step * after for before, after in zip(old, new, strict=True))
    return count, first, second


@pytest.mark.parametrize("forget", [0.0, 0.003])
def test_steps_are_those_of_the_definition(forget: float, rng: np.random.Generator) -> None:
    """Cappe and Moulines 2009, equation 10, and the weighted mean of Shamir and Zhang 2013."""
    mixture = random_mixture(rng, "full")
    rows = random_rows(rng, mixture, 800)
    mstep = MStep("full", floor=0.0)
    stream = Stream.begin(mixture, block_statistics(mixture.forms, rows[:300], None), forget)
    moments, path = literal(mixture, rows[:300]), None
    seen, memory = 300.0, min(300.0, 1 / forget) if forget else 300.0
    for block in (rows[300:400], rows[400:410], rows[410:800]):
        new, w = literal(mixture, block), len(block)
        stream = stream.absorb(block_statistics(stream.mixture.forms, block, None), mstep)
        seen += w
        if forget:
            left = (1 - forget) ** w
            memory = memory * left + (1 - left) / forget
            moments = path = between(moments, new, (1 - left) / forget / memory)
        else:
            moments = between(moments, new, w / seen * (seen / 300) ** (1 - POWER))
            share = (RECENCY + 1) * w / (seen - 300 + RECENCY * w)
            path = moments if path is None else between(path, moments, share)
        mixture = mixture_of(moments)
        assert_same_mixture(stream.mixture, mixture, 1e-10)
        assert_same_mixture(stream.best(mstep), mixture_of(path), 1e-10)
    assert stream.seen == 800


def test_what_is_forgotten_does_not_depend_on_the_blocks(rng: np.random.Generator) -> None:
    mixture = random_mixture(rng, "diag")
    rows = random_rows(rng, mixture, 400)
    begun = Stream.begin(mixture, block_statistics(mixture.forms, rows, None), 0.01)
    whole = begun.absorb(block_statistics(mixture.forms, rows, None), MStep("diag"))
    parts = begun
    for part in np.array_split(rows, 7):
        parts = parts.absorb(block_statistics(parts.mixture.forms, part, None), MStep("diag"))
    assert parts.memory == pytest.approx(whole.memory, rel=1e-12)
    assert whole.memory == pytest.approx(100.0, rel=0.2)  # 1 / forget rows


def test_implied_statistics_lead_back_to_the_mixture(covariance_type: str, rng: np.random.Generator) -> None:
    mixture = random_mixture(rng, covariance_type)
    statistics = online.implied_statistics(mixture, 250.0)
    assert statistics.total_weight == 250.0 and statistics.count.sum() == pytest.approx(250.0)
    assert_same_mixture(MStep(covariance_type)(statistics, mixture).mixture, mixture, 1e-9)


def test_aligned_undoes_a_permutation(covariance_type: str, rng: np.random.Generator) -> None:
    mixture = random_mixture(rng, covariance_type, 5)
    order = rng.permutation(5)
    covariances = mixture.shape.take(mixture.covariances, order)
    shuffled = Mixture(mixture.weights[order], mixture.means[order] + 1e-6, covariances, covariance_type)
    assert_same_mixture(online.aligned(shuffled, mixture), mixture, 1e-5)
