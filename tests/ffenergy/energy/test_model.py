"""Pricing, worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffenergy.energy import (
    PricingError,
    commute_to_compute,
    compute_energy,
    joules_or_nan,
    load_profile,
    movement_energy,
    tidy_levels,
    wire_energy,
    wire_millimetres,
    wire_movement_energy,
)

HOROWITZ = load_profile("horowitz-45nm")
EYERISS = load_profile("eyeriss-relative")
A100 = load_profile("a100-measured")
DALLY = load_profile("dally-wire")


def work(*rows):
    return pd.DataFrame(rows, columns=["dtype", "adds", "multiplies", "specials"])


def served(*rows):
    return pd.DataFrame(rows, columns=["level", "bytes_read", "bytes_written"])


def histogram(*rows):
    return pd.DataFrame(rows, columns=["distance_bytes", "bytes_read", "bytes_written"])


def test_compute_energy_of_a_small_matmul():
    # (2×3) @ (3×4), float32: 24 multiplies · 3.7 + 24 adds · 0.9 = 110.4 pJ;
    # 10 divisions · 26.27 = 262.7 pJ; 5 comparisons of bytes · 0.03 = 0.15 pJ
    energy = compute_energy(
        HOROWITZ, work(("float32", 24, 24, 0), ("float32", 0, 0, 10), ("bool", 5, 0, 0))
    )
    assert energy.name == "energy_compute_joules"
    assert energy.tolist() == pytest.approx([110.4e-12, 262.7e-12, 0.15e-12])


def test_compute_energy_of_a_relative_profile_is_in_macs():
    energy = compute_energy(EYERISS, work(("float32", 24, 24, 0)))
    assert energy.name == "energy_compute_macs"
    assert energy.tolist() == pytest.approx([24.0])


def test_compute_energy_keeps_the_index_and_takes_rows_without_work():
    rows = work(("float32", 1, 0, 0), ("complex256", 0, 0, 0)).set_axis([7, 3])
    energy = compute_energy(HOROWITZ, rows)
    assert energy.to_dict() == {7: pytest.approx(0.9e-12), 3: 0.0}
    assert compute_energy(HOROWITZ, rows.iloc[:0]).empty


def test_an_unpriced_dtype_is_refused():
    with pytest.raises(PricingError, match="no energies for dtype 'complex256'"):
        compute_energy(HOROWITZ, work(("complex256", 1, 0, 0)))


def test_complex_operations_cost_those_on_their_parts():
    # 3 additions 6; 2 multiplications 8 and 4 additions; 1 special 2 specials, 6 and 3 additions
    rows = work(("complex64", 3, 2, 1), ("float32", 6 + 4 + 3, 8 + 6, 2))
    of_complex, of_reals = compute_energy(HOROWITZ, rows)
    assert of_complex == pytest.approx((13 * 0.9 + 14 * 3.7 + 2 * 26.27) * 1e-12)
    assert of_complex == of_reals


def test_movement_energy_per_level_reads_and_writes_apart():
    # 64 B from 8 KB SRAM · 1.25 + 32 B written to DRAM · 243.75 = 80 + 7800 pJ
    rows = served(("sram-8k", 64, 0), ("dram", 0, 32), ("sram-1m", 8, 8)).assign(layer="layer1")
    priced = movement_energy(HOROWITZ, rows)
    assert priced["energy_read_joules"].tolist() == pytest.approx([80e-12, 0, 100e-12])
    assert priced["energy_written_joules"].tolist() == pytest.approx([0, 7800e-12, 100e-12])
    assert priced["energy_movement_joules"].sum() == pytest.approx(8080e-12)
    assert (priced["layer"] == "layer1").all()
    assert "energy_read_joules" not in rows


def test_movement_energy_over_increments_pays_the_levels_passed():
    # 10 B from HBM: 80 bits · (13.11 + 4.71 + 1.59) pJ = 1552.8 pJ
    priced = movement_energy(A100, served(("hbm", 10, 0)))
    assert priced["energy_read_joules"].tolist() == pytest.approx([1552.8e-12])


def test_movement_energy_of_a_relative_profile_is_in_macs():
    # 40 B = 10 words of 4 B: 10 · 200 read, 10 · 1 written to the register file
    priced = movement_energy(EYERISS, served(("dram", 40, 0), ("register-file", 0, 40)))
    assert priced["energy_movement_macs"].tolist() == pytest.approx([2000, 10])
    assert not [column for column in priced if "joules" in column]


def test_wide_levels_become_tidy_and_lose_nothing():
    wide = pd.DataFrame(
        {
            "layer": ["layer1", "layer2"],
            **{f"bytes_read_{name}": [1, 2] for name in HOROWITZ.level_names},
            **{f"bytes_written_{name}": [10, 20] for name in HOROWITZ.level_names},
        }
    )
    tidy = tidy_levels(HOROWITZ, wide)
    assert list(tidy.columns) == ["layer", "level", "bytes_read", "bytes_written"]
    assert len(tidy) == 8
    assert tidy["bytes_read"].sum() == 12
    assert tidy["bytes_written"].sum() == 120
    with pytest.raises(PricingError, match="no column 'bytes_read_dram'"):
        tidy_levels(HOROWITZ, wide.drop(columns="bytes_read_dram"))


def test_wire_length_and_energy():
    # 1 MB lies √(1e6 · 8 / 29.2e6) = √0.273973 = 0.523424 mm away.
    # 1 byte over it: 0.2375 · 0.523424 = 0.124313 pJ, and 0.4 pJ for the cell.
    assert wire_millimetres(DALLY, [0, 1e6]).tolist() == pytest.approx([0, 0.523424], rel=1e-5)
    priced = wire_movement_energy(DALLY, histogram((1e6, 1, 0), (1e6, 0, 2), (0, 0, 5)))
    assert priced["energy_read_joules"].tolist() == pytest.approx([0.524313e-12, 0, 0], rel=1e-5)
    assert priced["energy_written_joules"].tolist() == pytest.approx(
        [0, 2 * 0.524313e-12, 5 * 0.4e-12], rel=1e-5
    )


@given(st.lists(st.tuples(st.integers(1, 10**9), st.integers(0, 10**9)), min_size=1, max_size=20))
def test_exact_sums_price_a_wire_histogram(rows):
    frame = histogram(*((distance, nbytes, 0) for distance, nbytes in rows))
    total = wire_movement_energy(DALLY, frame)["energy_read_joules"].sum()
    nbytes = sum(n for _, n in rows)
    roots = math.fsum(n * math.sqrt(d) for d, n in rows)
    assert float(wire_energy(DALLY, nbytes, roots, "read")) == pytest.approx(total, rel=1e-12)


def test_cold_accesses_have_no_wire_length():
    with pytest.raises(PricingError, match="marks a cold access"):
        wire_movement_energy(DALLY, histogram((-1, 4, 0)))


def test_levels_and_distances_are_not_mixed_up():
    with pytest.raises(PricingError, match="prices distances, not levels"):
        movement_energy(DALLY, served(("dram", 1, 0)))
    with pytest.raises(PricingError, match=r"prices levels \(sram-8k, .* not distances"):
        wire_movement_energy(HOROWITZ, histogram((1, 1, 0)))
    with pytest.raises(PricingError, match="no level 'hbm2'; its levels are sram-8k"):
        movement_energy(HOROWITZ, served(("hbm2", 1, 0)))


@pytest.mark.parametrize("count", [-1, math.nan, math.inf])
def test_impossible_counts_are_refused(count):
    with pytest.raises(PricingError, match="negative or missing count"):
        movement_energy(HOROWITZ, served(("dram", count, 0)))
    with pytest.raises(PricingError, match="negative or missing count"):
        compute_energy(HOROWITZ, work(("float32", count, 0, 0)))


def test_missing_columns_are_named():
    with pytest.raises(PricingError, match="no column 'specials'"):
        compute_energy(HOROWITZ, work(("float32", 1, 1, 1)).drop(columns="specials"))


def test_commute_to_compute():
    ratio = commute_to_compute([6.0, 1.0, 0.0], [2.0, 0.0, 0.0])
    assert ratio[0] == 3
    assert ratio[1] == np.inf
    assert np.isnan(ratio[2])


def test_relative_energies_never_stand_in_a_joule_column():
    assert joules_or_nan(HOROWITZ, 2.0) == 2
    assert math.isnan(joules_or_nan(EYERISS, 2.0))
