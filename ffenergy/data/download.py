"""The IDX files from public mirrors, giving up within seconds when there is no network."""

from __future__ import annotations

import http.client
import tempfile
import threading
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from ffenergy.data.catalogue import CatalogueEntry
from ffenergy.data.dataset import Bytes
from ffenergy.errors import DataError

PROBE_SECONDS = 3.0
TIMEOUT = (3.05, 10.0)  # connect, each read; seconds
NETWORK_ERRORS = (OSError, ValueError, http.client.HTTPException)


def fetch(entry: CatalogueEntry, *, progress: bool = True) -> tuple[str, dict[str, Bytes]]:
    """Download and check all files of `entry`, from the first mirror that has them undamaged.

    Returns the mirror's address and the uint8 arrays.

    Raises:
        DataError: no mirror answered, or none had the published files.
    """
    problems: list[str] = []
    for mirror in _answering_mirrors(entry):
        try:
            return mirror, _from_mirror(mirror, entry, progress=progress)
        except DataError as error:
            problems.append(error.message)
        except NETWORK_ERRORS as error:
            problems.append(f"{mirror} broke off ({type(error).__name__})")
    raise DataError("; ".join(problems) or "no mirror answered")


def _from_mirror(mirror: str, entry: CatalogueEntry, *, progress: bool) -> dict[str, Bytes]:
    arrays: dict[str, Bytes] = {}
    with tempfile.TemporaryDirectory() as folder:
        for array, file in entry.files.items():
            url = f"{mirror}{file.file}.gz"
            path = Path(folder) / f"{file.file}.gz"
            save(url, path, progress=progress)
            arrays[array] = file.read(path.read_bytes(), url)
    return arrays


def save(url: str, path: Path, *, progress: bool) -> None:
    """Download a file, and raise one of ``NETWORK_ERRORS`` where it breaks off."""
    import pooch  # takes as long to import as all of this package, and is seldom needed

    fetch_file = pooch.HTTPDownloader(progressbar=progress, chunk_size=2**16, timeout=TIMEOUT)
    fetch_file(url, str(path), None)


def _answering_mirrors(entry: CatalogueEntry) -> list[str]:
    file = next(iter(entry.files.values()))
    urls = {f"{mirror}{file.file}.gz": mirror for mirror in entry.mirrors}
    return [urls[url] for url in answering(list(urls))]


def answering(urls: Sequence[str]) -> list[str]:
    """Ask all `urls` at once and return, in their order, those that answer in time.

    A dead name server can hold one look-up for half a minute and no socket timeout covers that,
    so the questions are asked by daemon threads that are simply left behind.
    """
    answered: set[str] = set()

    def ask(url: str) -> None:
        request = urllib.request.Request(url, method="HEAD")  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=PROBE_SECONDS):  # noqa: S310
                answered.add(url)
        except NETWORK_ERRORS:
            return

    threads = [threading.Thread(target=ask, args=(url,), daemon=True) for url in urls]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + PROBE_SECONDS
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return [url for url in urls if url in answered]
