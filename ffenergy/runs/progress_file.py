"""How far a run in training is: a small file that each look replaces, however long the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from ffenergy.errors import OutputError
from ffenergy.files.atomic import write_text
from ffenergy.files.documents import (
    NUMBER_OR_NULL,
    check,
    check_seal,
    parse_json,
    read_text,
    sealed,
)
from ffenergy.runs.run_document import EPOCH

FILE: Final = "progress.json"
RECENT: Final = 5  # epochs whose mean duration the estimate of the time left takes
DOCUMENT: Final = {
    "algorithm": str,
    "planned": [{"stage": str, "epochs": int}],
    "history": [{**EPOCH, "wall_seconds": NUMBER_OR_NULL}],
}


def leave(
    folder: Path,
    algorithm: str,
    planned: Mapping[str, int],
    history: Sequence[Mapping[str, Any]],
) -> None:
    """Leave word of the epochs planned per stage, and of the last ones done."""
    told = {
        "algorithm": algorithm,
        "planned": [{"stage": stage, "epochs": epochs} for stage, epochs in planned.items()],
        "history": list(history[-RECENT - 1 :]),
    }
    write_text(folder / FILE, sealed(told))


def found(folder: Path) -> dict[str, Any] | None:
    """Return what was left in a run's folder, None if nothing was; raises OutputError."""
    file = folder / FILE
    try:
        told: dict[str, Any] = parse_json(read_text(file))
        check(told, DOCUMENT)
        check_seal(told)
        planned = {plan["stage"] for plan in told["planned"]}
        for row in told["history"]:
            if row["stage"] not in planned:
                raise ValueError(f"stage {row['stage']!r} is not in planned")
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as reason:
        raise OutputError(f"{file} is not readable as progress: {reason}") from reason
    return told
