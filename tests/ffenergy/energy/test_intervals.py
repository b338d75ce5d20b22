"""Intervals of energies and ratios, against the model's own figures and by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ffenergy.energy import (
    PricingError,
    compute_energy,
    distance_movement_energy,
    load_profile,
    movement_energy,
    profiles,
)
from ffenergy.energy.intervals import energies, ratio
from ffenergy.energy.uncertainty import factors

WORK = pd.DataFrame(
    {
        "dtype": ["float32", "float32", "int64", "bool"],
        "adds": [100, 50, 7, 0],
        "multiplies": [100, 60, 0, 3],
        "specials": [5, 0, 0, 0],
    }
)


def moved(profile, scale=1):
    places = (
        {"level": list(profile.level_names)}
        if profile.levels
        else {"distance_bytes": [64.0, 4096.0, 10.0**7]}
    )
    n = len(next(iter(places.values())))
    sizes = scale * 1000 * np.arange(1, n + 1)
    return pd.DataFrame({**places, "bytes_read": sizes, "bytes_written": sizes // 2})


@pytest.mark.parametrize("name", sorted(profiles()))
def test_the_first_draw_is_the_model(name):
    profile = load_profile(name)
    found = energies(profile, WORK, moved(profile))
    price = movement_energy if profile.levels else distance_movement_energy
    expected = compute_energy(profile, WORK).sum()
    expected += price(profile, moved(profile))[profile.column("movement")].sum()
    assert found[0] == pytest.approx(expected)
    assert found.min() < found[0] < found.max()


def test_a_ratio_of_the_same_is_certain_and_of_bytes_alone_too():
    profile = load_profile("jouppi-7nm-hbm2")
    same = ratio(profile, (WORK, moved(profile)), (WORK, moved(profile)))
    assert (same.value, same.low, same.high) == (1, 1, 1)
    nothing = WORK.iloc[:0]
    twice = ratio(profile, (nothing, moved(profile, 2)), (nothing, moved(profile)))
    assert twice.low == pytest.approx(2)
    assert twice.high == pytest.approx(2)


def test_an_interval_by_hand():
    # Arithmetic against bytes of HBM2: A multiply-adds over M bytes, both uncertain.
    profile = load_profile("jouppi-7nm-hbm2")
    nothing = moved(profile).assign(bytes_read=0, bytes_written=0)
    bytes_only = nothing.assign(bytes_read=[0, 0, 0, 8])
    work = pd.DataFrame({"dtype": ["float32"], "adds": 0, "multiplies": 1, "specials": 0})
    found = ratio(profile, (WORK.iloc[:0], bytes_only), (work, nothing))
    drawn = factors(profile)
    # 350 pJ of 8 bytes over 1.31 pJ, each with its own draws
    values = 350 / 1.31 * drawn["levels.hbm2.read"] / drawn["compute.float32.multiply"]
    assert found.value == pytest.approx(350 / 1.31)
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(values, [0.05, 0.95])))


def test_a_foreign_type_is_refused():
    profile = load_profile("jouppi-7nm-hbm2")
    with pytest.raises(PricingError, match="complex64"):
        energies(profile, WORK.assign(dtype="complex64"), moved(profile))
