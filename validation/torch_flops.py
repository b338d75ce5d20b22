"""Matrix flops of one Forward-Forward and one backprop step against PyTorch's FlopCounterMode.

The same steps are written in PyTorch: products by its operators, gradients by its autograd, flops
by its own counter. Here they are the products of the recorded step of the real trainer, without
the blur of the masks, which is a product here and a convolution there. Equal as integers.

Needs PyTorch (extra ``validation``); the CPU is enough.
"""

from __future__ import annotations

import csv
import itertools
from collections.abc import Callable
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

from instrumented.books.events import Kind

FIGURES = Path(__file__).parent / "torch_flops.csv"
NETWORKS = ((784, 500, 500, 500), (784, 300, 300))
BATCH = 100
CLASSES = 10
IMAGES = 6000
NOT_COMPARED = "negatives"


@dataclass(frozen=True)
class Compared:
    """Matrix flops of one training step, here and by PyTorch."""

    step: str
    layer_sizes: str
    batch_size: int
    flops_here: int
    flops_torch: int


def figures(there: dict[str, Callable[[tuple[int, ...]], int]]) -> list[Compared]:
    """Compare every step; ``there`` counts a step of a network by PyTorch, or from memory."""
    return [
        Compared(name, "-".join(map(str, sizes)), BATCH, here(name, sizes), count(sizes))
        for name, count in there.items()
        for sizes in NETWORKS
    ]


def here(algorithm: str, layer_sizes: tuple[int, ...]) -> int:
    """Return the matrix flops of a recorded step of the real trainer."""
    from ffenergy.costs.rehearsal import Workload, rehearse
    from ffenergy.settings import Settings

    settings = Settings.from_preset("quick").replace(
        layer_sizes=layer_sizes, batch_size=BATCH, n_train=IMAGES
    )
    known = rehearse(algorithm, Workload(settings, IMAGES, 1000))
    kind = next(kind for kind in known.kinds if kind.kind.trains_layers)
    events = known.record(kind).events
    step = sorted({event.step for event in events if event.step >= 0})[1]
    return sum(
        event.work.flops
        for event in events
        if event.step == step and event.kind is Kind.MATMUL and event.phase != NOT_COMPARED
    )


def torch_backprop(layer_sizes: tuple[int, ...]) -> int:
    """Return the flops of one backprop step by FlopCounterMode."""
    import torch

    def step(weights: list[Any], images: Any) -> None:
        h = images
        for w in weights[:-1]:
            h = torch.relu(h @ w)
        loss = torch.nn.functional.cross_entropy(h @ weights[-1], torch.zeros(BATCH).long())
        loss.backward()

    return _counted(step, (*layer_sizes, CLASSES))


def torch_forward_forward(layer_sizes: tuple[int, ...]) -> int:
    """Return the flops of one Forward-Forward step by FlopCounterMode: two passes, no way back."""
    import torch

    def step(weights: list[Any], images: Any) -> None:
        for sign in (-1, 1):
            h = images
            for w in weights:
                h = torch.relu(torch.nn.functional.normalize(h.detach()) @ w)
                torch.nn.functional.softplus(sign * (h**2).mean(dim=1)).mean().backward()

    return _counted(step, layer_sizes)


def _counted(step: Callable[[list[Any], Any], None], sizes: tuple[int, ...]) -> int:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    weights = [torch.randn(m, n, requires_grad=True) for m, n in itertools.pairwise(sizes)]
    with FlopCounterMode(display=False) as counter:
        step(weights, torch.rand(BATCH, sizes[0]))
    return int(counter.get_total_flops())


def committed() -> list[Compared]:
    """Read the committed figures."""
    with FIGURES.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))[1:]
    return [Compared(row[0], row[1], *map(int, row[2:])) for row in rows]


def main() -> int:
    """Count by PyTorch, write and compare; returns how many steps differ."""
    found = figures({"ff": torch_forward_forward, "bp": torch_backprop})
    with FIGURES.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([field.name for field in fields(Compared)])
        writer.writerows(map(astuple, found))
    for row in found:
        equal = "equal" if row.flops_here == row.flops_torch else "DIFFERENT"
        print(
            f"  {row.step} {row.layer_sizes}: {row.flops_here:,} here, "
            f"{row.flops_torch:,} by PyTorch, {equal}"
        )
    return sum(row.flops_here != row.flops_torch for row in found)
