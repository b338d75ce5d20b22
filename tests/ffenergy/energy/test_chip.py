"""A profile as one chip of any size, and how far its constants may be off."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from ffenergy.energy import (
    PricingError,
    ProfileError,
    compute_energy,
    distance_movement_energy,
    grid_movement_energy,
    load_profile,
    movement_energy,
    parse_profiles,
    profiles,
    wire_movement_energy,
)
from ffenergy.energy.chip import DRAWS, Chip, energies, factors, interval, ratio
from instrumented.distances.grid import grid_energy_fj

MIB = 2**20
JOUPPI = load_profile("jouppi-7nm-hbm2")


def test_an_on_chip_byte_grows_with_the_side_of_the_memory():
    # 14 pJ/64bit at 1 MiB: 1.75 pJ/B, at 16 MiB 1.75 √16 = 7; behind it 350 / 8 = 43.75
    found = Chip(JOUPPI).prices(16 * MIB, 0)
    assert found.on_chip_byte[0] == pytest.approx(7e-12)
    assert found.off_chip_byte[0] == pytest.approx(43.75e-12)
    assert found.multiply_add[0] == pytest.approx((0.38 + 1.31) * 1e-12)
    # √1024 · 1.75 = 56 would be dearer than the memory behind the chip, and is not
    assert Chip(JOUPPI).prices(1024 * MIB, 0).on_chip_byte[0] == pytest.approx(43.75e-12)


def test_increments_are_passed_on():
    # A100: 12.72 + 37.68 = 50.4 pJ/B in L2 at its own 40 MiB, + 104.88 from HBM
    found = Chip(load_profile("a100-measured")).prices(40 * MIB, 0)
    assert found.on_chip_byte[0] == pytest.approx(50.4e-12)
    assert found.off_chip_byte[0] == pytest.approx(155.28e-12)


def test_distances_are_priced_where_they_lie():
    # The grid: 9 KiB on the chip, two thirds of √(9216 / 4) = 48 hops: 32, 64 fJ a word, 16 a byte.
    # Data of 1 MB in all at √250,000 = 500 hops: 1000 fJ a word.
    found = Chip(load_profile("dally-grid")).prices(9216, 1_000_000)
    assert found.on_chip_byte[0] == pytest.approx(16e-15)
    assert found.off_chip_byte[0] == pytest.approx(250e-15)
    wire = load_profile("dally-wire")
    one = pd.DataFrame({"distance_bytes": [10**6], "bytes_read": [1], "bytes_written": [0]})
    priced = wire_movement_energy(wire, one)["energy_read_joules"].iloc[0]
    assert Chip(wire).prices(MIB // 4, 10**6).off_chip_byte[0] == pytest.approx(priced)


@pytest.mark.parametrize("name", sorted(profiles()))
def test_every_bundled_profile_is_a_chip(name):
    found = Chip(load_profile(name)).prices(4 * MIB, 64 * MIB)
    for energy in (found.multiply_add, found.special, found.on_chip_byte, found.off_chip_byte):
        assert energy.shape == (DRAWS,)
        assert (energy > 0).all()
    assert (found.on_chip_byte <= found.off_chip_byte).all()
    with pytest.raises(PricingError, match="no energies for dtype 'complex64'"):
        Chip(load_profile(name), "complex64")


def test_draws_lie_in_the_ranges_and_are_the_same_every_time():
    drawn = factors(JOUPPI)
    hbm = drawn["levels.hbm2.read"]  # 250 to 450 about 350
    assert hbm[0] == 1
    assert hbm.min() >= 250 / 350
    assert hbm.max() <= 450 / 350
    assert np.unique(hbm).size > 150
    multiply = drawn["compute.float32.multiply"]  # secondary, no range of its own: 1.25 either way
    assert multiply.min() >= 1 / 1.25
    assert multiply.max() <= 1.25
    assert factors(JOUPPI) is drawn
    # a write was assumed to cost a read, a special operation so many multiplications: one draw
    places = {key: np.argsort(values[1:]) for key, values in drawn.items()}
    np.testing.assert_array_equal(places["levels.hbm2.read"], places["levels.hbm2.write"])
    np.testing.assert_array_equal(
        places["compute.float32.multiply"], places["compute.float32.special"]
    )
    assert (places["compute.float32.add"] != places["compute.float32.multiply"]).any()


def test_an_interval_holds_nine_draws_of_ten():
    np.testing.assert_allclose(interval(np.arange(101.0)), (5, 95))


def test_a_range_is_the_sources_or_what_the_certainty_allows():
    ranges = dict(JOUPPI.constants())
    assert ranges["levels.hbm2.read"].range == (250, 450)
    assert ranges["compute.float32.add"].range == pytest.approx((0.38 / 1.25, 0.38 * 1.25))


def test_the_grid_prices_every_distance_as_the_instrument_does():
    # blocks of one word each, so that both price the same words
    distance = np.array([4, 100, 2500, 2504, 4_000_000])
    table = pd.DataFrame(
        {"distance_bytes": distance, "bytes_read": [4] * 5, "bytes_written": [0] * 5}
    )
    found = grid_movement_energy(load_profile("dally-grid"), table)["energy_movement_joules"]
    np.testing.assert_allclose(found, grid_energy_fj(distance) * 1e-15)
    # 4,000,000 bytes are 1,000,000 words, 1000 hops, 2000 fJ; written bytes cost as much
    assert found.iloc[-1] == pytest.approx(2e-12)
    assert found.iloc[0] == pytest.approx(50e-15)
    with pytest.raises(PricingError, match="has no grid"):
        grid_movement_energy(JOUPPI, table)
    with pytest.raises(PricingError, match="prices hops on a grid, not a wire"):
        wire_movement_energy(load_profile("dally-grid"), table)
    served = pd.DataFrame({"level": [], "bytes_read": [], "bytes_written": []})
    with pytest.raises(PricingError, match="prices distances, not levels"):
        movement_energy(load_profile("dally-grid"), served)


OWN = """
[sources]
desk = "measured on my desk"
[profiles.mine]
based_on = "{base}"
title = "Mine"
convention = "none"
level_energy = "total"
[[profiles.mine.levels]]
name = "all"
read = {{ value = 5, unit = "pJ/B", source = "desk", certainty = "confirmed", note = "n" }}
write = {{ value = 6, unit = "pJ/B", source = "desk", certainty = "confirmed", note = "n" }}
"""


def test_a_profile_based_on_another_takes_over_what_it_does_not_say():
    mine = parse_profiles(OWN.format(base="jouppi-7nm-hbm2"), "mine.toml")["mine"]
    assert mine.level_names == ("all",)
    assert mine.compute["float32"] == JOUPPI.compute["float32"]
    assert mine.compute_as == JOUPPI.compute_as
    # levels instead of a wire: memory is never mixed
    assert parse_profiles(OWN.format(base="dally-wire"), "mine.toml")["mine"].wire is None
    bf16 = load_profile("bf16-7nm-hbm2")
    assert bf16.compute["float32"].multiply.value == 0.21
    assert bf16.levels == JOUPPI.levels
    assert bf16.compute["float64"] == JOUPPI.compute["float64"]


@pytest.mark.parametrize(
    ("base", "message"),
    [
        (
            "nobody",
            "based_on: 'nobody' is no profile; name one of this file, or of horowitz-45nm, ",
        ),
        ("tpuv4i", "based_on: 'tpuv4i' is itself based on another; name that one"),
    ],
)
def test_a_base_that_cannot_be_had(base, message):
    with pytest.raises(ProfileError, match=message):
        parse_profiles(OWN.format(base=base), "mine.toml")


@pytest.mark.parametrize("compute", ["", "compute = 3"])
def test_a_base_of_the_same_file_whose_arithmetic_is_none(compute):
    text = OWN.format(base="bare") + f"[profiles.mine.compute]\n[profiles.bare]\n{compute}"
    with pytest.raises(ProfileError, match=r"profiles\.mine\.process: missing; add it"):
        parse_profiles(text, "mine.toml")


def test_known_chips_have_their_sizes():
    assert load_profile("tpuv4i").capacities_bytes[-1] == 128 * MIB
    assert load_profile("h100-l2").capacities_bytes[-1] == 50 * MIB
    assert load_profile("wafer-scale").levels[-1].name == "wafer"
    # 13.5 and 9.45 pJ a bit
    assert load_profile("edge-7nm-lpddr4").levels[-1].read_per_byte == 108
    assert load_profile("edge-7nm-lpddr5").levels[-1].read_per_byte == pytest.approx(75.6)
    assert load_profile("jouppi-7nm-ddr4").levels[-1].read_per_byte == 162.5
    assert math.isclose(load_profile("tpuv4i").levels[1].read_per_byte, 350 / 20 / 8)


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
    spent = energies(profile, WORK, moved(profile))
    same = ratio(spent, spent)
    assert (same.value, same.low, same.high) == (1, 1, 1)
    nothing = WORK.iloc[:0]
    twice = ratio(*(energies(profile, nothing, moved(profile, scale)) for scale in (2, 1)))
    assert twice.low == pytest.approx(2)
    assert twice.high == pytest.approx(2)


def test_an_interval_by_hand():
    # Arithmetic against bytes of HBM2: A multiply-adds over M bytes, both uncertain.
    profile = load_profile("jouppi-7nm-hbm2")
    nothing = moved(profile).assign(bytes_read=0, bytes_written=0)
    bytes_only = nothing.assign(bytes_read=[0, 0, 0, 8])
    work = pd.DataFrame({"dtype": ["float32"], "adds": 0, "multiplies": 1, "specials": 0})
    sides = (WORK.iloc[:0], bytes_only), (work, nothing)
    found = ratio(*(energies(profile, *side) for side in sides))
    drawn = factors(profile)
    # 350 pJ of 8 bytes over 1.31 pJ, each with its own draws
    values = 350 / 1.31 * drawn["levels.hbm2.read"] / drawn["compute.float32.multiply"]
    assert found.value == pytest.approx(350 / 1.31)
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(values, [0.05, 0.95])))


def test_a_foreign_type_is_refused():
    profile = load_profile("jouppi-7nm-hbm2")
    with pytest.raises(PricingError, match="complex64"):
        energies(profile, WORK.assign(dtype="complex64"), moved(profile))
