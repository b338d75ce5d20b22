"""What is in the way of a run: told with what helps, and --force only where it does."""

from __future__ import annotations

from pathlib import Path

import pytest

from ffenergy.runs.directory import RunDirectory, RunDirectoryError
from ffenergy.runs.occupied import DOCUMENTS, FORCE


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("there", DOCUMENTS)
@pytest.mark.parametrize("wanted", DOCUMENTS)
def test_what_another_command_wrote(
    tmp_path: Path, there: str, wanted: str, *, force: bool
) -> None:
    RunDirectory(tmp_path, there).change({}, {"table.csv": b"a\n"})
    directory = RunDirectory(tmp_path, wanted)
    if there == wanted and force:
        directory.check(force=True)
        return
    what = f"an older run; {FORCE}"
    if there != wanted:
        what = f"{DOCUMENTS[there]} ({there}); choose another --outdir"
    with pytest.raises(RunDirectoryError) as refused:
        directory.check(force=force)
    assert str(refused.value) == f"{tmp_path} already holds {what}"


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("holds_run", [False, True])
def test_what_no_run_wrote(tmp_path: Path, *, force: bool, holds_run: bool) -> None:
    directory = RunDirectory(tmp_path)
    if holds_run:
        directory.change({}, {"table.csv": b"a\n"})
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(RunDirectoryError, match="holds thesis\\.tex, which no run"):
        directory.check(force=force)


def test_pictures_that_are_damaged_are_nobodys(tmp_path: Path) -> None:
    RunDirectory(tmp_path).change({}, {})
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "figures.json").write_text("{")
    with pytest.raises(RunDirectoryError, match="already holds figures, which no run wrote there"):
        RunDirectory(tmp_path).check(force=True)
