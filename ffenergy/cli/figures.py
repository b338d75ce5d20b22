"""`ffenergy figures`: the reference project's pictures, drawn from a saved run."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import click

from ffenergy.cli.flags import NamedFolder, data_flags
from ffenergy.cli.progress import warn
from ffenergy.data import Dataset, held_out, load
from ffenergy.errors import DataError, OutputError
from ffenergy.report.book import Book
from ffenergy.runs.directory import PICTURES, RunDirectory
from ffenergy.runs.occupied import DOCUMENTS, PICTURES_FILE, other_document
from ffenergy.runs.run import Run
from ffenergy.trained import examples
from ffenergy.trained.examples import preferred_inputs


@click.command()
@click.argument("run", type=NamedFolder())
@click.option("--outdir", type=NamedFolder(), help="Where to write; by default RUN/figures.")
@data_flags
@click.option("--quiet", "-q", is_flag=True, help="Write the files, print nothing.")
def figures(
    run: Path, *, outdir: Path | None, data_dir: Path | None, offline: bool, quiet: bool
) -> None:
    r"""Draw the pictures of Forward-Forward's training in the saved RUN, as PNG and SVG.

    \b
    hybrid-examples      digit a, digit b, the mask and the hybrid, six times
    goodness-histograms  goodness of 1000 real and 1000 hybrid test images per layer, θ dashed
    training-curves      loss of every layer; errors of the softmax head, and the paper's figure
    receptive-fields     the 16 layer-1 units of largest weight norm, positive red, negative blue
    preferred-inputs     per layer, the mean of the test images that excite a unit most

    Receptive fields and preferred inputs need weights.npz, preferred inputs the data too.

    \b
    Example:
      ffenergy figures runs/compare-quick
    """
    from ffenergy.report.pictures.drawing import render  # matplotlib takes a second to import
    from ffenergy.report.pictures.report import REFERENCE

    directory, target = RunDirectory(run), RunDirectory(outdir or run / PICTURES, PICTURES_FILE)
    if outdir is not None and (other := other_document(target.folder)):
        raise OutputError(
            f"--outdir {outdir} holds {DOCUMENTS[other]} ({other}); name another folder, or leave "
            "--outdir out to write to RUN/figures"
        )
    with ExitStack() as stack:
        if outdir is None:  # what is drawn into the run is drawn of what is there then
            stack.enter_context(directory.locked_run())
        saved = directory.read(warn)
        stack.enter_context(target.locked())  # first: a folder that cannot be written costs no work
        weights = {
            k.removeprefix("ff/"): w for k, w in saved.weights.items() if k.startswith("ff/")
        }
        if weights:
            settings = saved.settings
            data = load(data_dir, offline=offline, progress=not quiet, name=settings.dataset)
            data = _data_of(saved, data)
            found = {
                **examples.hybrids(data, settings),
                **examples.goodness(weights, settings, data),
            }
            found |= preferred_inputs(weights, settings, data)
            saved = saved.with_examples({**saved.examples, **found})
        drawn = {
            f"{picture.name}.{kind}": content
            for picture, files in render(Book(saved), REFERENCE)
            for kind, content in files.items()
        }
        if not drawn:
            raise OutputError(f"{run} has nothing to draw: no Forward-Forward weights, no history")
        target.change({"run": str(run)}, drawn)
    if not quiet:
        click.echo(f"Written to {target.path}: {', '.join(drawn)}.")
        missing = [p.name for p in REFERENCE if f"{p.name}.png" not in drawn]
        if missing:
            click.echo(
                "Left out, for RUN lacks Forward-Forward, weights.npz or examples.npz: "
                f"{', '.join(missing)}."
            )


def _data_of(run: Run, data: Dataset) -> Dataset:
    """The data, if it is what the run was trained on. Raises DataError."""
    then = run.configuration["data"]
    data = held_out(data, then.get("validation_images", 0))
    if (data.name, data.is_sample) != (then["name"], then["is_sample"]):
        what = f"{then['name']}{', the sample' if then['is_sample'] else ''}"
        raise DataError(f"the run is of {what}; found {data.name} ({data.source}); see --data-dir")
    return data
