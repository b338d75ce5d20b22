"""Progress: a bar on a terminal, sparse plain lines elsewhere, nothing when quiet."""

from __future__ import annotations

import io

from ffenergy.cli.progress import Bar, PlainLines, progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_bar_with_eta_and_loss() -> None:
    stream = Terminal()
    bar = progress("backprop", quiet=False, stream=stream)
    assert isinstance(bar, Bar)
    bar.start("network", 4)
    bar.advance(4, loss=0.25)
    bar.finish()
    last = stream.getvalue().rstrip().split("\r")[-1]
    assert last.startswith("backprop")
    assert "100%" in last
    assert "loss=0.2500" in last


def test_a_file_gets_a_few_lines() -> None:
    stream = io.StringIO()
    lines = progress("backprop", quiet=False, stream=stream)
    assert isinstance(lines, PlainLines)
    lines.start("network", 1000)
    for _ in range(1000):
        lines.advance(1, loss=0.25)
    lines.finish()
    first, last = stream.getvalue().splitlines()
    assert first == "backprop network: 1,000 steps"
    assert last.startswith("backprop network: done, loss 0.2500, ")


def test_long_stages_speak_now_and_then() -> None:
    stream = io.StringIO()
    lines = PlainLines("backprop", stream)
    lines.start("network", 4)
    lines.spoken -= 60
    lines.advance(1, loss=0.5)
    assert "25 %, loss 0.5000, 0 s left" in stream.getvalue()


def test_one_step_is_no_steps() -> None:
    stream = io.StringIO()
    PlainLines("backprop", stream).start("network", 1)
    assert stream.getvalue() == "backprop network: 1 step\n"


def test_cells_are_no_steps() -> None:
    stream = io.StringIO()
    PlainLines("sweep", stream).start("trains", 4, "cell")
    assert stream.getvalue() == "sweep trains: 4 cells\n"


def test_quiet_is_quiet() -> None:
    assert progress("backprop", quiet=True) is None
