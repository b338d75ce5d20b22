"""Coverage-guided fuzzing of what reads files that somebody else may have written.

    pip install atheris
    python scripts/fuzz.py idx --seconds 600        # or toml, checkpoint, run, arguments

An input that ends in anything but the error that the reader promises is a finding: it is printed,
and kept as crash-… in the current folder. What was found so far is in the tests.
"""

from __future__ import annotations

import io
import json
import os
import sys
import tempfile
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any

import atheris
import click

with atheris.instrument_imports(include=["ffenergy", "instrumented.script", "zipfile", "tomllib"]):
    from ffenergy.data import idx
    from ffenergy.errors import DataError, OutputError, SettingsError
    from ffenergy.files.contents import as_csv, as_npz
    from ffenergy.files.documents import parse_toml
    from ffenergy.runs import progress_file
    from ffenergy.runs.directory import MEASURED, RunDirectory
    from ffenergy.sweeps import specification
    from ffenergy.training.checkpoints import BadCheckpointError, parsed
    from instrumented.script import command, running

import gzip

import numpy as np
import pandas as pd

from ffenergy.runs.run import HISTORY_COLUMNS, TRAFFIC_COLUMNS
from ffenergy.settings import Settings
from instrumented import InstrumentError

SCRIPT = "tiny.py"
NAMES = ("run.json", *MEASURED, progress_file.FILE)
SPEC = b"""preset = "quick"
algorithms = ["ff"]
seeds = [0, 1]
[fixed]
layer_sizes = [784, 8]
[grid]
lr = [1e-3, 3e-3]
[[cells]]
n_blur = 3
"""


def read_idx(data: bytes) -> None:
    """Unpack and decode."""
    with suppress(DataError):
        idx.decode(idx.decompress(data, "x", 10_000), "x", 3)


def read_toml(data: bytes) -> None:
    """Parse a sweep file."""
    try:
        document = parse_toml(data.decode("utf-8"))
    except ValueError:  # the only error that is promised, UnicodeDecodeError is one
        return
    with suppress(SettingsError):
        specification.parse(document)


def read_checkpoint(data: bytes) -> None:
    """Read what follows the checksum."""
    with suppress(BadCheckpointError):
        parsed(memoryview(data), "x", any_bits=True)


def a_run() -> dict[str, bytes]:
    """The files of a small run without checksums, so that what is read goes deep."""
    settings = Settings.from_preset("quick").replace(layer_sizes="2,2").to_dict()
    scalars = ("test_error", "train_error", "steps", "samples", "head_steps", "head_samples")
    row = dict.fromkeys((*scalars, "wall_seconds"), 1)
    step = {"name": "train", "digest": "ab", "steps": 1}
    step |= dict.fromkeys(("bytes_read", "bytes_written", "flops"), 5)
    data = {"name": "mnist", "source": "x", "is_sample": True, "train_images": 9, "test_images": 9}
    document = {"format": 1, "status": "complete", "command": "ffenergy train", "seed": 0}
    document |= {"accounting": "eager", "preset": "quick", "settings": settings, "versions": {}}
    document |= {"data": data, "results": {"ff": row | {"signatures": [step]}}}
    traffic = [["ff", "layer1", "forward", "matmul", "weight", 1, 5, 0, 5, 5]]
    weights = {"ff/layer1/W": np.eye(2, dtype=np.float32), "ff/layer1/b": np.zeros(2, np.float32)}
    epoch = {"stage": "layers", "epoch": 1, "loss": 0.5, "wall_seconds": 1.0}
    planned = [{"stage": "layers", "epochs": 3}]
    return {
        "run.json": json.dumps(document).encode(),
        "traffic.csv": as_csv(pd.DataFrame(traffic, columns=TRAFFIC_COLUMNS)),
        "history.csv": as_csv(pd.DataFrame([["ff", "layers", 1, 0.5]], columns=HISTORY_COLUMNS)),
        "weights.npz": as_npz(weights),
        "examples.npz": as_npz({"a": np.ones(3)}),
        "progress.json": json.dumps(
            {"algorithm": "ff", "planned": planned, "history": [epoch]}
        ).encode(),
    }


def run_reader(folder: Path) -> Callable[[bytes], None]:
    """Return the reader of a run of which one file, by the first byte, is the rest of the data."""
    files = a_run()

    def read_run(data: bytes) -> None:
        name = NAMES[(data[0] if data else 0) % len(NAMES)]
        for own, content in files.items():
            (folder / own).write_bytes(data[1:] if own == name else content)
        with suppress(OutputError):
            RunDirectory(folder).read()
        with suppress(OutputError):
            progress_file.found(folder)

    return read_run


def argument_reader(folder: Path) -> Callable[[bytes], None]:
    """Return the reader of the arguments of ``instrumented run``, separated by zero bytes.

    Only one small script is run for good, and nothing is written outside of ``folder``.
    """
    (folder / SCRIPT).write_text("import numpy as np\nprint((np.ones(3) * 2).sum())\n")
    os.chdir(folder)
    real = running.run_script

    def careful(script: str, *rest: Any) -> Any:
        if script != SCRIPT:
            raise InstrumentError("not here")
        return real(script, *rest)

    for name in ("run_script", "run_module"):
        setattr(command, name, careful)

    def read_arguments(data: bytes) -> None:
        text = data.decode("utf-8", "surrogateescape").replace("/", "")
        quiet = io.StringIO()
        with (
            suppress(SystemExit, click.ClickException),
            redirect_stdout(quiet),
            redirect_stderr(quiet),
        ):
            command.run.main([word for word in text.split("\0") if word], standalone_mode=False)

    return read_arguments


def seeds(target: str) -> list[bytes]:
    """Inputs to begin with."""
    if target == "arguments":
        lines = ("", "--levels", "--scope function", "--json a.json", "--csv a.csv --html a.html")
        return [f"{line} {SCRIPT} x".strip().replace(" ", "\0").encode() for line in lines]
    if target == "idx":
        plain = idx.encode(np.zeros((2, 3, 3), np.uint8))
        return [plain, gzip.compress(plain)]
    if target == "toml":
        return [SPEC]
    if target == "checkpoint":
        head = {"identity": "x", "bits": {}, "algorithm": "ff", "stage": 0, "epoch": 1}
        head |= {"values": {"a": 1}, "history": {"bytes": 0, "sha256": ""}}
        text = np.frombuffer(json.dumps(head).encode(), np.uint8)
        return [as_npz({"values": text, "W": np.ones(2, np.float32)})]
    files = a_run()
    return [
        bytes([k]) + files[name] for k, name in enumerate(("run.json", *MEASURED, "progress.json"))
    ]


@click.command()
@click.argument("target", type=click.Choice(["idx", "toml", "checkpoint", "run", "arguments"]))
@click.option("--seconds", type=click.IntRange(min=1), default=600, show_default=True)
def main(target: str, seconds: int) -> None:
    """Fuzz one of the readers."""
    with tempfile.TemporaryDirectory() as base:
        corpus, folder = Path(base) / "corpus", Path(base) / "run"
        corpus.mkdir()
        folder.mkdir()
        for number, data in enumerate(seeds(target)):
            (corpus / str(number)).write_bytes(data)
        readers = {"idx": read_idx, "toml": read_toml, "checkpoint": read_checkpoint}
        made = argument_reader if target == "arguments" else run_reader
        read = readers[target] if target in readers else made(folder)
        flags = [f"-max_total_time={seconds}", "-timeout=20", "-rss_limit_mb=4000", str(corpus)]
        atheris.Setup([sys.argv[0], *flags], read)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
