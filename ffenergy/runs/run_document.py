"""What `run.json` holds, and what readers of it may count on."""

from __future__ import annotations

from typing import Final

from ffenergy.files.documents import NUMBER_OR_NULL
from ffenergy.files.folder import FILES

FORMAT: Final = 1
CHECKPOINT: Final = ".checkpoint"
CHECKPOINT_HISTORY: Final = "history.jsonl"
"""How the names of checkpoints end, and the file beside them."""
STATUSES: Final = ("running", "complete", "interrupted", "failed")
SCALARS = (
    "test_error",
    "train_error",
    "steps",
    "samples",
    "head_steps",
    "head_samples",
    "wall_seconds",
)
SCALAR_TYPES: Final = {
    **dict.fromkeys(SCALARS, int),
    **dict.fromkeys(("test_error", "train_error", "wall_seconds"), NUMBER_OR_NULL),
}
SIGNATURE: Final = {
    "name": str,
    "digest": str,
    "steps": int,
    **dict.fromkeys(("bytes_read?", "bytes_written?", "flops?"), int),
}
EPOCH: Final = {"stage": str, "epoch": int, "loss": NUMBER_OR_NULL, str: NUMBER_OR_NULL}
DOCUMENT: Final = {
    "status": str,
    "command": str,
    "accounting": str,
    "memory?": str,
    "preset": str,
    "seed": int,
    "settings": dict,
    "versions": dict,
    "bits?": [{str: str}],
    "rules?": {str: str},
    "data": {
        "name": str,
        "source": str,
        "is_sample": bool,
        "train_images": int,
        "test_images": int,
        "validation_images?": int,
    },
    "profiles?": [{"name": str, "sha256": str, "text?": str}],
    f"{FILES}?": {str: str},
    "results": {str: {**SCALAR_TYPES, "signatures": [SIGNATURE]}},
}
"""What readers of `run.json` may count on, see `documents.check`."""
