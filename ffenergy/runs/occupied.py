"""Why a folder cannot take the files of a run: what is there already, and what helps."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from ffenergy.files.atomic import is_unfinished
from ffenergy.files.folder import Folder
from ffenergy.files.locks import LOCK

DOCUMENT_FILE: Final = "run.json"
SWEEP_FILE: Final = "sweep.json"
PICTURES_FILE: Final = "figures.json"
DOCUMENTS: Final = {
    DOCUMENT_FILE: "a run",
    SWEEP_FILE: "a sweep",
    PICTURES_FILE: "pictures",
    "map.json": "a map",
    "measure.json": "a measurement",
    "transfer.json": "a transfer",
}
"""What a folder holds that has a document of this name."""
ELSEWHERE: Final = "choose another --outdir"
FORCE: Final = f"{ELSEWHERE}, or pass --force to replace the run in it"


def other_document(folder: Folder) -> str | None:
    """Return the name of a document that another command left in a folder, None if none did."""
    found = (name for name in DOCUMENTS if (folder.path / name).exists())
    return next((name for name in found if name != folder.document), None)


def obstacle(folder: Folder, own: Collection[str], *, force: bool, remedy: str) -> str | None:
    """Return one line on what is in the way, with what helps; None if nothing is.

    With ``force`` the folder may hold what its document records and the names in ``own``.
    ``remedy`` is told where ``force`` would help. Raises OSError.
    """
    path = folder.path
    if all(one.name == LOCK or is_unfinished(one) for one in path.iterdir()):
        return None
    if document := other_document(folder):
        return f"{path} already holds {DOCUMENTS[document]} ({document}); {ELSEWHERE}"
    try:
        untold = folder.recorded() is None
        strangers = folder.strangers(own)
    except ValueError:
        untold, strangers = True, []
    if untold:
        return (
            f"{path} already holds a run that does not say which files are its own (it is "
            f"damaged, or of an earlier version); remove it yourself, or {ELSEWHERE}"
        )
    if strangers:
        name = strangers[0]
        return f"{path} already holds {name}, which no run wrote there; move it, or {ELSEWHERE}"
    return None if force else f"{path} already holds an older run; {remedy}"
