"""The IDX files out of a package of Debian, for machines that reach only distribution mirrors.

A package is an `ar` archive with a compressed tar archive `data.tar.*` inside (man 5 deb). It is
only read: nothing is installed and none of its scripts runs.
"""

from __future__ import annotations

import hashlib
import io
import lzma
import tarfile
import tempfile
from pathlib import Path
from typing import Final

from ffenergy.data import download
from ffenergy.data.catalogue import CatalogueEntry, DebianPackage
from ffenergy.data.dataset import Bytes
from ffenergy.errors import DataError

_MAGIC: Final = b"!<arch>\n"
_HEADER: Final = 60  # name 16, date 12, owner 6, group 6, mode 8, size 10, then a backquote and LF


def fetch(
    entry: CatalogueEntry, package: DebianPackage, *, progress: bool = True
) -> dict[str, Bytes]:
    """Download `package` and return the checked uint8 arrays of `entry`.

    Raises:
        DataError: the mirror does not answer or breaks off, or it is not what was published.
    """
    if not download.answering([package.url]):
        raise DataError("the mirror does not answer")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "package.deb"
        try:
            download.save(package.url, path, progress=progress)
        except download.NETWORK_ERRORS as error:
            raise DataError(f"the mirror broke off ({type(error).__name__})") from None
        return read(path.read_bytes(), entry, package)


def read(deb: bytes, entry: CatalogueEntry, package: DebianPackage) -> dict[str, Bytes]:
    """Return the arrays inside the package file `deb`, checked against the published checksums.

    Raises:
        DataError: another package file, no such files in it, or other data than published.
    """
    if hashlib.sha256(deb).hexdigest() != package.sha256:
        raise DataError("wrong checksum, this is not the package that is known")
    arrays: dict[str, Bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(_data_member(deb))) as archive:
            for array, file in entry.files.items():
                name = f".{package.folder}/{file.file}.gz"
                stream = archive.extractfile(name)
                if stream is None:
                    raise DataError(f"{name} in {package.title} is no file")
                arrays[array] = file.read(stream.read(), f"{package.title}, {file.file}.gz")
    except (KeyError, OSError, EOFError, tarfile.TarError, lzma.LZMAError) as error:
        raise DataError(f"{package.title} cannot be read ({error})") from None
    return arrays


def _data_member(deb: bytes) -> bytes:
    """Return the member `data.tar.*` of the `ar` archive `deb`. Raises DataError."""
    start = len(_MAGIC)
    while deb.startswith(_MAGIC) and len(header := deb[start : start + _HEADER]) == _HEADER:
        name, size = header[:16].decode("ascii", "replace").strip(" /"), header[48:58].strip()
        if not size.isdigit():
            break
        start += _HEADER
        if name.startswith("data.tar"):
            return deb[start : start + int(size)]
        start += int(size) + int(size) % 2  # members begin at even places
    raise DataError("not a Debian package: no data.tar inside")
