"""The table that a sweep prints: settings, and Forward-Forward's costs over backprop's."""

from __future__ import annotations

import pandas as pd

from ffenergy.report.display import Shown
from ffenergy.report.style import SHORT_NAMES
from ffenergy.sweeps.step_grids import swept

RATIOS = {
    "bytes_ratio_to_bp": "bytes / bp",
    "bytedmd_tile_ratio_to_bp": "ByteDMD / bp",
    "energy_ratio_to_bp": "energy / bp",
}


def shown(table: pd.DataFrame) -> Shown:
    """A row per combination, algorithm and accounting; ratios are empty without backprop."""
    axes = swept(table)
    moved = table["bytes_read"] + table["bytes_written"]
    rows = [
        [
            *(f"{row[name]}" for name in axes),
            SHORT_NAMES.get(row["algorithm"], row["algorithm"]),
            row["accounting"],
            _told(total, 1e6, ",.2f"),
            _told(row["bytedmd_tile"], 1e9, ",.2f"),
            *(_told(row[name], 1, ".3f") for name in RATIOS),
        ]
        for row, total in zip(table.to_dict("records"), moved, strict=True)
    ]
    headings = [*axes, "algorithm", "accounting", "MB moved", "ByteDMD 10⁹", *RATIOS.values()]
    return Shown("One training step per row (MB = 10⁶ bytes)", headings, rows)


def _told(value: float, unit: float, form: str) -> str:
    """Format a figure in its unit; one that is missing leaves its place empty."""
    return "" if pd.isna(value) else format(value / unit, form)
