"""The tuned reading beside the one order of tiles: what either moves, and who moves less."""

from __future__ import annotations

from ffenergy.report.book import Book
from ffenergy.report.columns import Column, Table, amount, columns, table
from ffenergy.report.numbers import memory_size, words
from ffenergy.report.per_sample import per_training_sample
from ffenergy.rules.registry import BACKPROP, FORWARD_FORWARD
from ffenergy.style import short_name

ORDERS = ("", "tuned_")
KEYS = ["algorithm", "accounting", "capacity_bytes"]


def tuned(book: Book) -> Table | None:
    """Bytes beyond every level of the headline profile, one order against tuned products.

    Where the two disagree on who moves less, both are named.
    """
    if book.prices is None or book.prices.tuned.empty:
        return None
    rows = book.prices.tuned
    rows = rows[rows["profile"] == book.headline]
    named = [f"{order}bytes_{way}" for order in ORDERS for way in ("read", "written")]
    added = per_training_sample(rows, book.prices.steps, named, KEYS)
    moved = {
        order: added.assign(
            bytes=added[f"{order}bytes_read"] + added[f"{order}bytes_written"]
        ).pivot_table(index=KEYS[1:], columns="algorithm", values="bytes", sort=False)
        for order in ORDERS
    }
    pair = (BACKPROP, FORWARD_FORWARD)
    if not set(pair) <= set(moved[""].columns):
        return None
    frame = moved[""].rename_axis(columns=None).reset_index()
    for name in pair:
        frame[f"tuned_{name}"] = moved["tuned_"][name].to_numpy()
    both = [frame[[f"{order}{name}" for name in pair]].to_numpy() for order in ORDERS]
    frame["less"] = [_less(*one, *best) for one, best in zip(*both, strict=True)]
    shown = [
        *columns(["accounting"]),
        Column("capacity_bytes", "on-chip memory", form=words(lambda size: memory_size(int(size)))),
        *(
            amount(f"{order}{name}", f"{short_name(name)}{', tuned' if order else ''}", "B")
            for name in pair
            for order in ORDERS
        ),
        Column("less", "moves less", number=False),
    ]
    caption = (
        f"Beyond each level of {book.headline}, per training sample: products in one order for all"
        " sizes, or each tiled for that size"
    )
    return table("tuned", caption, "tuned.csv and steps.csv", shown, frame)


def _less(backprop: float, forward: float, tuned_backprop: float, tuned_forward: float) -> str:
    """Name the rule that moves less; both, and where, if tuning changes who that is."""
    one, best = (
        "as much" if a == b else short_name(BACKPROP if a < b else FORWARD_FORWARD)
        for a, b in ((backprop, forward), (tuned_backprop, tuned_forward))
    )
    return one if one == best else f"{one}; tuned {best}"
