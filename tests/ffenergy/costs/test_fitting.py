"""The order chosen in closed form for a chip, held against orders that are tried."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import pandas as pd
import pytest

from ffenergy.costs.best_orders import RECORDED
from ffenergy.costs.fitting import fitting, in_flight, lru_order, with_best_order
from ffenergy.costs.network import Network, layers_of
from ffenergy.costs.rehearsal import Workload, rehearse
from ffenergy.costs.step_costs import reading_costs
from ffenergy.energy import Profile, load_profile
from ffenergy.errors import SettingsError
from ffenergy.settings import Settings

KIB = 2**10
REPORTS = Path(__file__).parents[3] / "reports"
SETTINGS = Settings.from_preset("quick").replace(
    layer_sizes="64,96,96,96", batch_size=10, normalize_as="deferred", gradient="at-once"
)
IMAGES = 80
GROUPS = ("1,1,1", "1,2", "2,1")


@cache
def moved(settings: Settings) -> pd.DataFrame:
    """Bytes that fused training steps move in a scratchpad, and how far; per sample."""
    rehearsal = rehearse("ff", Workload(settings, IMAGES, 0), lambda kind: int(kind.trains_layers))
    (one,) = [k for k in rehearsal.kinds if k.kind.trains_layers and not k.kind.short]
    costs = reading_costs(rehearsal.record(one, RECORDED), "fused", "scratchpad")
    table = costs.analyses["fused", "scratchpad", "tile"].table
    far = table["distance"].replace(-1, 2**62)
    nbytes = (table["bytes_read"] + table["bytes_written"]) / one.kind.samples
    return pd.DataFrame({"distance": far, "nbytes": nbytes})


def beyond(settings: Settings, nbytes: int) -> float:
    """Bytes that a sample moves beyond a scratchpad."""
    table = moved(settings)
    return float(table.loc[table["distance"] > nbytes, "nbytes"].sum())


def chip(nbytes: int) -> Profile:
    """TPUv4i with another memory on the chip, and none below it."""
    profile = load_profile("tpuv4i")
    levels = profile.levels[1:]
    capacity = levels[0].capacity
    assert capacity is not None
    smaller = replace(capacity, value=nbytes / 2**20)
    return replace(profile, levels=(replace(levels[0], capacity=smaller), *levels[1:]))


TRIED = [SETTINGS] + [
    SETTINGS.replace(order="layer-major", in_flight=batches, layer_groups=groups)
    for batches in (2, 4, 8)
    for groups in GROUPS
]


def best_tried(size: int) -> Settings:
    """The order that moves the fewest bytes beyond a scratchpad of this size."""
    return min(TRIED, key=lambda one: beyond(one, size))


@pytest.mark.slow
@pytest.mark.parametrize("size", [kib * KIB for kib in (128, 192, 224, 256, 288, 320, 352, 512)])
def test_the_chosen_order_moves_hardly_more_than_the_best_that_is_tried(size: int) -> None:
    chosen = with_best_order(SETTINGS, ["ff"], chip(size), IMAGES)
    least = beyond(best_tried(size), size)
    without = beyond(SETTINGS, 64 * KIB)  # where no layer fits
    assert beyond(chosen, size) <= 1.05 * least + 0.01 * without


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kib", "batches", "groups", "times"),
    [
        (64, 8, "1,1,1", 1.22),  # no layer fits: chosen is step-major order
        (320, 8, "2,1", 1.0),
        (352, 4, "2,1", 1.035),
        (384, 2, "1,2", 1.81),  # all layers nearly fit
    ],
)
def test_where_fewer_batches_in_flight_or_other_groups_would_move_less(
    kib: int, batches: int, groups: str, times: float
) -> None:
    best, size = best_tried(kib * KIB), kib * KIB
    assert (best.in_flight, best.layer_groups) == (batches, groups)
    chosen = with_best_order(SETTINGS, ["ff"], chip(size), IMAGES)
    assert beyond(chosen, size) == pytest.approx(times * beyond(best, size), rel=0.005)


def test_groups_by_hand() -> None:
    network = Network((64, 96, 96, 96), 10)
    # with Adam 75, 112 and 112 kB; activities of 20 rows 5 and 8 kB, micro-tiles of 3 KiB:
    # two layers take 187 + 20 + 3 = 210 kB; 224 KiB are 229. The last two, 250, fit into 320 KiB
    # too, but are larger than the first two
    found = {
        kib: fitting("ff", network, kib * KIB, stored_gradient=False)
        for kib in (64, 128, 224, 320, 512)
    }
    assert found == {
        64: None,
        128: ((1,), (2,), (3,)),
        224: ((1, 2), (3,)),
        320: ((1, 2), (3,)),
        512: None,
    }
    assert fitting("bp", network, 224 * KIB, stored_gradient=False) is None


def test_batches_in_flight_leave_a_twentieth() -> None:
    network = Network((64, 96, 96, 96), 10)
    groups = ((1,), (2,), (3,))
    # images 3 · 2560, two cuts of 2 · 7680: 38,400 bytes; state in and out 2 · 298,368
    wanted = 311
    found = in_flight("ff", network, 224 * KIB, groups, stored_gradient=False, batches=10**6)
    assert found == wanted
    assert in_flight("ff", network, 224 * KIB, groups, stored_gradient=False, batches=40) == 40


def test_no_order_is_chosen_for_what_has_none() -> None:
    with pytest.raises(SettingsError, match="no layer-major order is known of bp"):
        with_best_order(SETTINGS, ["bp"], chip(256 * KIB), IMAGES)
    with pytest.raises(SettingsError, match="dally-wire has no memory of known size"):
        with_best_order(SETTINGS, ["ff"], load_profile("dally-wire"), IMAGES)


COUNTED = {
    "map/regimes": (100, "adam"),
    **{f"map-small-batches/{o}-{b}": (b, o) for o in ("sgd", "adam") for b in (1, 10)},
}


@pytest.mark.parametrize("name", COUNTED)
def test_an_lru_moves_what_counted_programs_move(name: str) -> None:
    """Well built programs in a scratchpad, of committed reports: within 7 %, 12 % where near.

    Near: a layer's weights fill nine tenths of the chip; there the order may differ too. Where
    everything all but fits, a few tiles decide, and layers taken whole say nothing of them.
    """
    batch, optimizer = COUNTED[name]
    network = Network((784, *[1000] * 4), batch, optimizer)
    layers = layers_of("bp", network)
    table = pd.read_csv(REPORTS / f"{name}.csv")
    held = 0
    for row in table[table["scenario"] == "well built"].to_dict("records"):
        size, counted = row["on_chip_bytes"], row["off_chip_bytes"]
        if 0.9 * size < sum(layers.states) < size:
            continue
        flying = int(row["in_flight"]) if row["order"] == "layer-major" else 1
        found = lru_order(row["algorithm"], network, size, batches=flying)
        assert found is not None
        near = 0.9 * size < max(layers.weights) < size
        assert found.nbytes == pytest.approx(counted, rel=0.12 if near else 0.07), row
        assert near or found.order == row["order"]
        held += 1
    assert held >= 4


def test_a_step_that_is_put_off_by_hand() -> None:
    """784-1000-1000, SGD, one image, 128 KiB: weights of 3,140,000 and 4,004,000 B do not fit.

    Three images of 3,136 B; two rows of 1,000 units out and in once, 2 · 8,000; all weights in and
    out, 2 · 7,144,000; and of eight batches the first goes forward alone, 7,144,000 / 8.
    """
    found = lru_order("ff", Network((784, 1000, 1000), 1, "sgd"), 128 * KIB)
    assert found is not None
    assert (found.order, found.ways, found.in_flight) == ("layer-major", ("visit",) * 2, 8)
    assert found.nbytes == 9_408 + 16_000 + 14_288_000 + 893_000


def test_an_lru_by_hand() -> None:
    """One layer of 2x3 and biases, SGD in float64: 72 B of weights, batches of one image.

    Two rows of inputs take 32 B, of activities and of deltas 48 B each. The gradient reads the
    inputs after 72 + 48 + 48 other bytes, and the update the weights after 48 + 48 + 32: in 200 B
    all stay, also from batch to batch; in 199 B both have gone out and come back.
    """
    network = Network((2, 3), 1, "sgd", itemsize=8)
    weights, images = layers_of("ff", network).weights[0], layers_of("ff", network).images
    assert weights == 72
    found = [lru_order("ff", network, size) for size in (199, 200)]
    assert [one and one.nbytes - images for one in found] == [2 * 32 + 2 * 72, 0]
