"""Deliberate mistakes in what native climbs are given, and in what is said of them."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import replace
from typing import Any

import numpy as np
from pytest import MonkeyPatch

from faults.injections import Inject, changed
from mixtura import native_climb
from mixtura.em import Trajectory
from mixtura.engine.native import NativeEngine
from mixtura.source import Block


def constant_of_its_own(place: int, change: Callable[[float], float]) -> Inject:
    """The native climb handed another number than the Python loop has, in that place of ClimbConstants."""
    return changed(native_climb, "_constants", lambda c, *_: (*c[:place], change(c[place]), *c[place + 1 :]))


def threads_decide_what_climbs(monkeypatch: MonkeyPatch) -> None:
    """One thread climbs, several run in Python: not the same bits."""
    original = NativeEngine.ground
    monkeypatch.setattr(NativeEngine, "ground", lambda self, *a: original(self, *a) if self._threads == 1 else None)


def _streams(monkeypatch: MonkeyPatch, change: Callable[[list[Block]], list[Block]]) -> None:
    original = NativeEngine.advance

    def wrong(self: Any, runs: Any) -> None:
        source = copy(self._source)
        source.blocks = lambda: iter(change(list(self._source.blocks())))
        engine = copy(self)
        engine._source = source
        original(engine, runs)

    monkeypatch.setattr(NativeEngine, "advance", wrong)


def streams_lose_a_block(monkeypatch: MonkeyPatch) -> None:
    """The last block of rows that come one by one is left out."""
    _streams(monkeypatch, lambda blocks: blocks[:-1])


def streams_lose_weights(monkeypatch: MonkeyPatch) -> None:
    """The weights of rows that come block by block are left out."""
    _streams(monkeypatch, lambda blocks: [replace(block, weights=None) for block in blocks])


def climbs_begin_again(monkeypatch: MonkeyPatch) -> None:
    """What a checkpoint knows of a climb is not asked for."""
    monkeypatch.setattr(Trajectory, "restore", lambda self, state: self.reset())


def climbs_forget_a_step(monkeypatch: MonkeyPatch) -> None:
    """The last number of a climb's state, of its acceleration, is lost."""
    original = native_climb._Reached.state
    monkeypatch.setattr(native_climb._Reached, "state", lambda self: np.append(original(self)[:-1], 0.25))


def climb_ahead_of_its_objective(monkeypatch: MonkeyPatch) -> None:
    """A climb that returns the mixture after the last M-step."""
    original = native_climb.Climb.settle

    def wrong(self: Any) -> None:
        original(self)
        one = self.trajectory
        one._mixture = one.mstep(one.statistics, one.mixture).mixture

    monkeypatch.setattr(native_climb.Climb, "settle", wrong)


def ends_of_other_runs(monkeypatch: MonkeyPatch) -> None:
    """What is said of a stack's runs is said in the wrong order."""
    original = native_climb.Stack.ended

    def wrong(self: native_climb.Stack) -> bool:
        found = original(self)
        self.ends.reverse()
        return found

    monkeypatch.setattr(native_climb.Stack, "ended", wrong)


def no_end_is_degenerate(monkeypatch: MonkeyPatch) -> None:
    """Runs of a stack are never said to end in a degenerate component."""
    original = native_climb.Stack.ended

    def wrong(self: native_climb.Stack) -> bool:
        found = original(self)
        self.ends = [end._replace(degenerate=False) for end in self.ends]
        return found

    monkeypatch.setattr(native_climb.Stack, "ended", wrong)
