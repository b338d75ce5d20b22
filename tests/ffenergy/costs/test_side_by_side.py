"""Analyses in threads: what fails, or is stopped, keeps nobody waiting for the rest."""

from __future__ import annotations

import threading

import pytest

from ffenergy.costs.rehearsal import Recording
from ffenergy.costs.step_costs import StepCosts, side_by_side
from ffenergy.costs.step_kinds import StepKind, What

KIND = StepKind("train", What.TRAIN, "layers", "", "train", False, 1)


def test_what_has_not_begun_when_one_is_stopped_is_left_out() -> None:
    begun: list[str] = []
    stopped = threading.Event()

    def analyse(recording: Recording) -> StepCosts:
        begun.append(recording.digest)
        if recording.digest == "0":
            raise KeyboardInterrupt
        stopped.wait(0.2)
        raise KeyboardInterrupt

    recorded = [("ff", Recording(KIND, str(number), 0, [], {})) for number in range(40)]
    with pytest.raises(KeyboardInterrupt):
        side_by_side(analyse, recorded)
    assert "0" in begun
    assert len(begun) < 40
