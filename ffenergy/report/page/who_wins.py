"""Data of the page's map: who spends less, for other chips, networks and optimisers.

The places are those of ``map.csv``: each rule in its best order, closed forms, nothing measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from ffenergy.costs.map import BATCHES, Contest, contests, on_chip_sizes
from ffenergy.costs.network import Network
from ffenergy.costs.verdicts import SCALE, Verdict
from ffenergy.energy import PricingError, Profile
from ffenergy.report.map_table import COLOURS, LEGEND, OPTIMIZERS, TITLES

WIDTHS: Final = (500, 1000, 2000)
PROVEN: Final = (Verdict.RULE_PROVEN, Verdict.BP_PROVEN)
DIGITS: Final = 2


def payload(network: Network, known: Iterable[Profile]) -> dict[str, Any]:
    """Everything the script needs, ready for JSON, under the ``known`` profiles that price float32.

    ``network`` is the run's, beside networks of as many layers of `WIDTHS` units. ``places`` are by
    profile, network and optimiser: per batch size, on-chip sizes one by one, ``winner`` (a
    digit each, a place in ``verdicts``) and FF ÷ BP with the ends of 90 % of draws.
    """
    profiles = list(filter(_prices_floats, known))
    sizes = on_chip_sizes()
    batches = sorted({*BATCHES, network.batch_size})
    layers = list(_networks(network))
    optimizers = [*OPTIMIZERS, *{network.optimizer} - {*OPTIMIZERS}]
    places: dict[str, Any] = {profile.name: {} for profile in profiles}
    for layer_sizes in layers:
        for optimizer in optimizers:
            other = network.replace(layer_sizes=layer_sizes, optimizer=optimizer)
            found = [other.replace(batch_size=batch) for batch in batches]
            for profile, one in zip(profiles, contests(found, sizes, profiles), strict=True):
                of_profile = places[profile.name].setdefault(_name(layer_sizes), {})
                of_profile[optimizer] = _short(one)
    return {
        "sizes": sizes,
        "batches": batches,
        "networks": list(map(_name, layers)),
        "optimizers": [[name, TITLES[name]] for name in optimizers],
        "profiles": [[profile.name, profile.title] for profile in profiles],
        "verdicts": [[LEGEND[one], COLOURS[one], one in PROVEN] for one in SCALE],
        "own": {"network": _name(network.layer_sizes), "optimizer": network.optimizer},
        "places": places,
    }


def _prices_floats(profile: Profile) -> bool:
    try:
        profile.operations("float32")
    except PricingError:
        return False
    return True


def _networks(network: Network) -> Iterator[tuple[int, ...]]:
    """Layer sizes from narrow to wide, the run's own where its widest layer stands."""
    pixels, *hidden = network.layer_sizes
    others = {(pixels, *[width] * len(hidden)) for width in WIDTHS}
    yield from sorted({*others, network.layer_sizes}, key=lambda one: (max(one[1:]), sum(one)))


def _name(layer_sizes: Sequence[int]) -> str:
    return "-".join(map(str, layer_sizes))


def _short(contest: Contest) -> dict[str, Any]:
    """Winners as digits; ratio, low, high with the digits that are shown."""
    ends = zip(contest.ratio.flat, contest.low.flat, contest.high.flat, strict=True)
    return {
        "winner": "".join(map(str, contest.winner.flat)),
        "ratio": [[round(float(number), DIGITS) for number in one] for one in ends],
    }
