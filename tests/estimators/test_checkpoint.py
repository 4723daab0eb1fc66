"""Checkpoints of a fit: what they hold, what they refuse, and what is left of them after a mishap."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import mixtura
from mixtura import GaussianMixture
from mixtura.checkpoint import CheckpointError, CheckpointWarning
from mixtura.em import Trajectory
from mixtura.estimators import resuming

KILLS = Path(__file__).parents[2] / "benchmarks" / "kills.py"
BITS = ("weights_", "means_", "covariances_", "lower_bounds_", "n_iter_", "lower_bound_")


class Stop(Exception):
    """The plug is pulled."""


@pytest.fixture(autouse=True)
def after_every_pass(monkeypatch):
    monkeypatch.setattr(resuming, "SECONDS", 0.0)
    monkeypatch.setattr(resuming, "LEAST_RATIO", 0.0)


@pytest.fixture
def rows(rng):
    return np.concatenate([rng.normal(size=(250, 2)) * scale + place for scale, place in ((1, 0), (2, 2), (1, 4))])


def model(path=None, **given):
    return GaussianMixture(
        **{"n_components": 3, "engine": "numpy", "n_init": 2, "random_state": 0, "checkpoint": path, **given}
    )


def stopped(monkeypatch, n_passes, fit):
    """Run a fit, and stop it when a run has been given so many passes."""
    original, passes = Trajectory.absorb, iter(range(10**6))

    def absorb(self, statistics):
        if next(passes) >= n_passes:
            raise Stop
        original(self, statistics)

    with monkeypatch.context() as disturbed:
        disturbed.setattr(Trajectory, "absorb", absorb)
        with pytest.raises(Stop):
            fit()


def counted(monkeypatch, fit):
    """How many passes the runs of a fit are given."""
    original, passes = Trajectory.absorb, []

    def absorb(self, statistics):
        passes.append(self)
        original(self, statistics)

    with monkeypatch.context() as watched:
        watched.setattr(Trajectory, "absorb", absorb)
        fit()
    return len(passes)


def assert_same(one, other):
    for name in BITS:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    assert one.search_ == other.search_ and one.status_ is other.status_


@pytest.mark.parametrize("case", ["plain", "weights", "missing", "noise", "search", "random state"])
def test_a_stopped_fit_goes_on_to_the_same_bits(case, rows, rng, tmp_path, monkeypatch):
    path, weights, given = tmp_path / "c.json", None, {}
    if case == "weights":
        weights = rng.integers(0, 4, len(rows))
    elif case == "missing":
        rows[rng.random(rows.shape) < 0.1] = np.nan
        rows = rows[~np.isnan(rows).all(axis=1)]
    elif case == "noise":
        given = {"noise": True, "prior": "default"}
    elif case == "search":
        given = {"n_init": "auto", "covariance_type": "VEE"}
    expected = model(**given).fit(rows, sample_weight=weights)
    passes = 30 if case != "search" else counted(monkeypatch, lambda: model(**given).fit(rows)) - 4
    for _ in range(2):
        state = {"random_state": np.random.RandomState(0)} if case == "random state" else {}
        disturbed = model(path, **given, **state)
        stopped(monkeypatch, passes, lambda: disturbed.fit(rows, sample_weight=weights))  # noqa: B023
        passes = 20 if case != "search" else 2
    assert_same(model(path, **given, **state).fit(rows, sample_weight=weights), expected)
    if case == "random state":
        undisturbed = np.random.RandomState(0)
        model(random_state=undisturbed).fit(rows)
        assert state["random_state"].rand() == undisturbed.rand()


def test_without_a_seed_the_draw_goes_on(rows, tmp_path, monkeypatch):
    path = tmp_path / "c.json"
    np.random.seed(5)  # noqa: NPY002 - it is the global generator that has no seed here
    expected = model(random_state=None).fit(rows)
    np.random.seed(5)  # noqa: NPY002
    stopped(monkeypatch, 10, lambda: model(path, random_state=None).fit(rows))
    np.random.seed(6)  # noqa: NPY002
    assert_same(model(path, random_state=None).fit(rows), expected)


def test_what_is_done_is_returned_at_once_and_stays(rows, tmp_path, monkeypatch):
    path = tmp_path / "c.json"
    done = model(path).fit(rows)
    monkeypatch.setattr(Trajectory, "absorb", lambda *_: pytest.fail("a pass was made"))
    assert_same(model(path, n_threads=1, verbose=0).fit(rows), done)
    assert sorted(os.listdir(tmp_path)) == ["c.json", "c.json.previous"]


def test_other_data_and_options_are_refused(rows, tmp_path):
    path = tmp_path / "c.json"
    model(path).fit(rows)
    content = path.read_bytes()
    weights = np.ones(len(rows))
    for other, said in ((rows[:-1], None), (np.where(rows == rows[5], 0.0, rows), None), (rows, weights)):
        with pytest.raises(CheckpointError, match=r"c\.json was written for other rows or weights"):
            model(path).fit(other, sample_weight=said)
    for change in ({"tol": 1e-5}, {"covariance_type": "diag"}, {"random_state": 1}, {"prior": "default"}):
        (name,) = change
        with pytest.raises(CheckpointError, match=f"other options .*{name} was"):
            model(path, **change).fit(rows)
    assert path.read_bytes() == content


def test_a_damaged_checkpoint_gives_way_to_the_one_before(rows, tmp_path, monkeypatch):
    path = tmp_path / "c.json"
    expected = model().fit(rows)
    stopped(monkeypatch, 20, lambda: model(path).fit(rows))
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.warns(CheckpointWarning, match=r"damaged .*going on from .*previous"):
        assert_same(model(path).fit(rows), expected)
    for one in (path, tmp_path / "c.json.previous"):
        one.write_bytes(one.read_bytes().replace(b'"bytes":"', b'"bytes":"AAAA', 1))
    with pytest.raises(CheckpointError, match=r"no sound checkpoint.*checksum"):
        model(path).fit(rows)


def test_a_damaged_checkpoint_never_takes_the_place_of_a_sound_one(rows, tmp_path, monkeypatch):
    path, previous = tmp_path / "c.json", tmp_path / "c.json.previous"
    expected = model().fit(rows)
    stopped(monkeypatch, 20, lambda: model(path).fit(rows))
    path.write_bytes(b"{")
    with pytest.warns(CheckpointWarning, match="damaged"):
        stopped(monkeypatch, 0, lambda: model(path).fit(rows))
    for one in (path, previous):
        assert json.loads(one.read_bytes())["schema"] == "mixtura-checkpoint"
    path.write_bytes(b"")
    with pytest.warns(CheckpointWarning, match="damaged"):
        assert_same(model(path).fit(rows), expected)


def test_a_folder_or_a_device_is_no_checkpoint(rows, tmp_path):
    for place in (tmp_path, os.devnull):
        with pytest.raises(CheckpointError, match="cannot be a folder or a device; name another"):
            model(place).fit(rows)


def test_a_full_disk_leaves_the_earlier_checkpoint(rows, tmp_path, monkeypatch):
    path, passes = tmp_path / "c.json", iter(range(10**6))
    expected, original = model().fit(rows), os.fsync

    def full(descriptor):
        if next(passes) > 12:
            raise OSError(errno.ENOSPC, "No space left on device")
        original(descriptor)

    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", full)
        with pytest.raises(CheckpointError, match=r"c\.json cannot be written: No space left on device"):
            model(path).fit(rows)
    assert sorted(os.listdir(tmp_path)) == ["c.json", "c.json.previous"]  # and no part of a third
    assert_same(model(path).fit(rows), expected)


def test_a_folder_that_is_not_there_or_not_for_writing(rows, tmp_path):
    with pytest.raises(CheckpointError, match="cannot be written"):
        model(tmp_path / "nowhere" / "c.json").fit(rows)
    if os.geteuid() != 0:
        tmp_path.chmod(0o500)
        with pytest.raises(CheckpointError, match="cannot be written"):
            model(tmp_path / "c.json").fit(rows)
        tmp_path.chmod(0o700)


def test_parameters_are_checked_and_files_do_not_say_where_to_write(rows, tmp_path):
    with pytest.raises(TypeError, match="checkpoint must be None or the path"):
        model(3).fit(rows)
    with pytest.raises(ValueError, match="trace=True does not go with a checkpoint"):
        model("c.json", trace=True).fit(rows)
    fitted = model(str(tmp_path / "c.json")).fit(rows)
    mixtura.save(fitted, tmp_path / "model.json")
    assert mixtura.load(tmp_path / "model.json").checkpoint is None


@pytest.mark.skipif(os.name == "nt", reason="fork and SIGKILL")
def test_a_few_of_the_kill_matrix():
    """The whole of it is `make kills`."""
    command = [sys.executable, str(KILLS), "--kills", "4", "--seed", "7"]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "4 kills: 0 wrong, 0 lost" in answer.stdout


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.parametrize(("sent", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_the_command_line_with_a_checkpoint(sent, code, rows, tmp_path):
    data, path = tmp_path / "rows.csv", tmp_path / "c.json"
    np.savetxt(data, rows, delimiter=",")
    fit = [sys.executable, "-m", "mixtura", "fit", str(data), "-k", "3", "--seed", "0", "--checkpoint", str(path)]
    endless = [*fit, "--tol", "0", "--max-iter", "100000000"]
    with subprocess.Popen(
        endless, stderr=subprocess.PIPE, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
    ) as running:
        until = time.monotonic() + 30
        while not path.with_name("c.json.previous").exists() and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(0.1)
        running.send_signal(sent)
        message = running.communicate(timeout=30)[1]
    assert running.returncode == code, message
    assert path.exists() and b"error" not in message
    if sent is signal.SIGTERM:
        refused = subprocess.run(fit, capture_output=True, text=True)
        assert refused.returncode == 2 and "--resume" in refused.stderr
