"""Files change together or not at all, wherever a process dies, and are known by checksums."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ffenergy.files import folder
from ffenergy.files.folder import ChangedError, Folder, StrangerError


class DiedError(BaseException):
    """The process ends here."""


def contents(place: Folder) -> dict[str, bytes]:
    """What a reader finds, by the document that it finds."""
    return {name: place.content(name, digest) for name, digest in (place.recorded() or {}).items()}


RENAME = Path.replace
OLD = {"a.csv": b"old a", "b.csv": b"old b"}
NEW = {"a.csv": b"new a", "b.csv": b"new b", "c.csv": b"new c"}


def test_what_is_gone_is_removed_if_it_was_recorded(tmp_path: Path) -> None:
    place = Folder(tmp_path, "run.json")
    with place.locked():
        place.change({}, OLD)
        (tmp_path / "d.csv").write_bytes(b"not ours")
        place.change({}, {"c.csv": b"new c"}, gone=["a.csv", "d.csv", "e.csv"])
    assert contents(place) == {"b.csv": b"old b", "c.csv": b"new c"}
    assert sorted(path.name for path in tmp_path.glob("*.csv")) == ["b.csv", "c.csv", "d.csv"]


@pytest.mark.parametrize("settles", [False, True])
def test_dying_at_any_rename_leaves_the_old_or_the_new_and_no_mixture(
    settles: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three files are staged and moved in, the document is replaced: ten renames with its own."""
    seen = []
    for last in range(20):
        place = Folder(tmp_path / str(last), "run.json")
        with place.locked():
            place.change({"version": "old"}, OLD)
        renames = 0

        def dying(self: Path, target: Path, *, last: int = last) -> Path:
            nonlocal renames
            if renames == last:
                raise DiedError
            renames += 1
            return RENAME(self, target)

        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", dying)
            patch.setattr(folder.Folder, "_settle", lambda self: None)  # nobody clears up
            patch.setattr(Path, "unlink", lambda *_, **__: None)
            try:
                place.change({"version": "new"}, NEW)
                finished = True
            except DiedError:
                finished = False
        if settles:
            with place.locked():
                pass
            assert not [path for path in place.path.iterdir() if path.suffix == ".tmp"]
        found = contents(place)
        assert found in (OLD, NEW)
        seen.append(found == NEW)
        if settles:
            there = {p.name: p.read_bytes() for p in place.path.glob("*.csv")}
            assert there == found
        if finished:
            break
    assert last == 3 + 1 + 3  # staged, the document, moved in
    assert seen == [False] * 4 + [True] * 4


def test_a_full_disk_leaves_the_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Folder(tmp_path, "run.json")
    with place.locked():
        place.change({}, OLD)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    for last in range(4):
        writes = 0

        def full(descriptor: int, *, last: int = last) -> None:
            nonlocal writes
            writes += 1
            if writes > last:
                raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(OSError, match="No space left"):
                place.change({}, NEW)
        assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_changed_file_is_not_read(tmp_path: Path) -> None:
    place = Folder(tmp_path, "run.json")
    place.change({}, OLD)
    recorded = place.recorded()
    assert recorded is not None
    (tmp_path / "a.csv").write_bytes(b"older")
    with pytest.raises(ChangedError, match=r"its checksum is not that in run\.json"):
        place.content("a.csv", recorded["a.csv"])
    assert place.content("a.csv", None) == b"older"
    (tmp_path / "a.csv").unlink()
    with pytest.raises(FileNotFoundError):
        place.content("a.csv", recorded["a.csv"])


def test_nothing_of_others_is_overwritten_or_cleared(tmp_path: Path) -> None:
    place = Folder(tmp_path, "run.json")
    place.change({}, OLD)
    (tmp_path / "c.csv").write_bytes(b"mine")
    with pytest.raises(StrangerError, match=r"c\.csv"):
        place.change({}, NEW)
    assert contents(place) == OLD
    assert place.strangers(()) == ["c.csv"]
    place.clear()
    assert [path.name for path in tmp_path.iterdir()] == ["c.csv"]


def test_litter_of_an_earlier_process_of_the_same_number_is_in_nobodys_way(tmp_path: Path) -> None:
    litter = [tmp_path / f".run.json.{os.getpid()}.tmp", tmp_path / ".a.csv.0123.staged.tmp"]
    for path in litter:
        path.write_bytes(b"half")
    place = Folder(tmp_path, "run.json")
    assert place.strangers(()) == []
    with place.locked():
        assert not any(path.exists() for path in litter)
        place.change({}, OLD)
    assert contents(place) == OLD
