"""What would not fit in memory is refused in one line, before anything is allocated."""

from __future__ import annotations

import gzip
import io
import resource
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

from ffenergy import machine_memory
from ffenergy.data import idx
from ffenergy.errors import DataError, SettingsError
from ffenergy.files.contents import from_npz
from ffenergy.settings import Settings

Invoke = Callable[..., Result]
GB = 10**9


@pytest.mark.parametrize(
    ("text", "nbytes"),
    [("8GB", 8 * GB), ("500M", 5 * 10**8), ("1.5 GiB", 3 * 2**29), ("1000", 1000), ("2k", None)],
)
def test_numbers_of_bytes_are_read(text: str, nbytes: int | None) -> None:
    if nbytes is None:
        with pytest.raises(SettingsError, match="write a number of bytes, such as 8GB"):
            machine_memory.parsed(text)
    else:
        assert machine_memory.parsed(text) == nbytes


def test_the_least_that_a_training_needs_by_hand() -> None:
    settings = Settings.from_preset("quick").replace(
        layer_sizes="784,10,5", batch_size=100, optimizer="adam", dtype="float32"
    )
    parameters = (784 + 1) * 10 + (10 + 1) * 5  # 7905, each four times: Adam keeps two more
    activities = 100 * (10 + 5)
    images = 200 * 784
    need = 4 * (4 * parameters + activities + images) + 8 * 200  # floats, and the order's indices
    assert settings.training_bytes(200) == need


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["measure", "--layer-sizes", "784,1000000,1000000"], "needs at least 70.2 TB of memory"),
        (["compare", "--layer-sizes", "784,1000000,1000000"], "needs at least 16 TB of memory"),
        (["measure", "--max-memory", "1MB"], "needs at least"),
        (["measure", "--layer-sizes", "784,9000,9000", "--max-memory", "200MB"],
         "a network of 784-9000-9000 needs at least 6.18 GB of memory"),
        (["measure", "--width", "30", "--depth", "100000", "--max-memory", "200MB"],
         "a network of 784-30-30-30-30-30-30-30-…-30 (100,000 layers) needs at least"),
        (["train", "ff", "--max-memory", "1MB"], "and 1 MB may be used; lower --layer-sizes"),
        (["measure", "--batch-size", ",".join(map(str, range(1, 400))), "--width",
          ",".join(map(str, range(1, 400)))], "the sweep has 159,201 combinations"),
        (["measure", "--max-memory", "many"], "--max-memory is 'many'"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_one_line(
    arguments: list[str], says: str, invoke: Invoke, tmp_path: Path
) -> None:
    more = ["--outdir", tmp_path / "out"]
    more += ["--offline", "-q"] if arguments[0] != "measure" else []
    result = invoke(*arguments, *more)
    assert result.exit_code == 2, result.output
    assert says in result.output
    assert len(result.output.strip().splitlines()) == 1
    assert not (tmp_path / "out" / "run.json").exists()


def test_a_sweep_of_a_milliard_cells_is_one_line(invoke: Invoke, tmp_path: Path) -> None:
    values = [f"{number / 1e6:.6f}" for number in range(1, 1001)]
    grid = "".join(f"{name} = [{', '.join(values)}]\n" for name in ("lr", "bp_lr", "softmax_lr"))
    spec = tmp_path / "spec.toml"
    spec.write_text(f'preset = "quick"\nalgorithms = ["ff"]\n[grid]\n{grid}')
    result = invoke("sweep", spec, "--offline", "--outdir", tmp_path / "out")
    assert result.exit_code == 2
    assert "[grid] has 1,000,000,000 combinations, of at most 100,000" in result.output
    assert not (tmp_path / "out").exists()


def test_an_archive_says_how_large_it_is_before_it_is_unpacked() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", bytes(10**7))
    with pytest.raises(ValueError, match=r"it unpacks to 10,000,000 bytes, of at most 1,000,000"):
        from_npz(packed.getvalue(), 10**6)


def test_an_array_that_announces_more_than_it_has_is_not_allocated() -> None:
    header = io.BytesIO()
    told = {"descr": "<f8", "fortran_order": False, "shape": (10**12,)}
    np.lib.format.write_array_header_1_0(header, told)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.npy", header.getvalue() + bytes(24))
    with pytest.raises(ValueError, match="an array of 8,000,000,000,000 bytes has 24"):
        from_npz(packed.getvalue())


def test_gzip_is_unpacked_no_further_than_the_data_set_is_large() -> None:
    bomb = gzip.compress(bytes(10**7))
    with pytest.raises(DataError, match="unpacks to more than 1,000 bytes"):
        idx.decompress(bomb, "bomb.gz", 1000)


def test_measuring_beyond_the_memory_ends_at_once_without_it(tmp_path: Path) -> None:
    """A process that may have 4 GB in all, and has its answer from less."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (4 * GB, 4 * GB))

    done = subprocess.run(
        [sys.executable, "-m", "ffenergy", "measure", "--layer-sizes", "784,200000,200000"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        preexec_fn=limit,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("Error: a network of 784-200000-200000 needs at least 2.82 TB")
