"""`ffenergy export`: a run in the formats of other tools."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ffenergy.cli.flags import NamedFolder, fitting_profiles, is_given
from ffenergy.cli.progress import warn, warn_if_long_to_price
from ffenergy.cli.resuming import check_finished, how_to_finish
from ffenergy.cli.rule_flags import rule_flags
from ffenergy.costs.rehearsal import Workload
from ffenergy.energy import DEFAULT_PROFILES, load_profile
from ffenergy.errors import SettingsError
from ffenergy.export import parquet, perfetto
from ffenergy.export.timeline import timeline, trains_all_layers_at_once
from ffenergy.files.atomic import encoded
from ffenergy.runs.directory import RunDirectory
from ffenergy.runs.run import Run


@click.command()
@click.argument("run", type=NamedFolder())
@rule_flags
@click.option("--perfetto", "as_trace", is_flag=True, help=f"Write {perfetto.FILE}.")
@click.option("--parquet", "as_parquet", is_flag=True, help="Write .parquet beside every .csv.")
@click.option(
    "--algorithms", help="With --perfetto: which, with commas; by default all that train layers."
)
@click.option(
    "--profile",
    metavar="NAME|FILE",
    shell_complete=fitting_profiles,
    default=DEFAULT_PROFILES[0],
    show_default=True,
    help="With --perfetto: hardware profile of the energy, a name or a TOML file.",
)
@click.option("--quiet", "-q", is_flag=True, help="Write the files, print nothing.")
def export(
    run: Path,
    *,
    as_trace: bool,
    as_parquet: bool,
    algorithms: str | None,
    profile: str,
    quiet: bool,
) -> None:
    r"""Write the saved RUN for other tools: a trace for Perfetto, tables as Parquet.

    --perfetto writes one training step of each algorithm, recorded on random pixels with the
    settings of RUN, as trace events: a track per layer, an event per array operation with its
    operands, counters for bytes, live memory and energy. Open it at https://ui.perfetto.dev or
    chrome://tracing. Operations were not timed: 1 ns on the axis is 1 byte moved.

    \b
    Examples:
      ffenergy export runs/compare-quick --perfetto
      ffenergy export runs/compare-quick --parquet
    """
    if not (as_trace or as_parquet):
        raise SettingsError("nothing to export; give --perfetto, --parquet or both")
    ctx = click.get_current_context()
    for name in ("algorithms", "profile"):
        if is_given(ctx, name) and not as_trace:
            raise SettingsError(f"--{name} is for --perfetto; give it, too, or leave --{name} out")
    directory = RunDirectory(run)
    written: dict[str, bytes] = {}
    with directory.locked_run():
        saved = directory.read(warn)
        if as_trace:
            check_finished(run, saved)
            hardware = load_profile(profile)
            work = _workload(saved)
            names = _chosen(saved, algorithms, work)
            if not quiet:
                warn_if_long_to_price(names, saved.settings)
            document = perfetto.document([timeline(name, work, hardware) for name in names])
            written[perfetto.FILE] = encoded(json.dumps(document, allow_nan=False) + "\n")
        if as_parquet:
            written |= parquet.tables(directory)
        directory.add(saved, written)
    if not quiet:
        click.echo(f"Written to {run}: {', '.join(written)}.")


def _workload(run: Run) -> Workload:
    data = run.configuration["data"]
    settings = run.settings
    return Workload(settings, data["train_images"], data["test_images"])


def _chosen(run: Run, algorithms: str | None, work: Workload) -> list[str]:
    """The algorithms asked for, or all of the run that have a training step of hidden layers."""
    able = [name for name in run.algorithms if trains_all_layers_at_once(name, work)]
    is_whole = run.configuration["status"] == "complete"
    more = "" if is_whole else f"; it is not finished, {how_to_finish(run)}"
    asked = able if algorithms is None else [name.strip() for name in algorithms.split(",")]
    for name in asked:
        if name not in able or asked.count(name) > 1:
            raise SettingsError(
                f"--algorithms has {name!r}; the run has training steps of "
                f"{', '.join(able) or 'no algorithm'}; name each at most once, with commas{more}"
            )
    if not asked:
        raise SettingsError(f"the run has finished no algorithm that trains hidden layers{more}")
    return asked
