"""`ffenergy animate`: train with snapshots and make a film of them, or of those of a saved run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ffenergy.cli.flags import (
    NamedFolder,
    NumberRange,
    asks_for_order,
    chosen_settings,
    data_flags,
    flags_named,
    is_given,
    memory_flag,
    output_flags,
    profile_flags,
    settings_flags,
)
from ffenergy.cli.help import Grouped
from ffenergy.cli.job import Job
from ffenergy.cli.progress import warn
from ffenergy.cli.provenance import configuration
from ffenergy.costs.fitting import with_best_order
from ffenergy.data import held_out, load
from ffenergy.energy import choose_profiles
from ffenergy.errors import OutputError, SettingsError
from ffenergy.files.contents import as_csv, as_npz
from ffenergy.rules.registry import HEADLINE
from ffenergy.runs.directory import RunDirectory
from ffenergy.runs.run import Run
from ffenergy.trained.snapshots import COLUMNS, Film, Snapshots

TABLE, ARRAYS, FILM = "film.csv", "film.npz", "film.gif"


@click.command(cls=Grouped)
@click.argument("run", type=NamedFolder(), required=False)
@click.option(
    "--snapshot-every",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Epochs from one frame to the next.",
)
@click.option(
    "--fps",
    type=NumberRange(min=0.1, max=50),
    default=5,
    show_default=True,
    help="Frames per second.",
)
@output_flags
@memory_flag
@profile_flags
@data_flags
@settings_flags
@click.pass_context
def animate(
    ctx: click.Context,
    /,
    run: Path | None,
    *,
    fps: float,
    quiet: bool,
    **flags: Any,
) -> None:
    r"""Film a training: fields form, goodness parts, error falls, bytes and joules add up.

    Without RUN, Forward-Forward and backprop are trained as by `ffenergy compare`, with a look at
    Forward-Forward after every --snapshot-every epochs; the run is written to --outdir with
    film.csv, film.npz and film.gif. With RUN, the film is made again from the snapshots in it.
    film.mp4 and film.webm come too where imageio-ffmpeg is installed. Of a film of more than 5 MB
    film.gif shows every second frame or fewer; the videos have them all.

    Forward-Forward's error in the film is that of a ridge regression on its frozen features, for
    it has no output while it trains; the tables have the error of the softmax head. Wall times
    of such a run include the snapshots.

    \b
    Examples:
      ffenergy animate --layer-sizes 784,500,500,500,500 --n-epochs 20 --n-train 20000
      ffenergy animate runs/animate-quick --fps 8
    """
    if run is None:
        path = _train(ctx, quiet=quiet, **flags)
    else:
        given = [
            name
            for name in ctx.params
            if name not in ("run", "fps", "quiet") and is_given(ctx, name)
        ]
        if given:
            flag = given[0].replace("_", "-")
            raise SettingsError(f"--{flag} is for a new training; leave it or RUN out")
        path = run
    written, left_out = _film(path, fps)
    if not quiet:
        click.echo(f"Written to {path}: {', '.join(written)}.{left_out}")


def _train(
    ctx: click.Context,
    *,
    preset: str,
    outdir: Path | None,
    profile: tuple[str, ...],
    force: bool,
    quiet: bool,
    data_dir: Path | None,
    offline: bool,
    snapshot_every: int,
    **overrides: Any,
) -> Path:
    """Train with snapshots; return the directory of the run."""
    auto = asks_for_order(overrides)
    settings = chosen_settings(preset, overrides)
    if settings.n_epochs < 1:
        raise SettingsError("--n-epochs is 0; a film needs at least one epoch")
    profiles = choose_profiles(profile)
    directory = RunDirectory(outdir or Path("runs") / f"animate-{preset}")
    directory.check(force=force)
    data = load(data_dir, offline=offline, progress=not quiet, name=settings.dataset)
    data = held_out(data, settings.n_validation)
    with flags_named():
        used = settings.check_data(data.train_images[0].size, len(data.train_images))
        if auto:
            settings = with_best_order(settings, HEADLINE, profiles[0].profile, used)
    settings.check_memory(used)
    records = [chosen.record() for chosen in profiles]
    run = Run({**configuration(ctx, preset, settings, data, used), "profiles": records})
    snapshots = Snapshots(settings, data, snapshot_every)
    with directory.locked():
        directory.claim(force=force)
        job = Job(
            directory,
            run,
            settings,
            data,
            profiles,
            traced=True,
            quiet=quiet,
            after_epoch=snapshots.after_epoch,
        )
        job.say(f"Data: {data.name}, {data.source}. Writing to {directory.path}.")
        run = job.carry_out(HEADLINE)
        assert job.book.prices is not None  # noqa: S101  # a traced run with profiles has them
        film = snapshots.film(run, job.book.prices)
        directory.add(run, {ARRAYS: as_npz(film.arrays()), TABLE: as_csv(film.table)})
    return directory.path


def _film(path: Path, fps: float) -> tuple[list[str], str]:
    """Draw the film of a run that has snapshots; the files written, and what they leave out."""
    directory = RunDirectory(path)
    with directory.locked_run():
        return _drawn(directory, fps)


def _drawn(directory: RunDirectory, fps: float) -> tuple[list[str], str]:
    from ffenergy.report.pictures import film  # matplotlib takes a second to import
    from ffenergy.report.pictures import (
        film_files as moving_pictures,  # matplotlib takes a second to import
    )

    run = directory.read(warn)
    settings, data = run.settings, run.configuration["data"]
    subtitles = film.Subtitles(
        network="-".join(map(str, settings.layer_sizes)),
        data=f"{data['name'].upper()}, {data['train_images']:,} training images",
        threshold=settings.threshold,
        error_on=run.error_on,
    )
    frames = list(film.frames(_snapshots(directory), subtitles))
    videos, notes = {}, ""
    if moving_pictures.has_encoder():
        videos = moving_pictures.videos(Path(FILM).stem, frames, fps)
    else:
        notes = " MP4 and WebM need an encoder: pip install 'ffenergy[film]'."
    content, step = moving_pictures.gif(frames, fps)
    directory.add(run, {FILM: content, **videos})
    if step > 1:
        notes = f" {FILM} shows one of every {step} frames, to stay below 5 MB.{notes}"
    return [FILM, *videos], notes


def _snapshots(directory: RunDirectory) -> Film:
    path, there = directory.path, directory.files()
    for name in (ARRAYS, TABLE):
        if name not in there:
            raise OutputError(
                f"{path} holds no snapshots ({name}); a run of `ffenergy animate` has them, "
                "once it came to its end"
            )
    arrays, table = directory.read_arrays(ARRAYS), directory.read_table(TABLE, COLUMNS)
    try:
        return Film.of(arrays, table)
    except ValueError as error:
        raise OutputError(
            f"{path}: {ARRAYS} and {TABLE} are no film: {error}; train it again"
        ) from error
