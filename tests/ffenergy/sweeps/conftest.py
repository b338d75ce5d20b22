"""A sweep on the command line, of the sample alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from ffenergy.sweeps import cells as cells_module

Sweep = Callable[..., Result]


@pytest.fixture
def only_the_sample(newcomer: None) -> None:
    cells_module._loaded.cache_clear()


@pytest.fixture
def sweep(invoke: Sweep) -> Sweep:
    """Sweep in this process, one cell after the other."""

    def run(text: str, folder: Path, *flags: str) -> Result:
        spec = folder / "spec.toml"
        spec.write_text(text)
        return invoke(
            *("sweep", spec, "--offline", "--workers", "1", "--outdir", folder / "out"), *flags
        )

    return run
