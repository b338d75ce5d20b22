"""`ffenergy compare` and `ffenergy train`: train, save, report."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from ffenergy.cli.answering import Answering, answer_flags, where_it_is
from ffenergy.cli.flags import (
    Several,
    asks_for_order,
    chosen_settings,
    data_flags,
    flags_named,
    memory_flag,
    met_flag,
    output_flags,
    pricing_flags_given,
    profile_flags,
    resume_flags,
    settings_flags,
)
from ffenergy.cli.help import Grouped
from ffenergy.cli.job import Job
from ffenergy.cli.progress import warn
from ffenergy.cli.provenance import configuration
from ffenergy.cli.resuming import (
    checkpoints_of,
    same_bits,
    same_order,
    same_origin,
    same_rules,
    same_settings,
)
from ffenergy.cli.rule_flags import known, named, rule_flags
from ffenergy.costs.fitting import with_best_order
from ffenergy.costs.measuring import check_memory
from ffenergy.data import held_out, load
from ffenergy.energy import choose_profiles
from ffenergy.errors import SettingsError
from ffenergy.report import headline
from ffenergy.report.book import saved_profiles
from ffenergy.report.screen import about_run
from ffenergy.report.text import everything
from ffenergy.rules import registry
from ffenergy.rules.registry import rules
from ffenergy.runs.directory import RunDirectory
from ffenergy.runs.run import Run


@click.command(cls=Grouped)
@click.option(
    "--algorithms",
    type=Several(rules()),
    metavar="NAMES",
    default=known(lambda kind: kind.compared).replace(" ", ""),
    show_default=True,
    help=f"What to train, with commas, among {known()}.",
)
@rule_flags
@output_flags
@answer_flags
@resume_flags
@memory_flag
@profile_flags
@met_flag
@data_flags
@settings_flags
@click.pass_context
def compare(ctx: click.Context, /, *, algorithms: str, **flags: Any) -> None:
    r"""Train Forward-Forward, backprop and an untrained control, and compare what moved.

    They get the same data, widths, batches, optimiser and number of epochs. The untrained
    control has random frozen layers under the softmax head that Forward-Forward also gets: what
    it reaches owes nothing to learning in the hidden layers.

    \b
    Examples:
      ffenergy compare
      ffenergy compare --layer-sizes 784,1000,1000 --n-epochs 8 --outdir runs/wide
      ffenergy compare --preset seed --n-train 20000
      ffenergy compare --algorithms ff,ff-greedy,bp,random
      ffenergy compare --outdir runs/compare-quick --resume

    \b
    Written to --outdir:
      summary.csv    a row per algorithm, eager and fused: errors, bytes, flops, ByteDMD, joules
      scenarios.csv  each algorithm as it runs, well built, and at the least
      ratios.csv     Forward-Forward over backprop under every bundled profile, with intervals
      traffic.csv    bytes and flops per algorithm, layer, phase, operation, role
      normalize.csv  what L2 normalisation costs, per layer, eager and fused
      targets.csv    bytes and joules up to 5, 3, 2 and 1.5 % test error
      decomposition.csv  from backprop to Forward-Forward in signed parts
      well-built.csv     the same where both are well built; the order is a part
      energy.csv, levels.csv, reuse.csv, misses.csv, live.csv, peak.csv, alive.csv, work.csv,
      steps.csv      one step of every kind, priced under each --profile
      history.csv    losses, separation, errors and cumulative bytes per epoch
      run.json       settings, versions, data, seed, step signatures
      report.html    all of it on one page to read and to send, with a what-if for the hardware
      report.md      the tables as plain text, with the pictures (PNG)
      weights.npz, examples.npz   what `ffenergy report` redraws the pictures from

    Eager bytes are counted per operation: each streams its operands in and its result out, no
    cache. Fused ones count a declared group of operations as one kernel. Joules follow from the
    distance of every byte's last use; see `ffenergy profiles` for the constants.
    """
    _carry_out(ctx, "compare", algorithms, "--algorithms", traced=True, **flags)


@click.command(cls=Grouped)
@click.argument("algorithm", type=Several(rules()), metavar="ALGORITHM")
@rule_flags
@click.option("--no-trace", is_flag=True, help="Train on plain arrays: same bits, no counts.")
@output_flags
@answer_flags
@resume_flags
@memory_flag
@profile_flags
@met_flag
@data_flags
@settings_flags
@click.pass_context
def train(ctx: click.Context, /, algorithm: str, *, no_trace: bool, **flags: Any) -> None:
    r"""Train one algorithm; several with commas.

    ff is Forward-Forward, ff-greedy the same layer by layer, bp backprop, mono-forward
    Mono-Forward, random the untrained control.

    Writes the same files as `ffenergy compare`. With --no-trace the training is the same bit for
    bit, and the tables hold errors and times only.

    \b
    Examples:
      ffenergy train ff --preset best
      ffenergy train bp --n-epochs 2 --no-trace
    """
    _carry_out(ctx, f"train-{algorithm}", algorithm, "ALGORITHM", traced=not no_trace, **flags)


def _carry_out(
    ctx: click.Context,
    name: str,
    asked_for: str,
    flag: str,
    *,
    traced: bool,
    preset: str,
    outdir: Path | None,
    profile: tuple[str, ...],
    met: str | None,
    force: bool,
    resume: bool,
    checkpoint_seconds: float,
    allow_different_bits: bool,
    quiet: bool,
    verbose: bool,
    as_json: bool,
    conditions: list[headline.Condition],
    scenario: str,
    data_dir: Path | None,
    offline: bool,
    **overrides: Any,
) -> None:
    """Check everything that can be checked, then train, save after each algorithm, report."""
    directory = RunDirectory(outdir or Path("runs") / f"{name}-{preset}")
    auto = asks_for_order(overrides)
    if resume and force:
        raise SettingsError("--resume goes on with what --force replaces; give one of the two")
    prices = [flag for flag in pricing_flags_given(ctx) if not (auto and flag == "--profile")]
    if prices and not traced:
        raise SettingsError(f"--no-trace counts nothing to price; leave it or {prices[0]} out")
    settings = chosen_settings(preset, overrides)
    earlier: Run | None = None
    with ExitStack() as stack:
        if resume and directory.holds_run():  # read under the lock under which it goes on
            stack.enter_context(directory.locked_run())
            earlier = directory.read(warn).without_unfinished()
            same_rules(earlier)
            settings = same_settings(ctx, earlier, settings, auto=auto)
        algorithms = named(asked_for, flag)
        there = (*algorithms, *(earlier.results if earlier else ()))
        headline.check_known(conditions, there, scenario, trains=True, counts=traced)
        if earlier and not profile:
            profiles = saved_profiles(earlier)
        else:
            profiles = choose_profiles(profile, settings.dtype)
        if not earlier:
            directory.check(force=force)  # makes the folder
        data = load(data_dir, offline=offline, progress=not quiet, name=settings.dataset)
        with flags_named():
            registry.check_rules(algorithms, settings)
            data = held_out(data, settings.n_validation)
            used = settings.check_data(data.train_images[0].size, len(data.train_images))
        if auto:
            with flags_named():
                best = with_best_order(settings, algorithms, profiles[0].profile, used)
            if earlier:
                same_order(settings, best)
            settings = best
        settings.check_memory(used)
        if traced:
            check_memory(settings, algorithms, used)
        records = [chosen.record() for chosen in profiles]
        begun = {**configuration(ctx, preset, settings, data, used), "traced": traced}
        if origins := registry.origins(algorithms):
            begun["rules"] = origins
        fresh = Run(begun).with_profiles(records).in_memory(met)
        if earlier:
            same_origin(earlier, fresh)
            earlier = same_bits(earlier, fresh, different=allow_different_bits)
            earlier = earlier.with_profiles(records).in_memory(met)
        else:
            stack.enter_context(directory.locked())
            directory.claim(force=force)
        job = Job(
            directory,
            earlier or fresh,
            settings,
            data,
            profiles,
            traced=traced,
            quiet=quiet,
            checkpoints=checkpoints_of(
                directory, fresh, checkpoint_seconds, different_bits=allow_different_bits
            ),
        )
        begins = "Going on with" if earlier else "Writing to"
        job.say(f"Data: {data.name}, {data.source}. {begins} {directory.path}.")
        with flags_named():
            job.carry_out(algorithms)
    asked = Answering(quiet, verbose, as_json, conditions, scenario)
    after = where_it_is(directory.path)
    asked.tell(job.book, about_run(job.book), after, str(directory.path), everything)
