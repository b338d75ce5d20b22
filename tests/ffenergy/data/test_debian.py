"""Data out of a Debian package: an `ar` archive built by hand, served by this machine."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

from ffenergy import data
from ffenergy.data import catalogue, debian, idx
from ffenergy.data.catalogue import CATALOGUE, CatalogueEntry, DebianPackage, IdxFile
from ffenergy.errors import DataError

Invoke = Callable[..., Result]

FASHION = CATALOGUE["fashion-mnist"]
RNG = np.random.default_rng(5)
ARRAYS = {
    "train_images": RNG.integers(0, 256, (6, 28, 28), np.uint8),
    "train_labels": RNG.integers(0, 10, 6, np.uint8),
    "test_images": RNG.integers(0, 256, (3, 28, 28), np.uint8),
    "test_labels": RNG.integers(0, 10, 3, np.uint8),
}
FILES = {
    name: IdxFile(
        FASHION.files[name].file, array.shape, hashlib.sha256(idx.encode(array)).hexdigest()
    )
    for name, array in ARRAYS.items()
}


def member(name: str, content: bytes) -> bytes:
    """One member of an ar archive; `ar` pads to even places."""
    header = f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n"
    return header.encode() + content + b"\n" * (len(content) % 2)


def tar_of(arrays: dict[str, np.ndarray], folder: str = "./usr/share/tiny") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:xz") as archive:
        for name, array in arrays.items():
            packed = gzip.compress(idx.encode(array))
            info = tarfile.TarInfo(f"{folder}/{FILES[name].file}.gz")
            info.size = len(packed)
            archive.addfile(info, io.BytesIO(packed))
    return buffer.getvalue()


def deb_of(data_tar: bytes) -> bytes:
    # debian-binary has 4 bytes, the control member here an odd number of them
    parts = [member("debian-binary", b"2.0\n"), member("control.tar.xz/", b"odd")]
    return b"!<arch>\n" + b"".join(parts) + member("data.tar.xz", data_tar)


def tiny(deb: bytes, url: str = "") -> tuple[CatalogueEntry, DebianPackage]:
    package = DebianPackage("tiny 1", url, hashlib.sha256(deb).hexdigest(), "/usr/share/tiny", 0)
    return CatalogueEntry("tiny", "", (), None, FILES, {}, package), package


def test_the_arrays_come_out() -> None:
    deb = deb_of(tar_of(ARRAYS))
    found = debian.read(deb, *tiny(deb))
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[name], array)


BAD = {
    "no archive": (b"hello", "not a Debian package"),
    "ends in a header": (deb_of(tar_of(ARRAYS))[:100], "not a Debian package"),
    "a header without a size": (b"!<arch>\n" + b"x" * 80, "not a Debian package"),
    "a file is missing": (deb_of(tar_of({"train_images": ARRAYS["train_images"]})), "not found"),
    "another folder": (deb_of(tar_of(ARRAYS, "./opt")), "not found"),
    "no tar inside": (deb_of(b"abc"), "cannot be read"),
    "cut off": (deb_of(tar_of(ARRAYS))[:-300], "cannot be read"),
    "other images": (
        deb_of(tar_of({**ARRAYS, "test_labels": ARRAYS["test_labels"] ^ 1})),
        "wrong checksum",
    ),
}


@pytest.mark.parametrize(("deb", "told"), BAD.values(), ids=BAD.keys())
def test_a_package_that_is_not_right(deb: bytes, told: str) -> None:
    with pytest.raises(DataError, match=told):
        debian.read(deb, *tiny(deb))


def test_another_package_file_is_refused() -> None:
    deb = deb_of(tar_of(ARRAYS))
    with pytest.raises(DataError, match="not the package that is known"):
        debian.read(deb + b"\n", *tiny(deb))


@pytest.fixture
def served() -> Iterator[tuple[CatalogueEntry, str]]:
    """An entry whose package this machine serves."""
    deb = deb_of(tar_of(ARRAYS))

    class Serve(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(deb)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(deb)

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Serve) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield tiny(deb, f"http://127.0.0.1:{server.server_port}/tiny.deb")[0], "tiny"
        server.shutdown()
        thread.join()


def test_load_falls_back_on_the_package_and_keeps_it(
    served: tuple[CatalogueEntry, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry, name = served
    monkeypatch.setattr(catalogue, "CATALOGUE", {name: entry})
    for variable in ("FFENERGY_DATA_DIR", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    loaded = data.load(progress=False, name=name)
    assert loaded.source == "Debian package tiny 1"
    np.testing.assert_array_equal(loaded.train_images, ARRAYS["train_images"])
    assert data.load(progress=False, name=name).source.startswith("cache ")
    assert entry.debian is not None
    gone = replace(entry, debian=replace(entry.debian, url="http://127.0.0.1:9/tiny.deb"))
    with pytest.raises(DataError, match="the mirror does not answer"):
        debian.fetch(gone, gone.debian or entry.debian, progress=False)


@pytest.mark.skipif(
    not os.environ.get("FFENERGY_DATA_DIR")
    or not (Path(os.environ["FFENERGY_DATA_DIR"]) / FASHION.name).is_dir(),
    reason="needs Fashion-MNIST in a subfolder of FFENERGY_DATA_DIR",
)
def test_fashion_mnist_itself() -> None:
    loaded = data.load(name="fashion-mnist")
    # the published set is balanced: 6,000 training and 1,000 test images of each class
    assert np.bincount(loaded.train_labels).tolist() == [6000] * 10
    assert np.bincount(loaded.test_labels).tolist() == [1000] * 10


def test_fashion_mnist_that_is_nowhere_is_one_line(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = replace(FASHION.debian, folder=str(tmp_path / "none")) if FASHION.debian else None
    entries = {**CATALOGUE, "fashion-mnist": replace(FASHION, debian=away)}
    monkeypatch.setattr(catalogue, "CATALOGUE", entries)
    flags = ["--dataset", "fashion-mnist", "--offline", "--outdir", str(tmp_path / "run")]
    result = invoke("train", "bp", *flags)
    assert result.exit_code == 3
    (line,) = result.stderr.splitlines()
    assert line == "Error: fashion-mnist: not found (offline); name its folder with --data-dir"
