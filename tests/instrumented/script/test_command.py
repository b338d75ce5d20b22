"""`instrumented run` on the command line: exit codes, files, memories, joules, refusals."""

from __future__ import annotations

import json
import os
import py_compile
import re
import subprocess
import sys
import zipapp
from importlib.metadata import EntryPoint
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from instrumented.books import recorder
from instrumented.script import command
from instrumented.script.screen import quantity

STEPS = str(Path(__file__).parent / "scripts" / "steps.py")


def invoke(*arguments: str):
    return CliRunner().invoke(command.main, ["run", *arguments])


def test_exit_code_output_and_files(tmp_path):
    files = [tmp_path / name for name in ("a.json", "a.csv", "a.html")]
    found = invoke(
        *("--json", str(files[0]), "--csv", str(files[1]), "--html", str(files[2])),
        *("--scope", "function", STEPS),
    )
    assert found.exit_code == 7
    assert found.stdout == "0.0\n"
    plain = json.loads(files[0].read_text())
    assert plain["exit_code"] == 7
    assert sum(row["bytes_read"] for row in plain["counts"]) == plain["bytes_read"]
    rows = pd.read_csv(files[1])
    assert rows["flops"].sum() == plain["flops"]
    assert "<h1>steps.py moved" in files[2].read_text()


def test_levels_serve_every_byte():
    found = invoke("--levels", STEPS)
    served = [line.split() for line in found.stderr.splitlines() if "iB" in line]
    assert served[0][:2] == ["32", "KiB"]  # some hundred bytes all fit
    (title,) = (line for line in found.stderr.splitlines() if "served by" in line)
    assert title.endswith("   scratchpad, operation grain")


def test_what_the_levels_leave_out_is_told(monkeypatch, tmp_path):
    # ones and zeros; twice a product and a maximum; a sum, a comparison, its answer; an element,
    # as a float: 11 operations
    whole = invoke("--levels", STEPS)
    assert "came later" not in whole.stderr
    monkeypatch.setattr(recorder, "MOST_EVENTS", 9)
    file = tmp_path / "counts.json"
    cut = invoke("--levels", "--json", str(file), STEPS)
    assert json.loads(file.read_text())["operations_left_out"] == 2
    assert "These are of the first 9 operations; 2 came later." in cut.stderr
    nothing_asked = invoke(STEPS)
    assert "came later" not in nothing_asked.stderr


def test_joules_come_from_whoever_offers_them(monkeypatch, tmp_path):
    offer = EntryPoint("ffenergy", "ffenergy.energy.price:offer", command.PRICING_GROUP)
    monkeypatch.setattr(command, "entry_points", lambda group: [offer])
    found = invoke("--profile", "jouppi-7nm-hbm2", STEPS)
    (title,) = (line for line in found.stderr.splitlines() if "energy (estimate)" in line)
    assert title.endswith(" joules   jouppi-7nm-hbm2, scratchpad, operation grain")
    transforming = tmp_path / "transforming.py"  # its first line computes nothing
    transforming.write_text("import numpy as np\nx = np.ones(999)\nx = np.fft.fft(x)\n(x * x) / 2j")
    found = invoke("--profile", "jouppi-7nm-hbm2", "--scope", "line", str(transforming))
    levels = re.findall(r"^    (compute|sram\S+) ", found.stderr, re.MULTILINE)
    assert levels == ["compute", "sram-8k", "sram-32k"]
    wrong = invoke("--profile", "no-such-chip", STEPS)
    assert wrong.exit_code == 2
    assert "no-such-chip" in wrong.stderr
    assert wrong.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.py"], "there is no script nowhere.py"),
        (["-"], "there is no script -"),
        (["--cvs", "o.csv", STEPS], "instrumented: no such option --cvs (did you mean --csv?)\n"),
        (["--jsno=o.json", STEPS], "instrumented: no such option --jsno (did you mean --json?)\n"),
        (
            ["-m", "--level", "json"],
            "instrumented: no such option --level (did you mean --levels?)\n",
        ),
        (["-x", STEPS], "instrumented: no such option -x\n"),
        (["--csv", "nowhere/a.csv", STEPS], "there is no folder"),
        (["--csv", STEPS, STEPS], "that is the script; name another file"),
        (["--csv", "a", "--html", "./a", STEPS], "a: --csv is written there; name another file"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(arguments, message):
    found = invoke(*arguments)
    assert found.exit_code == 2
    assert message in found.stderr
    assert len(found.stderr.splitlines()) == 1


def test_quantities():
    assert [quantity(n, "B") for n in (0, 7, 999, 1000, 999_600, 1_240_000_000)] == [
        *("0 B", "7 B", "999 B", "1.00 kB", "1.00 MB", "1.24 GB")
    ]


LONG = "x" * 300


@pytest.mark.parametrize(
    ("arguments", "says", "code"),
    [
        (["-m", "__main__"], "for '__main__' (ValueError: __main__.__spec__ is None)", 1),
        ([LONG], "instrumented: there is no script xxx", 2),
        (["--json", f"{LONG}/a.json", STEPS], "there is no folder", 2),
        (["--csv", LONG, STEPS], "File name too long", 1),
        (["--html", ".", STEPS], "that is a folder; name a file in it", 2),
        (["--csv", "/dev/full", STEPS], "cannot write /dev/full: No space left on device", 1),
    ],
)
def test_arguments_that_make_no_sense_are_one_line(tmp_path, monkeypatch, arguments, says, code):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", None)  # as under the console script
    found = invoke(*arguments)
    assert found.exit_code == code, found.output
    assert says in found.stderr.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ending", ["pyc", "pyz"])
def test_a_program_that_is_no_source_is_refused_in_one_line(tmp_path, ending):
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "__main__.py").write_text("print(1)\n")
    program = tmp_path / f"app.{ending}"
    if ending == "pyz":
        zipapp.create_archive(tmp_path / "app", program)
    else:
        py_compile.compile(str(tmp_path / "app" / "__main__.py"), str(program))
    answer = CliRunner().invoke(command.main, ["run", str(program)])
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert "source alone is traced" in answer.stderr
    assert answer.stderr.count("\n") == 1


def test_a_scripts_own_options_and_a_name_like_an_option_stay_the_scripts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("--cvs").write_text("import sys; print(sys.argv[1:])")
    assert invoke("--", "--cvs", "--cvs", "--csv=a").stdout == "['--cvs', '--csv=a']\n"


@pytest.mark.parametrize(
    ("ending", "code"),
    [("sys.exit(3)", 3), ("os.close(2); sys.exit(3)", 3), ("sys.stderr.close(); sys.exit(3)", 3),
     ("sys.stderr = None; sys.exit('told')", 1), ("sys.stdout.close(); sys.exit(3)", 3)],
)  # fmt: skip
def test_the_exit_code_is_the_scripts_whatever_cannot_be_written(tmp_path, ending, code):
    script = tmp_path / "script.py"
    script.write_text(f"import os, sys, numpy as np\nnp.ones(2).sum(); {ending}\n")
    with Path("/dev/full").open("w") as full:
        for stream in (full, subprocess.PIPE):
            found = subprocess.run(
                [sys.executable, "-m", "instrumented", "run", script],
                stdout=subprocess.PIPE,
                stderr=stream,
            )
            assert (found.returncode, found.stdout) == (code, b"")


def test_devices_and_links_stay_what_they_are(tmp_path):
    (tmp_path / "link.csv").symlink_to(tmp_path / "counts.csv")
    (tmp_path / "null.csv").symlink_to("/dev/null")
    for name in ("link.csv", "null.csv"):
        invoke("--csv", str(tmp_path / name), STEPS)
        assert (tmp_path / name).is_symlink()
    assert pd.read_csv(tmp_path / "counts.csv")["flops"].sum() > 0


def test_a_name_of_bytes_that_are_no_text_is_told_in_escapes(tmp_path):
    script = tmp_path / os.fsdecode(b"bad\xff.py")
    script.write_text("import numpy as np\nprint((np.ones(3) * 2).sum())\n")
    out = tmp_path / "a.html"
    found = invoke("--html", str(out), "--json", str(tmp_path / "a.json"), str(script))
    assert found.exit_code == 0, found.output
    assert "bad\\udcff.py moved" in found.stderr
    assert "bad\\udcff.py" in out.read_text()
