"""The worked example of docs/metric.md §7 "How far the bytes travel" to §11: every figure by hand.

One step is ``t = x * w; x = t + x`` on four float32 each (16 bytes), in one fusion scope.
Steady state, stack from the top: before the product x, w (depths 16 and 32 bytes); before the
sum t, w, x (t at 16, x at 48). Then t and the old x are dead and the new x is on top.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ffenergy.costs.decomposition import of_run
from ffenergy.costs.prices import Prices
from ffenergy.costs.rehearsal import Recording
from ffenergy.costs.run_costs import PricedKind, tabulate
from ffenergy.costs.step_costs import step_costs
from ffenergy.costs.step_kinds import StepKind
from ffenergy.energy import Profile, parse_profiles
from instrumented import Trace

PROFILE = """
[sources]
hand = "by hand"
[profiles.toy]
title = "toy"
process = "none"
convention = "none"
energy_unit = "{unit}"
{kind}
[profiles.toy.compute.float32]
add = {{ value = 1, unit = "{unit}", source = "hand", certainty = "assumed", note = "-" }}
multiply = {{ value = 2, unit = "{unit}", source = "hand", certainty = "assumed", note = "-" }}
special = {{ value = 9, unit = "{unit}", source = "hand", certainty = "assumed", note = "-" }}
"""
LEVELS = """
[[profiles.toy.levels]]
name = "near"
capacity = {{ value = 32, unit = "B", source = "hand", certainty = "assumed", note = "-" }}
read = {{ value = 1, unit = "{unit}/B", source = "hand", certainty = "assumed", note = "-" }}
write = {{ value = 1, unit = "{unit}/B", source = "hand", certainty = "assumed", note = "-" }}
[[profiles.toy.levels]]
name = "far"
read = {{ value = 10, unit = "{unit}/B", source = "hand", certainty = "assumed", note = "-" }}
write = {{ value = 10, unit = "{unit}/B", source = "hand", certainty = "assumed", note = "-" }}
"""
WIRE = """
[profiles.toy.wire]
transport = { value = 1, unit = "pJ/B/mm", source = "hand", certainty = "assumed", note = "-" }
access_read = { value = 1, unit = "pJ/B", source = "hand", certainty = "assumed", note = "-" }
access_write = { value = 1, unit = "pJ/B", source = "hand", certainty = "assumed", note = "-" }
area = { value = 1, unit = "mm2/B", source = "hand", certainty = "assumed", note = "-" }
distance_factor = { value = 1, unit = "1", source = "hand", certainty = "assumed", note = "-" }
"""
TOTAL = 'level_energy = "total"'


def levels_profile(unit: str) -> Profile:
    text = (PROFILE + LEVELS).format(unit=unit, kind=TOTAL)
    return parse_profiles(text, "toy.toml")["toy"]


def wire_profile() -> Profile:
    return parse_profiles(PROFILE.format(unit="pJ", kind="") + WIRE, "toy.toml")["toy"]


def recorded(act: Callable[[Trace, int], None], trace: Trace) -> Recording:
    for number in range(3):
        with trace.step("train"), trace.scope(layer="layer1", phase="forward", makes="temporary"):
            act(trace, number)
    kind = StepKind("train", samples=4)
    return Recording(kind, "digest", 2, trace.events, trace.buffers)


@pytest.fixture(scope="module")
def example() -> Recording:
    trace = Trace(strict=True, record=True)
    x, w = (trace.array(np.ones(4, np.float32), role="weight", name=name) for name in "xw")
    fusion = trace.fuse("example")

    def act(trace: Trace, number: int) -> None:
        with fusion:
            t = x * w
            np.add(t, x, out=x)

    return recorded(act, trace)


def priced(recording: Recording, profile: Profile, steps: int = 5) -> Prices:
    kind = PricedKind(
        "ff", recording.kind, recording.digest, recording.operations, steps, step_costs(recording)
    )
    return tabulate([kind], [profile], whole_run=True, memory="scratchpad")


def of(table: pd.DataFrame, accounting: str, grain: str = "tile") -> pd.DataFrame:
    scratchpad = table["memory"] == "scratchpad"
    return table[(table["accounting"] == accounting) & (table["grain"] == grain) & scratchpad]


@pytest.mark.parametrize("grain", ["operation", "tile"])
def test_distances(example: Recording, grain: str) -> None:
    reuse = priced(example, levels_profile("pJ")).reuse
    eager, fused = of(reuse, "eager", grain), of(reuse, "fused", grain)
    # eager reads x, w, t, x at 16, 32, 16, 48; writes t, read at 16, and x, farthest read at 48
    assert eager["bytes_read"].sum() == 64
    bins = eager.groupby("distance_to_bytes")[["bytes_read", "bytes_written"]].sum()
    assert bins["bytes_read"].to_dict() == {16: 32, 32: 16, 64: 16}
    assert bins["bytes_written"].to_dict() == {16: 16, 32: 0, 64: 16}
    # per byte ceil(sqrt(depth)): bytes 1..16 cost 50, 17..32 cost 87, 33..48 cost 108
    assert eager["bytedmd"].sum() == 50 + 87 + 50 + 108
    # one kernel: x and w once, t never, the new x once
    assert fused[["bytes_read", "bytes_written", "bytedmd"]].sum().tolist() == [32, 16, 137]


def test_levels(example: Recording) -> None:
    levels = priced(example, levels_profile("pJ")).levels
    eager = of(levels, "eager").groupby("level")[["bytes_read", "bytes_written"]].sum()
    # a memory of 32 bytes serves depths 16, 32 and 16; x at depth 48 comes from afar
    assert eager.loc["near"].tolist() == [48, 16]
    assert eager.loc["far"].tolist() == [16, 16]
    assert set(of(levels, "fused")["level"]) == {"near"}
    capacity = levels.groupby("level")["capacity_bytes"].first()
    assert capacity["near"] == 32
    assert pd.isna(capacity["far"])


@pytest.mark.parametrize(("unit", "ending", "scale"), [("pJ", "joules", 1e-12), ("MAC", "macs", 1)])
def test_energy(example: Recording, unit: str, ending: str, scale: float) -> None:
    energy = priced(example, levels_profile(unit)).energy
    names = [f"energy_{what}_{ending}" for what in ("compute", "read", "written")]
    # 4 multiplications and 4 additions: 4 x 2 + 4 x 1 = 12; reads 48 x 1 + 16 x 10;
    # writes t 16 x 1 and x, which goes out because it is read at 48, 16 x 10
    assert of(energy, "eager")[names].sum().tolist() == pytest.approx(
        [12 * scale, 208 * scale, 176 * scale]
    )
    assert of(energy, "fused")[names].sum().tolist() == pytest.approx(
        [12 * scale, 32 * scale, 16 * scale]
    )
    if ending == "macs":
        assert energy["energy_compute_joules"].isna().all()


def test_wire(example: Recording) -> None:
    energy = of(priced(example, wire_profile()).energy, "eager")
    assert set(energy["component"]) == {"compute", "wire"}
    # 1 pJ for the cell and sqrt(depth) mm of wire a byte: reads at 16, 32, 16, 48; writes at 16, 48
    read = 64 + 16 * (4 + 32**0.5 + 4 + 48**0.5)
    assert energy["energy_read_joules"].sum() == pytest.approx(read * 1e-12)
    assert energy["energy_written_joules"].sum() == pytest.approx((32 + 16 * (4 + 48**0.5)) * 1e-12)


def test_wire_places_what_is_never_read_at_zero_and_cold_at_the_footprint() -> None:
    trace = Trace(strict=True, record=True)
    out = trace.array(np.zeros(12, np.float32), role="temporary", name="out")
    x = trace.array(np.ones(4, np.float32), role="weight", name="x")

    def act(trace: Trace, number: int) -> None:
        np.negative(x, out=out[4 * number : 4 * number + 4])  # there at the end, read by no one
        np.negative(x)  # dead at once

    costs = priced(recorded(act, trace), wire_profile())
    eager = of(costs.energy, "eager")
    reuse = of(costs.reuse, "eager").groupby("distance_to_bytes")["bytes_written"].sum()
    assert reuse[reuse > 0].to_dict() == {-1: 16, 0: 16}
    footprint = int(costs.peak["peak_live_bytes"][0])
    written = 16 * (1 + footprint**0.5) + 16 * 1
    assert eager["energy_written_joules"].sum() == pytest.approx(written * 1e-12)


def test_misses(example: Recording) -> None:
    misses = of(priced(example, levels_profile("pJ")).misses, "eager")
    # everything lies within 48 bytes, so the smallest memory of the curve holds it
    assert misses[["capacity_bytes", "bytes_read", "bytes_written"]].to_numpy().tolist() == [
        [1024, 0, 0]
    ]


def test_live_memory(example: Recording) -> None:
    prices = priced(example, levels_profile("pJ"))
    peak = prices.peak.set_index("accounting")["peak_live_bytes"]
    # x and w; t while it lives, if it does
    assert peak.to_dict() == {"eager": 48, "fused": 32}
    alive = prices.alive[prices.alive["accounting"] == "eager"]
    assert alive.groupby("role")["bytes"].sum().to_dict() == {"temporary": 16, "weight": 32}
    live = prices.live[prices.live["accounting"] == "eager"]
    assert live["temporary"].tolist() == [16, 16]


def test_runs_past_two_to_the_63_are_exact() -> None:
    steps = pd.DataFrame({"algorithm": ["ff"], "step": ["train"], "steps": [2**30 + 1]})
    table = pd.DataFrame({"algorithm": ["ff"], "step": ["train"], "value": [2**40 + 1]})
    assert of_run(table, steps)["value"].tolist() == [(2**30 + 1) * (2**40 + 1)]


def test_a_step_kind_may_belong_to_several_algorithms(example: Recording) -> None:
    costs = step_costs(example)
    kind = PricedKind("ff", example.kind, "digest", 2, 5, costs)
    prices = tabulate(
        [kind, replace(kind, algorithm="random")], [levels_profile("pJ")], whole_run=True
    )
    sums = of(prices.reuse, "eager").groupby("algorithm")["bytes_read"].sum()
    assert sums.to_dict() == {"ff": 64, "random": 64}
