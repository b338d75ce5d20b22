"""`ffenergy profiles`, and a user's own profile from the flag to the repeated report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import Result

from ffenergy.energy import profiles

Invoke = Callable[..., Result]

TINY = ["--layer-sizes", "784,8", "--softmax-epochs", "1", "--n-train", "200", "--offline"]
MINE = """
[sources]
me = "my own bench"
[profiles.mine]
title = "Mine"
process = "5 nm"
energy_unit = "pJ"
level_energy = "total"
convention = "none"
compute_as = { bool = "float32", int64 = "float32" }
[profiles.mine.compute.float32]
add = { value = 1, unit = "pJ", source = "me", certainty = "assumed", note = "-" }
multiply = { value = 4, unit = "pJ", source = "me", certainty = "assumed", note = "-" }
special = { value = 16, unit = "pJ", source = "me", certainty = "assumed", note = "-" }
[[profiles.mine.levels]]
name = "all"
read = { value = 2, unit = "pJ/B", source = "me", certainty = "assumed", note = "-" }
write = { value = 3, unit = "pJ/B", source = "me", certainty = "assumed", note = "-" }
"""


def test_all_profiles_show_every_constant(invoke: Invoke) -> None:
    result = invoke("profiles")
    assert result.exit_code == 0, result.output
    text = " ".join(result.stdout.split())
    for name, profile in profiles().items():
        assert f"{name}: {profile.title}" in text
        for key, constant in profile.constants():
            assert f"{key} {constant.value:g}" in text
            assert " ".join(constant.source.split()) in text
    assert max(map(len, result.stdout.splitlines())) <= 100


def test_one_profile_shows_its_notes_and_ranges(invoke: Invoke) -> None:
    text = " ".join(invoke("profiles", "jouppi-7nm-hbm2").stdout.split())
    assert "levels.hbm2.read 350 (250 to 450) pJ/64bit secondary [1]" in text
    assert "a footnote there calls it input/output energy only" in text
    assert "horowitz-45nm" not in text


@pytest.mark.parametrize("command", ["profiles", "measure", "report"])
def test_an_unknown_profile_is_one_line(invoke: Invoke, command: str, tmp_path: Path) -> None:
    arguments: dict[str, list[Any]] = {
        "profiles": ["abacus"],
        "measure": ["--profile", "abacus"],
        "report": [Path("reports/compare-quick"), "--profile", "abacus"],
    }
    result = invoke(command, *arguments[command])
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: abacus: neither a profile nor a file; choose one of horowitz")


def test_a_profile_without_the_run_s_type_is_refused_before_training(
    invoke: Invoke, tmp_path: Path
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(MINE, encoding="utf-8")
    arguments = ["--dtype", "float64", "--profile", path, "--outdir", tmp_path / "run"]
    result = invoke("train", "random", *TINY, *arguments)
    assert result.exit_code == 2
    assert "no energies for dtype 'float64'" in result.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_report_under_an_own_profile_can_be_repeated_without_its_file(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, out = tmp_path / "mine.toml", tmp_path / "run"
    path.write_text(MINE, encoding="utf-8")
    result = invoke("train", "random", *TINY, "--profile", path, "--outdir", out)
    assert result.exit_code == 0, result.output
    path.unlink()
    before = (out / "summary.csv").read_bytes()
    assert invoke("report", out, "-q").exit_code == 0
    assert (out / "summary.csv").read_bytes() == before
    summary = pd.read_csv(out / "summary.csv")
    assert set(summary["profile"]) == {"mine"}
    energy = pd.read_csv(out / "energy.csv")
    moved = energy["bytes_read"] * 2e-12 + energy["bytes_written"] * 3e-12  # one level serves all
    joules = energy["energy_read_joules"] + energy["energy_written_joules"]
    assert joules.to_numpy() == pytest.approx(moved.to_numpy(), abs=1e-18)
    again = invoke("report", out, "-q", "--profile", "eyeriss-relative")
    assert again.exit_code == 0, again.output
    assert "energy_compute_macs" in pd.read_csv(out / "summary.csv").columns
