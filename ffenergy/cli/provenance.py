"""Where a run comes from: the head of `run.json`."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import click
import threadpoolctl

from ffenergy.data import Dataset
from ffenergy.runs.run_document import FORMAT
from ffenergy.settings import Settings
from ffenergy.training import bits

ACCOUNTING = "eager"


def configuration(
    ctx: click.Context, preset: str, settings: Settings, data: Dataset, train_images: int
) -> dict[str, Any]:
    """Everything that `run.json` says before the first step: command, settings, versions, data."""
    return {
        "format": FORMAT,
        "status": "running",
        "reason": "",
        "command": ctx.meta.get("ffenergy.command", ctx.command_path),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "accounting": ACCOUNTING,
        "data": {
            "name": data.name,
            "source": data.source,
            "is_sample": data.is_sample,
            "train_images": train_images,
            "test_images": len(data.test_images),
            "validation_images": data.n_validation,
        },
        "preset": preset,
        "seed": settings.seed,
        "settings": settings.to_dict(),
        "versions": versions(),
        "bits": [bits.deciding()],
    }


def versions() -> dict[str, Any]:
    """Versions of what computes: Python, the packages, the BLAS and its threads, the machine."""
    blas = [
        f"{pool.get('internal_api')} {pool.get('version')}, {pool.get('num_threads')} threads"
        for pool in threadpoolctl.threadpool_info()
        if pool.get("user_api") == "blas"
    ]
    return {
        "python": platform.python_version(),
        **{name: version(name) for name in ("ffenergy", "numpy", "pandas", "matplotlib")},
        "blas": "; ".join(blas),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
    }
