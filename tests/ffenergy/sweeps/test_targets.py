"""What is said of what an error cost, on cases worked by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ffenergy.report.pictures.sweep_costs import render, unbeaten
from ffenergy.sweeps.targets import targets_table


def summary() -> pd.DataFrame:
    """Three trainings of FF, the cheapest not the worst; one of backprop."""
    table = pd.DataFrame(
        [("ff", 2, 4.0, 10.0), ("ff", 4, 2.5, 30.0), ("ff", 8, 2.8, 20.0), ("bp", 2, 1.4, 15.0)],
        columns=["algorithm", "n_epochs", "test_error_mean", "energy_joules"],
    )
    return table.assign(
        test_error_std=0.1,
        n=3,
        dataset="mnist",
        is_sample=False,
        error_on="test",
        accounting="eager",
        memory="cache",
        profile="jouppi-7nm-hbm2",
        bytes_read=[3, 5, 4, 6],
        bytes_written=[1, 1, 1, 1],
    )


def test_the_cheapest_way_to_a_target() -> None:
    found = targets_table(summary(), ["n_epochs", "seed"], "energy_joules")
    found = found.set_index(["algorithm", "target_error"])
    assert found.loc[("ff", 5.0), "training"] == "n_epochs=2"
    assert found.loc[("ff", 3.0), "training"] == "n_epochs=8"  # 20 J; 4 epochs cost 30 J
    assert found.loc[("ff", 3.0), "bytes_total"] == 4 + 1
    assert not found.loc[("ff", 2.0), "reached"]
    assert found.loc[("ff", 2.0), "test_error_mean"] == 2.5  # the least there is
    assert found.loc[("ff", 2.0), ["bytes_total", "energy_joules"]].isna().all()
    assert found.loc[("bp", 1.5), "energy_joules"] == 15.0


def test_the_line_joins_what_nothing_beats() -> None:
    cost, error = np.array([3.0, 1.0, 2.0, 2.0]), np.array([1.0, 5.0, 6.0, 2.0])
    assert unbeaten(cost, error).tolist() == [1, 3, 0]


def test_the_picture_of_costs_is_the_same_every_time() -> None:
    files = render(summary(), "energy_joules")
    assert set(files) == {"png", "svg"}
    assert files == render(summary(), "energy_joules")
    assert files["png"].startswith(b"\x89PNG")
