"""What cannot be done is refused before anything is done, in one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

Invoke = Callable[..., Result]

TINY = "--layer-sizes 784,8 --n-train 300 --n-epochs 1 --softmax-epochs 1 --offline".split()
SPEC = """
preset = "quick"
algorithms = ["ff", "bp-hybrid"]
[fixed]
layer_sizes = [784, 8]
n_train = 300
normalize_as = "deferred"
"""


def refused(result: Result, code: int, says: str) -> None:
    """Hold that a command ended in one line."""
    assert result.exit_code == code, result.output
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: ")
    assert says in line


def test_a_rule_that_cannot_train_so_is_refused_before_another_trains(
    invoke: Invoke, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    rules = ["--algorithms", "ff,bp-hybrid", "--normalize-as", "deferred"]
    result = invoke("compare", *TINY, *rules, "--outdir", out)
    refused(result, 2, "--normalize-as is 'deferred', which bp-hybrid does not do; choose eager")
    assert not (out / "run.json").exists()


def test_so_is_a_cell_of_a_sweep(invoke: Invoke, tmp_path: Path) -> None:
    spec = tmp_path / "spec.toml"
    spec.write_text(SPEC, encoding="utf-8")
    result = invoke("sweep", spec, "--offline", "--outdir", tmp_path / "out")
    refused(result, 2, "spec.toml: normalize_as is 'deferred', which bp-hybrid does not do")


def test_pictures_are_not_written_among_those_of_a_run(invoke: Invoke, finished_run: Any) -> None:
    result = invoke("figures", finished_run.path, "--outdir", finished_run.path)
    refused(result, 4, f"--outdir {finished_run.path} holds a run, which has pictures of the same")


@pytest.mark.parametrize("command", ["measure --profile", "profiles", "map --profile"])
def test_a_profile_without_a_name(invoke: Invoke, command: str) -> None:
    result = invoke(*command.split(), "")
    refused(result, 2, "the name of a profile is empty; choose one of horowitz-45nm")
