"""A long run of a tiny network: what must not grow with its length, and what may by a row an epoch.

    python benchmarks/long_run.py [EPOCHS]

Trains backprop on 100 random images, traced, with `progress.json` and a checkpoint at most once a
second; prints a line per tenth of the run. Time per epoch, progress.json and checkpoints stay as
they are; history.jsonl grows by a row an epoch, and memory by 8 bytes a number of it.
"""

from __future__ import annotations

import dataclasses
import resource
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ffenergy.costs.measuring import random_dataset
from ffenergy.rules.kit.stages import Plan
from ffenergy.runs import progress_file
from ffenergy.settings import Settings
from ffenergy.training import Checkpoints, train

EPOCHS = 10_000


def main(epochs: int) -> None:
    """Train, and print what grows."""
    settings = Settings.from_preset("quick").replace(
        layer_sizes="16,8", n_epochs=epochs, batch_size=50, head_batch_size=50
    )
    data = random_dataset(settings, 100)
    data = dataclasses.replace(
        data, test_images=data.train_images[:50], test_labels=data.train_labels[:50]
    )
    last = time.perf_counter()
    heads = ("ms an epoch", "peak, MiB", "progress, B", "checkpoint, B", "history, B")
    print("   epoch" + "".join(f"{head:>15}" for head in heads))
    with tempfile.TemporaryDirectory() as base:
        folder = Path(base)

        def watch(plans: Sequence[Plan], history: Sequence[Mapping[str, Any]]) -> None:
            nonlocal last
            done = len(history)
            if done % (epochs // 10):
                return
            progress_file.leave(folder, "bp", {plan.name: plan.n_epochs for plan in plans}, history)
            now = time.perf_counter()
            sizes = [path.stat().st_size for path in folder.glob("checkpoints/*.checkpoint")]
            rows = [path.stat().st_size for path in folder.glob("checkpoints/history.jsonl")]
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            size = (folder / progress_file.FILE).stat().st_size
            each = 1e3 * (now - last) / (epochs // 10)
            figures = f"{each:15.2f}{peak:15.1f}{size:15}{max(sizes, default=0):15}{sum(rows):15}"
            print(f"{done:8}{figures}", flush=True)
            last = now

        train(
            "bp",
            settings,
            data,
            watch=watch,
            checkpoints=Checkpoints(folder / "checkpoints", "", 1.0),
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else EPOCHS)
