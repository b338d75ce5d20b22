"""A recorded trace priced in one line."""

from __future__ import annotations

import numpy as np
import pytest

import instrumented
from ffenergy.energy import ProfileError, load_profile, price, profiles


def recorded(steps: int) -> instrumented.Trace:
    trace = instrumented.Trace(record=True)
    w = trace.array(np.ones((3, 2), np.float32), role="weight")
    for _ in range(steps):
        with trace.step("step"), trace.scope(layer="layer1", phase="forward"):
            trace.made(np.ones((2, 3), np.float32)) @ w
    return trace


def test_one_step_by_hand():
    table = price(recorded(3), "jouppi-7nm-hbm2", grain="operation")
    # 2·3·2 multiply-adds of float32: 12 · 0.38 + 12 · 1.31 = 20.28 pJ
    arithmetic = table.set_index("level").loc["compute"]
    assert arithmetic["flops"] == 24
    assert arithmetic["energy_joules"] == pytest.approx(20.28e-12)
    # x 24 and w 24 bytes read, x 24 and the product 16 written, all near
    near = table.set_index("level").loc["sram-8k"]
    assert (near["bytes_read"], near["bytes_written"]) == (48, 40)
    assert near["capacity_bytes"] == 8192
    level = load_profile("jouppi-7nm-hbm2").levels[0]
    picojoules = 48 * level.read_per_byte + 40 * level.write_per_byte
    assert near["energy_joules"] == pytest.approx(picojoules * 1e-12)
    assert table[["layer", "phase"]].drop_duplicates().to_numpy().tolist() == [
        ["layer1", "forward"]
    ]


def test_a_record_without_steps_is_priced_whole():
    trace = instrumented.Trace(record=True)
    x = trace.array(np.ones(1000, np.float32))
    y = x * x
    y.sum()
    whole = price(trace, "dally-wire", grain="operation")
    assert whole["bytes_read"].sum() == 12_000  # x twice, y once
    table = price(trace, "dally-wire")
    # y is added up block after block of 256 elements: its sum comes back to 3 of the 4 blocks
    assert table["bytes_read"].sum() == 12_000 + 3 * 4
    assert table["flops"].sum() == 1999


def test_what_the_figures_are_of_stands_beside_them():
    reading = ["accounting", "memory", "grain", "profile"]
    table = price(recorded(3), "jouppi-7nm-hbm2")
    assert table[reading].drop_duplicates().to_numpy().tolist() == [
        ["eager", "scratchpad", "tile", "jouppi-7nm-hbm2"]
    ]
    table = price(recorded(3), "dally-wire", grain="operation", fused=True)
    assert table[reading].drop_duplicates().to_numpy().tolist() == [
        ["fused", "scratchpad", "operation", "dally-wire"]
    ]


def test_a_level_that_serves_nothing_has_no_row():
    trace = instrumented.Trace(record=True)
    x = trace.array(np.ones(10))
    x.copy()
    table = price(trace, "jouppi-7nm-hbm2")
    # 10 float64, there from the start at distance 80, are copied; nothing else, and no flops
    assert table[["level", "bytes_read", "bytes_written"]].to_numpy().tolist() == [
        ["sram-8k", 80, 80]
    ]


@pytest.mark.parametrize("name", sorted(profiles()))
def test_every_profile_prices_it(name):
    table = price(recorded(3), name)
    (energy,) = (column for column in map(str, table) if column.startswith("energy_"))
    assert (table[energy] > 0).any()
    assert table["bytes_read"].sum() >= 48


def test_a_profile_is_a_name_a_path_or_a_profile(tmp_path):
    chip = tmp_path / "chip.toml"
    chip.write_text(
        '[sources]\nmine = "mine"\n[profiles.chip]\nbased_on = "dally-wire"\ntitle = "chip"\n'
    )
    tables = [price(recorded(3), one) for one in (chip, str(chip), load_profile(chip))]
    assert tables[0].equals(tables[1])
    assert tables[0].equals(tables[2])


def test_what_cannot_be_priced_is_said():
    with pytest.raises(ProfileError, match="no-such-chip"):
        price(recorded(3), "no-such-chip")
    with pytest.raises(ProfileError, match="a text or a path, not by None"):
        price(recorded(3), None)
    with pytest.raises(instrumented.InstrumentError, match="record at least 3"):
        price(recorded(2), "jouppi-7nm-hbm2")
    with pytest.raises(instrumented.InstrumentError, match="record=True"):
        price(instrumented.Trace(), "jouppi-7nm-hbm2")
