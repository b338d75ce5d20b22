"""A sweep on the command line, of the sample alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from ffenergy.files.documents import SEAL
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


@pytest.fixture
def without_seconds() -> Callable[[cells_module.Outcome], dict[str, Any]]:
    """What makes a document of an outcome, but for how long it took."""

    def document(outcome: cells_module.Outcome) -> dict[str, Any]:
        found = json.loads(outcome.to_json())
        del found["scores"]["wall_seconds"], found[SEAL]
        for row in found["history"]:
            del row["wall_seconds"]
        return dict(found)

    return document
