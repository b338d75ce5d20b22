"""Recipes of the paper's two networks, searched on a GPU: many networks side by side, in PyTorch.

    python -m validation.gpu_recipes check   # steps against the NumPy trainers; needs no GPU
    python -m validation.gpu_recipes search  # the rounds below, on a GPU: gpu_recipes.csv
    python -m validation.gpu_recipes best    # means over the seeds, the least first

What costs a run of hours here takes seconds there, so that choices can be made at full length and
by means of several seeds. They are leads: errors are those of the last 10,000 training images, the
test set is not touched, and what is reported was trained by ``ffenergy`` itself. Networks that
differ only in rates, decays, temperatures, thresholds, peers and seeds are trained together; every
head of ``HEADS`` is trained on the same hidden layers.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ffenergy.rules.forward_forward import ForwardForward
from ffenergy.settings import Settings
from instrumented import Untraced

if TYPE_CHECKING:
    from validation.gpu_banks import Examples

NAMED: Final = (
    "preset",
    "n_epochs",
    "optimizer",
    "lr",
    "temperature",
    "threshold",
    "weight_decay",
    "peer_strength",
    "n_blur",
    "batch_size",
    "negative_pairs",
    "seed",
)


USUAL: Final[dict[str, dict[str, Any]]] = {
    "paper": {
        "optimizer": "adam",
        "weight_decay": 3e-4,
        "n_epochs": 80,
        "head_weight_decay": 0.0,
        "softmax_lr": 1e-3,
    },
    "paper-local": {"batch_size": 100},
}
"""What the presets had before this search: changes are told from that."""
PAPERS_LAYERS: Final = 3  # the last ones, which its head sees
OF_HEAD: Final = ("head_layers", "head_weight_decay", "softmax_lr", "head_averaging")
COLUMNS: Final = (*NAMED, *OF_HEAD, "validation_error", "seconds")
TABLE: Final = Path(__file__).with_name("gpu_recipes.csv")
TOGETHER: Final = ("seed", "lr", "temperature", "threshold", "weight_decay", "peer_strength")
"""What may differ between networks that are trained side by side."""


@dataclass(frozen=True)
class Head:
    """A softmax head on the last ``layers`` hidden layers, by Adam, 20 epochs, rate to 0."""

    layers: int
    decay: float
    rate: float
    averaging: float = 0.0


HEADS: Final = [
    Head(3, 0.0, 1e-3),
    Head(3, 3e-4, 1e-3),
    Head(3, 3e-4, 3e-3),
    Head(3, 1e-3, 3e-3),
    Head(3, 1e-3, 3e-3, 3.0),
    Head(3, 3e-3, 3e-3, 3.0),
    Head(4, 1e-3, 3e-3, 3.0),
]


def kind(settings: Settings) -> Settings:
    """Return what must agree between networks that are trained side by side."""
    return settings.replace(**dict.fromkeys(TOGETHER, 1))


def searched(recipes: Sequence[Settings], known: Examples) -> Iterator[dict[str, Any]]:
    """Train networks of one kind and all heads on them; yield a row for every head."""
    import torch

    from validation.gpu_banks import Bank, Heads

    start = time.perf_counter()
    torch.manual_seed(0)
    bank = Bank(recipes, known.images)
    bank.train()
    if known.images.is_cuda:
        torch.cuda.synchronize()
    seconds = (time.perf_counter() - start) / len(recipes)
    widths = [layer.width for layer in bank.layers]
    heads = [head for head in HEADS if head.layers <= len(widths)]
    chunk = max(1, int(30e9 / (4 * len(known.images) * sum(widths))))
    for begin in range(0, len(recipes), chunk):
        networks = slice(begin, begin + chunk)
        trained = Heads(heads, bank.features(known.images, networks), known.digits, widths)
        trained.train()
        errors = trained.errors(bank.features(known.held_images, networks), known.held_digits)
        del trained
        torch.cuda.empty_cache()
        for recipe, row in zip(recipes[networks], errors.tolist(), strict=True):
            for head, error in zip(heads, row, strict=True):
                yield described(recipe) | {
                    "head_layers": head.layers,
                    "head_weight_decay": head.decay,
                    "softmax_lr": head.rate,
                    "head_averaging": head.averaging,
                    "validation_error": round(error, 2),
                    "seconds": round(seconds, 2),
                }


def described(settings: Settings) -> dict[str, Any]:
    """Return the columns that say what was trained."""
    named = {"preset": "paper-local" if settings.local_fields else "paper"}
    return named | {name: getattr(settings, name) for name in NAMED[1:]}


def recipes_of(preset: str, seeds: Iterable[int], *changes: dict[str, Any]) -> list[Settings]:
    """Return a recipe with each of ``changes``, once a seed."""
    base = Settings.from_preset(preset).replace(**USUAL[preset])
    return [base.replace(**change, seed=seed) for change in changes for seed in seeds]


def first_round(preset: str) -> list[Settings]:
    """Return what is tried first: one thing changed at a time, and pairs that go together."""
    if preset == "paper-local":
        pairs = [(rate, warmth) for rate in (5e-4, 1e-3, 2e-3) for warmth in (20.0, 40.0, 80.0)]
        changes: list[dict[str, Any]] = [
            *({"lr": rate, "temperature": warmth} for rate, warmth in [*pairs, (2e-3, 160.0)]),
            *({"peer_strength": strength} for strength in (0.0, 0.01, 0.03)),
            *({"weight_decay": decay} for decay in (1e-5, 1e-4)),
            {"threshold": 2.0},
            *({"n_blur": n, "temperature": warmth} for n in (8, 13) for warmth in (40.0, 80.0)),
            {"batch_size": 50, "lr": 5e-4},
            *({"batch_size": 200, "lr": rate} for rate in (1e-3, 2e-3)),
            *({"n_epochs": 30, "lr": rate} for rate in (1e-3, 2e-3)),
        ]
        return recipes_of(preset, (0, 1, 2), *changes)
    changes = [
        {},
        *({"lr": rate} for rate in (1e-4, 1e-3)),
        {"temperature": 10.0, "weight_decay": 6e-4},
        {"temperature": 40.0, "weight_decay": 1.5e-4},
        {"temperature": 80.0, "weight_decay": 7.5e-5},
        *({"weight_decay": decay} for decay in (1e-4, 1e-3)),
        {"peer_strength": 0.01},
        *({"optimizer": "adamw", "weight_decay": decay} for decay in (0.03, 0.1, 0.3)),
        *({"n_blur": n} for n in (4, 10)),
        {"batch_size": 50},
    ]
    return recipes_of(preset, (0, 1), *({"n_epochs": 25} | change for change in changes))


def grouped(recipes: Iterable[Settings], most: int) -> list[list[Settings]]:
    """Return networks that can be trained together, largest group first."""
    kinds: dict[Settings, list[Settings]] = defaultdict(list)
    for recipe in recipes:
        kinds[kind(recipe)].append(recipe)
    return [
        group[start : start + most]
        for group in sorted(kinds.values(), key=len, reverse=True)
        for start in range(0, len(group), most)
    ]


def reseeded(recipes: Iterable[Settings], seeds: Sequence[int]) -> list[Settings]:
    """Return each of ``recipes``, once a seed."""
    return [recipe.replace(seed=seed) for recipe in recipes for seed in seeds]


def read(table: Path) -> list[dict[str, Any]]:
    """Return the rows of a table, numbers as numbers."""

    def value(text: str) -> Any:
        with suppress(ValueError):
            return float(text)
        return text

    with table.open(newline="", encoding="utf-8") as file:
        return [{name: value(text) for name, text in row.items()} for row in csv.DictReader(file)]


def ranked(rows: Iterable[Mapping[str, Any]]) -> list[tuple[float, int, dict[str, Any]]]:
    """Return mean error, seeds and configuration of every recipe, the least first.

    Each has the best of the heads that see three layers, as the paper's does.
    """
    found: dict[tuple[Any, ...], dict[tuple[Any, ...], list[float]]] = {}
    for row in rows:
        if row["head_layers"] <= PAPERS_LAYERS:
            recipe = tuple(row[name] for name in NAMED if name != "seed")
            heads = found.setdefault(recipe, defaultdict(list))
            heads[tuple(row[name] for name in OF_HEAD)].append(row["validation_error"])
    names = [*(name for name in NAMED if name != "seed"), *OF_HEAD]
    means = []
    for recipe, heads in found.items():
        head, errors = min(heads.items(), key=lambda one: fmean(one[1]))
        named = dict(zip(names, (*recipe, *head), strict=True))
        means.append((fmean(errors), len(errors), named))
    return sorted(means, key=lambda one: one[0])


class Book:
    """The rows found so far, and the file in which they are."""

    def __init__(self, out: Path, known: Examples) -> None:
        self.known = known
        self.rows: list[dict[str, Any]] = []
        self.file = out.open("w", newline="", encoding="utf-8")
        self.writer = csv.DictWriter(self.file, COLUMNS, lineterminator="\n")
        self.writer.writeheader()

    def try_all(self, recipes: Sequence[Settings], most: int) -> None:
        """Train all of ``recipes``, at most so many at once, and write their rows."""
        for group in grouped(recipes, most):
            start = time.monotonic()
            rows = list(searched(group, self.known))
            self.rows += rows
            self.writer.writerows(rows)
            self.file.flush()
            print(f"{len(group)} networks in {time.monotonic() - start:.1f} s: {describe(group)}")

    def best(self, recipes: Iterable[Settings], count: int) -> list[Settings]:
        """Return those of ``recipes``, with seed 0, that have the least mean errors."""
        asked = {tuple(described(one).values())[:-1]: one.replace(seed=0) for one in recipes}
        order = [tuple(named[name] for name in NAMED[:-1]) for *_, named in ranked(self.rows)]
        return [asked[recipe] for recipe in order if recipe in asked][:count]


def describe(group: Sequence[Settings]) -> str:
    """Return what a group has in common, for the log."""
    first = described(group[0])
    return ", ".join(f"{name} {first[name]}" for name in NAMED if name not in TOGETHER)


def search(out: Path) -> None:
    """Try the first rounds, then more seeds, or full length, of what is best in them."""
    import torch

    from validation.gpu_banks import examples

    torch.set_float32_matmul_precision("high")
    print(torch.cuda.get_device_name())
    with torch.no_grad():
        book = Book(out, examples("cuda"))
        local, dense = first_round("paper-local"), first_round("paper")
        book.try_all(local, 48)
        book.try_all(reseeded(book.best(local, 3), (3, 4)), 48)
        book.try_all(dense, 24)
        longer = [
            recipe.replace(n_epochs=100)
            for recipe in [*recipes_of("paper", (0,), {}), *book.best(dense, 2)]
        ]
        book.try_all(reseeded(dict.fromkeys(longer), (0, 1, 2)), 9)
        book.try_all(last_round(), 9)


def last_round() -> list[Settings]:
    """Return what was tried when AdamW had won at 100 epochs."""
    by_adamw = {"optimizer": "adamw"}
    return [
        *recipes_of(
            "paper",
            (0, 1),
            *({"n_epochs": 100, "weight_decay": decay} | by_adamw for decay in (0.6, 1.0)),
            {"n_epochs": 50, "weight_decay": 0.6} | by_adamw,
        ),
        *recipes_of(
            "paper-local",
            (0, 1, 2),
            *({"batch_size": 200, "weight_decay": decay} | by_adamw for decay in (0.03, 0.3)),
        ),
    ]


def best(table: Path) -> None:
    """Print every recipe of both networks with its best head, the least mean error first."""
    rows = read(table)
    for preset in ("paper", "paper-local"):
        usual = Settings.from_preset(preset).replace(**USUAL[preset])
        print(f"{preset}, validation error in %, mean of the seeds:")
        for error, seeds, named in ranked(row for row in rows if row["preset"] == preset):
            changed = ", ".join(
                f"{name} {value}" if isinstance(value, str) else f"{name} {value:g}"
                for name, value in named.items()
                if name in OF_HEAD or (name != "preset" and value != getattr(usual, name))
            )
            print(f"  {error:.3f}  {seeds} seeds  {changed}")


def check(steps: int = 4) -> list[float]:
    """Return how far steps of networks side by side are from NumPy's: relative norms."""
    small = {"batch_size": 20, "schedule": "constant"}
    dense = {**small, "layer_sizes": (784, 60, 50)}
    by_momentum = {**dense, "optimizer": "momentum"}
    banks = [
        recipes_of("paper", (0,), dense | {"weight_decay": 0.1}, dense | {"temperature": 3.0}),
        recipes_of("paper", (0,), dense | {"optimizer": "adamw", "weight_decay": 3.0}),
        recipes_of("paper", (0,), by_momentum | {"lr": 0.2}, by_momentum),
        recipes_of("paper-local", (0,), small, small | {"lr": 2e-3, "peer_strength": 0.1}),
    ]
    return [off for recipes in banks for off in distances(recipes, steps)]


def distances(recipes: Sequence[Settings], steps: int) -> list[float]:
    """Return each network's distance from the NumPy trainer's after the same steps.

    Of what was learned, that is: relative to the change of the parameters, all in one vector.
    """
    import torch

    from validation.gpu_banks import Bank
    from validation.gpu_steps import Prepared

    rng = np.random.default_rng(0)
    rows = recipes[0].batch_size
    images, hybrids = rng.random((2, steps, rows, 784), np.float32)
    bank = Bank(recipes, torch.as_tensor(images[0]))
    known = []
    for network, recipe in enumerate(recipes):
        trainer: Any = ForwardForward(Untraced(), recipe, images.reshape(-1, 784), rng, rng)
        for mine, layer in zip(bank.layers, trainer.layers, strict=True):
            weights = layer.plain[: -layer.width].reshape(mine.weights.shape[1:])
            mine.weights[network] = torch.as_tensor(weights)
        first = np.concatenate([layer.plain for layer in trainer.layers])
        trainer.hybrids = Prepared(hybrids)
        for k in range(steps):
            trainer.step(np.arange(rows * k, rows * k + rows), recipe.lr)
        known.append((first, np.concatenate([layer.plain for layer in trainer.layers])))
    for real, hybrid in zip(images, hybrids, strict=True):
        both = torch.as_tensor(np.concatenate((real, hybrid)))
        bank.learn(both.expand(len(recipes), -1, -1))
    found = []
    for network, (first, here) in enumerate(known):
        parts = [p[network].ravel() for layer in bank.layers for p in layer.parameters]
        there = torch.cat(parts).numpy()
        found.append(float(np.linalg.norm(there - here) / np.linalg.norm(here - first)))
        print(f"  {found[-1]:.1e} {described(recipes[network])}")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one of the commands."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("check", help="steps against the NumPy trainers")
    for name, what in (("search", "the rounds, on a GPU"), ("best", "means over the seeds")):
        one = commands.add_parser(name, help=what)
        one.add_argument("--table", type=Path, default=TABLE, help="default: %(default)s")
    chosen = parser.parse_args(arguments)
    if chosen.command == "check":
        return int(max(check()) > 1e-4)
    if chosen.command == "search":
        search(chosen.table)
    else:
        best(chosen.table)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
