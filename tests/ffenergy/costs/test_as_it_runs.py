"""Energies that the instrument counted, on a chip of any size."""

from __future__ import annotations

import pandas as pd
import pytest

from ffenergy.costs import as_it_runs
from ffenergy.costs.network import Network
from ffenergy.costs.prices import COLUMNS, Prices
from ffenergy.energy import PricingError, load_profile

JOUPPI = load_profile("jouppi-7nm-hbm2")
NETWORK = Network((784, 10), 1)


def made(misses):
    tables = {name: pd.DataFrame(columns=list(columns)) for name, columns in COLUMNS.items()}
    tables["misses"] = pd.DataFrame(misses, columns=list(COLUMNS["misses"]))
    tables["work"] = pd.DataFrame(
        [["bp", "train", "layer1", "forward", "weight", "float32", 10, 20, 0]],
        columns=list(COLUMNS["work"]),
    )
    return Prices((JOUPPI.name,), **tables)


def test_an_energy_by_hand():
    def row(capacity, read, written, accounting="eager", memory="cache", grain="tile"):
        found = dict.fromkeys(COLUMNS["misses"], 0)
        found |= {"algorithm": "bp", "step": "train", "accounting": accounting, "grain": grain}
        found |= {"memory": memory, "capacity_bytes": capacity}
        return found | {"bytes_read": read, "bytes_written": written}

    prices = made(
        [
            row(2**15, 700, 300),  # beyond the inner buffer: 1000 bytes
            row(2**22, 300, 100),  # beyond 4 MiB: 400
            row(2**22, 9, 9, accounting="fused"),
            row(2**22, 9, 9, memory="scratchpad"),
            row(2**22, 9, 9, grain="operation"),
        ]
    )
    found = as_it_runs.energies(prices, NETWORK, JOUPPI)
    assert found["on_chip_bytes"].tolist() == [2**22]
    # 10 · 0.38 + 20 · 1.31 pJ; 600 bytes at 1.75 √4, 400 at 43.75
    energy = 1e-12 * (3.8 + 26.2 + 600 * 3.5 + 400 * 43.75)
    assert found["energy_bp"].iloc[0] == pytest.approx(energy)
    assert found["energy_unit"].tolist() == ["joules"]


def test_without_the_inner_buffer_there_is_no_figure():
    with pytest.raises(PricingError, match="misses 32768 bytes"):
        as_it_runs.energies(made([]), NETWORK, JOUPPI)
