"""Tables of the map: where Forward-Forward is cheaper, and what every chip says."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import pandas as pd

from ffenergy.costs.map import MIB, rows
from ffenergy.costs.network import Network
from ffenergy.costs.verdicts import Verdict
from ffenergy.energy import Profile
from ffenergy.report.columns import Column, Table
from ffenergy.report.columns import table as laid_out
from ffenergy.report.numbers import MISSING, between, fixed, prefixed
from ffenergy.rules.registry import BACKPROP, FORWARD_FORWARD

OPTIMIZERS: Final = {"sgd": "SGD", "momentum": "momentum", "adam": "Adam"}
TITLES: Final = OPTIMIZERS | {"adamw": "AdamW"}  # a run may have it; the whole map does not
SHORT: Final = {
    Verdict.RULE_PROVEN: "FF *",
    Verdict.RULE_MEASURED: "FF m",
    Verdict.RULE_KNOWN: "FF",
    Verdict.UNDECIDED: "?",
    Verdict.BP_KNOWN: "BP",
    Verdict.BP_MEASURED: "BP m",
    Verdict.BP_PROVEN: "BP *",
}
"""Winners in few letters: * proven, m measured, ? undecided."""
# Dark is proven, light is not; backprop's are hatched, so the two differ without colours too.
COLOURS: Final = {
    Verdict.RULE_PROVEN: "#B34700",
    Verdict.RULE_MEASURED: "#E07B39",
    Verdict.RULE_KNOWN: "#F6C59B",
    Verdict.UNDECIDED: "#FFFFFF",
    Verdict.BP_KNOWN: "#BFDDF2",
    Verdict.BP_MEASURED: "#5FA8D8",
    Verdict.BP_PROVEN: "#0B5C94",
}
HATCHED: Final = (Verdict.BP_KNOWN, Verdict.BP_MEASURED, Verdict.BP_PROVEN)
LEGEND: Final = {
    Verdict.RULE_PROVEN: "FF cheaper, proven",
    Verdict.RULE_MEASURED: "FF cheaper, measured",
    Verdict.RULE_KNOWN: "FF cheaper, best known orders",
    Verdict.UNDECIDED: "undecided",
    Verdict.BP_KNOWN: "BP cheaper, best known orders",
    Verdict.BP_MEASURED: "BP cheaper, measured",
    Verdict.BP_PROVEN: "BP cheaper, proven",
}
WITHOUT_SIZE: Final = MIB
"""On-chip bytes of a profile that knows only distances."""


def where_cheaper(table: pd.DataFrame, layer_sizes: str, profile: Profile) -> Table:
    """A row per batch size; per optimiser the sizes of a proven win and the least ratio."""
    found = table[
        (table["rule"] == FORWARD_FORWARD)
        & (table["layer_sizes"] == layer_sizes)
        & (table["profile"] == profile.name)
    ]
    shown = [Column("batch", "batch")]
    body: dict[str, list[str]] = {"batch": [f"{n:,}" for n in sorted(set(found["batch_size"]))]}
    for optimizer, own in found.groupby("optimizer", sort=False):
        name = str(optimizer)
        shown += [
            Column(f"{name} proven", TITLES[name]),
            Column(f"{name} least", "least ratio at"),
        ]
        batches = [one for _, one in own.groupby("batch_size")]
        body[f"{name} proven"] = [_proven(one) for one in batches]
        body[f"{name} least"] = [_least(one) for one in batches]
    return laid_out(
        "map",
        f"{layer_sizes}, {profile.name}: MiB on the chip where FF (Forward-Forward) is proven to"
        " spend less energy than BP (backprop), and the least FF ÷ BP",
        "map.csv",
        shown,
        pd.DataFrame(body),
    )


def chips(network: Network, profiles: Sequence[Profile], width: float = math.inf) -> Table:
    """Every chip at its own on-chip size: two to a line where `width` letters hold them."""
    cells = []
    for profile in profiles:
        sizes = profile.capacities_bytes
        own = sizes[-1] if sizes else WITHOUT_SIZE
        one = rows([network], [own], [profile], [FORWARD_FORWARD]).iloc[0]
        cells.append(
            [
                profile.name,
                _mib(own),
                f"{one['ratio_to_backprop']:.2f} ({between(one['ratio_low'], one['ratio_high'])})",
                SHORT[Verdict(one["energy_winner"])],
            ]
        )
    headings = ["chip", "MiB", "FF÷BP", "cheaper"]
    half = -(-len(cells) // 2)
    sides = [cells[:half], cells[half:]]
    columns = [column for part in sides for column in zip(headings, *part, strict=True)]
    if sum(2 + max(map(len, column)) for column in columns) - 2 > width:
        half, sides = len(cells), [cells]
    shown, body = [], {}
    for side, part in enumerate(sides):
        part += [[""] * len(headings)] * (half - len(part))
        for number, heading in enumerate(headings):
            key = f"{heading} {side}"
            shown.append(Column(key, heading, number=0 < number < len(headings) - 1))
            body[key] = [one[number] for one in part]
    layer_sizes = "-".join(map(str, network.layer_sizes))
    return laid_out(
        "chips",
        f"Every chip at its own size, {layer_sizes}, {network.optimizer}, batch"
        f" {network.batch_size} (90 % of draws)",
        "map.csv",
        shown,
        pd.DataFrame(body),
    )


def by_regime(table: pd.DataFrame, network: Network, profile: Profile) -> Table:
    """Forward-Forward and backprop as they run, well built and at the least, by on-chip size."""
    unit = "J" if profile.result_unit == "joules" else "MAC"
    rows = []
    for (regime, _, scenario), own in table.groupby(
        ["regime", "on_chip_bytes", "scenario"], sort=False
    ):
        ours, theirs = (
            own[own["algorithm"] == name].iloc[0] for name in (FORWARD_FORWARD, BACKPROP)
        )
        rows.append(
            {
                "regime": regime,
                "size": _mib(float(ours["on_chip_bytes"])),
                "scenario": scenario,
                "order": _order(ours),
                "ff": ours["energy"],
                "bp": theirs["energy"],
                "ratio": ours["ratio_to_backprop"],
                "ends": between(ours["ratio_low"], ours["ratio_high"]),
                "managed": ours["managed_ratio_to_backprop"],
                "ff off": ours["off_chip_bytes"],
                "bp off": theirs["off_chip_bytes"],
            }
        )
    shown = [
        Column("regime", "regime", number=False),
        Column("scenario", "scenario", number=False),
        Column("size", "MiB"),
        Column("order", "FF's order", number=False),
        Column("ff", "FF", unit, prefixed(), family="energy"),
        Column("bp", "BP", unit, prefixed(), family="energy"),
        Column("ratio", "FF÷BP", form=fixed(2)),
        Column("managed", "managed", form=fixed(2)),
        Column("ff off", "FF off chip", "B", prefixed(), family="off"),
        Column("bp off", "BP off chip", "B", prefixed(), family="off"),
        Column("ends", "FF÷BP, 90 % of draws"),
    ]
    layer_sizes = "-".join(map(str, network.layer_sizes))
    caption = f"{layer_sizes}, {network.optimizer}, batch {network.batch_size}, {profile.name}: a"
    return laid_out("regimes", f"{caption} batch", "regimes.csv", shown, pd.DataFrame(rows))


def _order(row: pd.Series[Any]) -> str:
    if pd.isna(row["in_flight"]):
        return "any"
    groups = f", {row['in_flight']} in {row['groups']}" if row["in_flight"] > 1 else ""
    return f"{row['order']}{groups}"


def _proven(places: pd.DataFrame) -> str:
    """Ranges of neighbouring sizes."""
    found: list[list[float]] = []
    before = False
    for size, winner in zip(places["on_chip_bytes"], places["energy_winner"], strict=True):
        proven = winner == Verdict.RULE_PROVEN
        if proven and before:
            found[-1][1] = size
        elif proven:
            found.append([size, size])
        before = proven
    return ", ".join(f"{_mib(low)}–{_mib(high)}" for low, high in found) or MISSING


def _least(places: pd.DataFrame) -> str:
    least = places.sort_values("ratio_to_backprop", kind="stable").iloc[0]
    return f"{least['ratio_to_backprop']:.2f} at {_mib(least['on_chip_bytes'])}"


def _mib(nbytes: float) -> str:
    return f"{nbytes / MIB:.2g}" if nbytes < MIB else f"{nbytes / MIB:.3g}"
