"""How many weights a visit holds (`--gradient one-visit`): energy of a batch by size of the block.

    python -m benchmarks.one_visit [--layer-sizes 784,1000,1000,1000,1000] [--batch-size 100]

Prints millijoules of a batch of backprop, and of Forward-Forward with eight batches in flight, with
1 to 16 MiB on the chip (scratchpad, fused, normalisation deferred, the headline profile). The first
row of each rule is of the gradient consumed at once, without the visit.
"""

from __future__ import annotations

import argparse

import pandas as pd

from ffenergy.costs import as_it_runs
from ffenergy.costs.best_orders import ACCOUNTING, MEMORY, RECORDED
from ffenergy.costs.fitting import MOST_IN_FLIGHT
from ffenergy.costs.network import network_of
from ffenergy.costs.rehearsal import Workload, rehearse
from ffenergy.costs.run_costs import PricedKind, of_a_batch, tabulate
from ffenergy.costs.step_costs import reading_costs
from ffenergy.energy import Profile, choose_profiles
from ffenergy.network import dense
from ffenergy.settings import Settings

MIB = (1, 2, 4, 8, 16)


def joules(algorithm: str, settings: Settings, profile: Profile) -> pd.Series[float]:
    """Return the energy of a batch by bytes on the chip."""
    rehearsal = rehearse(
        algorithm,
        Workload(settings, 60_000, 0),
        lambda kind: int(kind.trains_layers and not kind.short),
    )
    (found,) = (one for one in rehearsal.kinds if one.kind.trains_layers and not one.kind.short)
    costs = reading_costs(rehearsal.record(found, RECORDED), ACCOUNTING, MEMORY)
    signature, steps = found.signature, of_a_batch(found.kind, settings)
    operations = len(signature.program)
    kind = PricedKind(algorithm, found.kind, signature.digest, operations, steps, costs)
    prices = tabulate([kind], [profile], whole_run=False, memory=MEMORY)
    network = network_of(settings)
    assert network is not None  # dense layers
    spent = as_it_runs.energies(prices, network, profile, ACCOUNTING, MEMORY)
    return spent.set_index("on_chip_bytes")[f"energy_{algorithm}"]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--layer-sizes", default="784,1000,1000,1000,1000")
    parser.add_argument("--batch-size", type=int, default=100)
    parser.add_argument("--optimizer", default="adam")
    parser.add_argument("--blocks", default="8192,16384,32768,65536,131072")
    given = parser.parse_args()
    usual = Settings.from_preset("best").replace(
        layer_sizes=given.layer_sizes,
        batch_size=given.batch_size,
        optimizer=given.optimizer,
        normalize_as="deferred",
    )
    orders = {"bp": usual, "ff": usual.replace(order="layer-major", in_flight=MOST_IN_FLIGHT)}
    profile = choose_profiles(())[0].profile
    print(f"{'':4}{'elements':>10}" + "".join(f"{size:>7} MiB" for size in MIB))
    for algorithm, settings in orders.items():
        for block in [None, *map(int, given.blocks.split(","))]:
            dense.VISITED = block or dense.VISITED
            gradient = dense.ONE_VISIT if block else dense.AT_ONCE
            spent = joules(algorithm, settings.replace(gradient=gradient), profile)
            row = [1000 * spent[spent.index <= size * 2**20].iloc[-1] for size in MIB]
            name = f"{block:,}" if block else "at once"
            print(f"{algorithm:4}{name:>10}" + "".join(f"{mj:11.2f}" for mj in row), flush=True)


if __name__ == "__main__":
    main()
