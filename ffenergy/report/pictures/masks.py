"""Masks and hybrids at several numbers of blurs, from the same random bits."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib import rc_context
from matplotlib.figure import Figure

from ffenergy.data import Dataset
from ffenergy.report import examples
from ffenergy.report.pictures.figures import LOOK, saved
from ffenergy.settings import Settings

PAIRS = 4


def render(data: Dataset, settings: Settings, n_blurs: Sequence[int]) -> dict[str, bytes]:
    """Draw four masks and hybrids of test images per value of ``n_blur``; PNG and SVG by format."""
    with rc_context(LOOK):
        figure = Figure(figsize=(1.3 * 2 * PAIRS, 1.3 * len(n_blurs) + 0.8), layout="constrained")
        grid = figure.subplots(len(n_blurs), 2 * PAIRS, squeeze=False)
        for axes, n_blur in zip(grid, n_blurs, strict=True):
            found = examples.hybrids(data, settings.replace(n_blur=n_blur))
            for pair in range(PAIRS):
                for ax, part in zip(axes[2 * pair :], ("mask", "hybrid"), strict=False):
                    ax.imshow(found[f"hybrid/{part}"][pair], cmap="gray", vmin=0, vmax=1)
            axes[0].set_ylabel(f"n_blur {n_blur}")
        for ax in grid.flat:
            ax.set(xticks=[], yticks=[])
            ax.grid(visible=False)
        figure.suptitle("Masks (white: from the first digit) and the hybrids they make")
        return saved(figure)
