from __future__ import annotations

import json
from pathlib import Path

import pytest

from ffenergy.files.atomic import replacing, write_bytes, write_text


def test_text_and_bytes_arrive_whole(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "θ = 2\n")
    write_bytes(tmp_path / "b.bin", b"\x00\x01")
    assert (tmp_path / "a.txt").read_bytes() == "θ = 2\n".encode()
    assert (tmp_path / "b.bin").read_bytes() == b"\x00\x01"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.txt", "b.bin"]


def test_a_name_that_is_no_utf8_becomes_escapes(tmp_path: Path) -> None:
    write_text(tmp_path / "run.json", '"runs/\udcff"')
    assert (tmp_path / "run.json").read_bytes() == b'"runs/\\udcff"'
    assert json.loads((tmp_path / "run.json").read_text()) == "runs/\udcff"


def test_an_error_names_the_file_and_not_the_hidden_one(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file") as caught:
        write_text(tmp_path / "gone" / "run.json", "x")
    assert caught.value.filename == str(tmp_path / "gone" / "run.json")


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_keeps_the_old_file_and_leaves_no_litter(
    tmp_path: Path, error: type[BaseException]
) -> None:
    path = tmp_path / "run.json"
    write_text(path, "old")

    def interrupted_write() -> None:
        with replacing(path) as stream:
            stream.write(b"half of the n")
            assert path.read_text() == "old"
            raise error

    with pytest.raises(error):
        interrupted_write()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_new_file_obeys_the_umask(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("x")
    write_text(tmp_path / "atomic", "x")
    assert (tmp_path / "atomic").stat().st_mode == (tmp_path / "plain").stat().st_mode
