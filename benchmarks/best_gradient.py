"""How often each treatment of the gradient is a rule's cheapest, one batch after the other.

    python -m benchmarks.best_gradient

Three networks, batches of 1, 10 and 100, SGD and Adam, HBM2 and LPDDR4, every on-chip size from
64 KiB up that `misses.csv` has. Prints cases won, and by how much at most.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import product

import pandas as pd

from benchmarks.one_visit import joules
from ffenergy.energy import choose_profiles
from ffenergy.network.dense import GRADIENTS
from ffenergy.settings import Settings

NETWORKS = ("784,100,100", "784,500,500,500", "784,250,250,250,250")
PROFILES = ("jouppi-7nm-hbm2", "edge-7nm-lpddr4")
SMALLEST = 2**16


def main() -> None:
    profiles = [one.profile for one in choose_profiles(PROFILES)]
    won: dict[str, list[float]] = defaultdict(list)
    cases = product(NETWORKS, (1, 10, 100), ("sgd", "adam"), profiles, ("bp", "ff"))
    for sizes, batch, optimizer, profile, rule in cases:
        usual = Settings.from_preset("best").replace(
            layer_sizes=sizes, batch_size=batch, optimizer=optimizer, normalize_as="deferred"
        )
        spent = pd.DataFrame(
            {
                f"{rule}, activations {activations}, gradient {gradient}": joules(
                    rule, usual.replace(bp_activations=activations, gradient=gradient), profile
                )
                for activations in (("stored", "recomputed") if rule == "bp" else ("stored",))
                for gradient in GRADIENTS
            }
        )
        for _, row in spent[spent.index >= SMALLEST].dropna().iterrows():
            first, second = row.nsmallest(2)
            won[str(row.idxmin())].append(second / first - 1)
    for way, gains in sorted(won.items()):
        print(f"{way}: cheapest {len(gains):,} times, by {100 * max(gains):.1f} % at most")


if __name__ == "__main__":
    main()
