"""Analyses in threads: what fails, or is stopped, waits neither for the rest nor for what runs."""

from __future__ import annotations

import signal
import sys
import threading

import pytest

from ffenergy.costs.rehearsal import Recording
from ffenergy.costs.step_costs import SWITCH_SECONDS, StepCosts, side_by_side
from ffenergy.costs.step_kinds import StepKind, What
from ffenergy.errors import PricingError
from instrumented import InstrumentError

KIND = StepKind("train", What.TRAIN, "layers", "", "train", False, 1)
RECORDED = [("ff", Recording(KIND, str(number), 0, [], {})) for number in range(40)]


def test_whoever_is_stopped_waits_for_nothing() -> None:
    begun: list[str] = []
    over = threading.Event()

    def analyse(recording: Recording) -> StepCosts:
        begun.append(recording.digest)
        if recording.digest == "0":
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        assert over.wait(60)
        raise InstrumentError("nobody asks any more")

    with pytest.raises(KeyboardInterrupt):
        side_by_side(analyse, RECORDED)
    assert len(begun) < len(RECORDED)  # and those that did begin still wait
    over.set()


def test_threads_give_way_soon_and_then_as_ever() -> None:
    usual = sys.getswitchinterval()
    met: list[float] = []

    def analyse(recording: Recording) -> StepCosts:
        met.append(sys.getswitchinterval())
        raise InstrumentError("one is enough")

    with pytest.raises(PricingError):
        side_by_side(analyse, RECORDED[:1])
    assert met == pytest.approx([SWITCH_SECONDS])
    assert sys.getswitchinterval() == usual


def test_of_what_fails_the_rule_and_the_step_are_told() -> None:
    over = threading.Event()

    def analyse(recording: Recording) -> StepCosts:
        if recording.digest == "0":
            raise InstrumentError("it moves nothing")
        assert over.wait(60)
        raise InstrumentError("nobody asks any more")

    with pytest.raises(PricingError, match=r"^ff, step train.*: it moves nothing"):
        side_by_side(analyse, RECORDED)
    over.set()
