"""Mistakes in what follows a stream, and in what a checkpoint holds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pytest import MonkeyPatch

from faults.injections import changed, replaced
from mixtura import online
from mixtura.acceleration import Squarem
from mixtura.em import Trajectory
from mixtura.online import Stream

steps_of_another_power = replaced(online, "POWER", 0.6)
path_without_its_weights = replaced(online, "RECENCY", 0.0)
covariances_not_implied = changed(
    online, "implied_statistics", lambda found, *_: replace(found, second=found.second * 1.01)
)
order_of_arrival = replaced(online, "aligned", lambda mixture, like: mixture)


def forgetting_by_call(monkeypatch: MonkeyPatch) -> None:
    """Each block is forgotten as if it were one row."""
    original = Stream._step

    def wrong(self: Stream, weight: float, seen: float) -> Any:
        return original(self, 1.0 if self.forget else weight, seen)

    monkeypatch.setattr(Stream, "_step", wrong)


def acceleration_not_resumed(monkeypatch: MonkeyPatch) -> None:
    """A run that is taken up begins to accelerate anew."""
    monkeypatch.setattr(Squarem, "restore", lambda self, state: None)



def numbers_rounded_in_the_file(monkeypatch: MonkeyPatch) -> None:
    """A run's next parameters are written with twelve digits."""
    original = Trajectory.snapshot

    def wrong(self: Trajectory) -> dict[str, Any]:
        state = original(self)
        proposal = state["_proposal"]
        rounded = replace(proposal.mixture, means=proposal.mixture.means.round(12))
        return {**state, "_proposal": replace(proposal, mixture=rounded)}

    monkeypatch.setattr(Trajectory, "snapshot", wrong)
