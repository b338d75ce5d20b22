"""`ffenergy map`: every on-chip size, batch, width and optimiser, and who wins there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import click
import pandas as pd

from ffenergy.cli.answering import print_json
from ffenergy.cli.flags import (
    NamedFolder,
    Several,
    check_force,
    fitting_profiles,
    is_given,
    memory_flag,
)
from ffenergy.cli.help import Grouped
from ffenergy.cli.progress import warn, warn_if_long
from ffenergy.cli.provenance import versions
from ffenergy.cli.rule_flags import rule_flags
from ffenergy.costs import as_it_runs, regimes
from ffenergy.costs import map as whole_map
from ffenergy.costs.measuring import check_memory, pricing_seconds
from ffenergy.costs.network import MNIST_IMAGES, Network, network_of, shapes
from ffenergy.costs.run_costs import measured_kinds, measured_work, tabulate
from ffenergy.energy import DEFAULT_PROFILES, Profile, choose_profiles, profiles
from ffenergy.errors import SettingsError
from ffenergy.files.contents import as_csv
from ffenergy.report import map_table, screen, text
from ffenergy.rules import registry
from ffenergy.runs.directory import RunDirectory
from ffenergy.settings import Settings, check_once

UNITS: Final = {"KIB": 2**10, "MIB": 2**20, "GIB": 2**30}
LEAST_BYTES: Final = 2**10
MOST_BYTES: Final = 2**40
SIZE: Final = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*")
CLOSED_FORMS: Final = "map.csv: closed forms, bytes and energy of a batch"
COUNTED: Final = "; measured.csv, regimes.csv: programs that the instrument counted"
HEADLINE: Final = ("adam", 100)
"""Of the line of chips, where no run says otherwise."""


def against_backprop() -> list[str]:
    """Names of the closed forms that are held against backprop's."""
    return [rule for rule in shapes() if rule != registry.BACKPROP]


@click.command("map", cls=Grouped)
@click.argument("run", required=False, type=NamedFolder())
@rule_flags
@click.option(
    "--width", default="1000,2000", show_default=True, help="Units of every hidden layer, a list."
)
@click.option(
    "--depth", default=4, show_default=True, type=click.IntRange(1, 64), help="Hidden layers."
)
@click.option(
    "--batch-size",
    default=",".join(map(str, whole_map.BATCHES)),
    show_default=True,
    help="Images in a batch, a list.",
)
@click.option(
    "--optimizer",
    type=Several(whole_map.OPTIMIZERS),
    default=",".join(whole_map.OPTIMIZERS),
    show_default=True,
    help="Optimisers, a list.",
)
@click.option(
    "--on-chip",
    default="64KiB-256MiB",
    show_default=True,
    help="Memory on the chip: a range that is doubled through, or a list such as 4MiB,16MiB; in "
    "KiB, MiB or GiB.",
)
@click.option(
    "--rules",
    type=Several(against_backprop()),
    metavar="NAMES",
    help=f"What is held against backprop, with commas, among {', '.join(against_backprop())}. "
    "Left out by default are rules whose layers learn one after the other (greedy), and local, a "
    "label-taught rule without heads that nobody trains.  "
    f"[default: {','.join(whole_map.local_rules())}]",
)
@click.option(
    "--profile",
    multiple=True,
    metavar="NAME|FILE",
    shell_complete=fitting_profiles,
    help="Hardware profile, or a TOML file with your own; repeat it for more, the first is the "
    "headline [default: every bundled one]. `ffenergy profiles` shows them.",
)
@click.option(
    "--measure",
    "measured",
    is_flag=True,
    help="Also count a step of RUN's network (else of the first: Adam, batch 100) as it runs and "
    "well built, for energy.png, measured.csv and regimes.csv; some minutes.",
)
@click.option("--outdir", type=NamedFolder(), help="Where map.csv and pictures go.")
@click.option("--force", is_flag=True, help="Replace an older map in the output directory.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole table as JSON.")
@click.option("--csv", "as_table", is_flag=True, help="Print the whole table as CSV.")
@memory_flag
@click.option("--quiet", "-q", is_flag=True, help="Write the files, print nothing.")
def map_command(
    run: Path | None,
    *,
    width: str,
    depth: int,
    batch_size: str,
    optimizer: str,
    on_chip: str,
    rules: str | None,
    profile: tuple[str, ...],
    measured: bool,
    outdir: Path | None,
    force: bool,
    as_json: bool,
    as_table: bool,
    quiet: bool,
) -> None:
    r"""Show where Forward-Forward spends less energy than backprop, and where that is proven.

    Each rule runs in its best order of computation: batches in flight, groups of layers. A rule's
    best order below backprop's lower bound is a proof; where no bound decides, the best known
    orders are compared; where the uncertainty of a chip's constants does, it is undecided. All of
    it is in closed form: nothing is trained or measured, and the memory on the chip is managed.
    Only --measure counts programs, in the memory that --max-memory allows: as they run, and with
    every rule in its best order where no layer fits on the chip, one does, all do.

    Backprop keeps its activations; of one that computes them again the column holds_if_replayed
    tells, and `ffenergy measure --bp-activations recomputed` counts its steps.

    RUN, a run directory, sets the network, its batch and its optimiser.

    With --outdir: map.csv (every place), map.html (figures of every chip, widths on a slider),
    map.png (regions), energy.png (energy against on-chip memory), these also as SVG, and map.json
    (how they were made). With --measure, energy.png shows programs as they run, counted by the
    instrument (measured.csv: eager, the usual order), and regimes.csv has them beside well built
    ones and the bounds; where no bound decides, map.csv says who spends less as measured.

    \b
    Examples:
      ffenergy map
      ffenergy map --outdir runs/map
      ffenergy map --profile tpuv4i --width 500,1000 --depth 3
      ffenergy map --on-chip 4MiB,16MiB,64MiB --batch-size 100 --csv
    """
    if measured and outdir is None:
        raise SettingsError("--measure writes measured.csv and energy.png; name --outdir")
    if not measured and is_given(click.get_current_context(), "max_memory"):
        raise SettingsError("--max-memory is for --measure; leave it out, or add that")
    if as_json and as_table:
        raise SettingsError("--json and --csv both print the table; give one of the two")
    chosen = choose_profiles(profile or every_profile(), "float32")
    hardware = [one.profile for one in chosen]
    sizes = parsed_sizes(on_chip)
    asked = whole_map.local_rules() if rules is None else parsed_rules(rules)
    batches, optimizers = numbers("--batch-size", batch_size), names(optimizer)
    if run is not None:
        found, shown = _around(run, batches, optimizers)
    else:
        found = whole_map.networks(numbers("--width", width), depth, batches, optimizers)
        shown = headline(found)
    check_force(outdir, force=force)
    directory = RunDirectory(outdir, "map.json") if outdir is not None else None
    if directory is not None:
        directory.check(force=force)
    if measured:
        _check_countable(shown, quiet=quiet)
    table = whole_map.rows(found, sizes, hardware, asked)
    tables = {"map": table}
    if directory is not None:
        document = {
            "what": CLOSED_FORMS + (COUNTED if measured else "; nothing is measured"),
            "networks": sorted({"-".join(map(str, one.layer_sizes)) for one in found}),
            "on_chip_bytes": sizes,
            "rules": asked,
            "profiles": [one.record() for one in chosen],
            "versions": versions(),
        }
        with directory.locked():
            directory.claim(force=force)
            if measured:
                tables |= _counted(shown, hardware[0])
                ratios = regimes.ratios(tables["regimes"], shown)
                tables["map"] = table = whole_map.with_measured(table, ratios)
            contents = {f"{name}.csv": as_csv(one) for name, one in tables.items()}
            drawn = pictures(found, shown, hardware, tables.get("measured"))
            directory.change(document, contents | drawn)
    if as_json:
        print_json(table.astype(object).where(table.notna(), None).to_dict("records"))
    elif as_table:
        click.echo(as_csv(table).decode(), nl=False)
    elif not quiet:
        for line in screen.of_map(table, shown, hardware):
            click.echo(line)
        if measured:
            in_regimes = map_table.by_regime(tables["regimes"], shown, hardware[0])
            click.echo("\n" + text.table(in_regimes))
        if directory is not None:
            csvs = ", ".join(f"{name}.csv" for name in tables)
            click.echo(f"Written to {directory.path}: {csvs}, map.html, map.png, energy.png.")
        else:
            click.echo("All places: --csv, --json; pictures: --outdir DIR.")


def _around(run: Path, batches: list[int], optimizers: list[str]) -> tuple[list[Network], Network]:
    """The network of a saved run with other batches and optimisers, and as it is.

    Raises:
        SettingsError: flags say what its layers are, too.
    """
    ctx = click.get_current_context()
    for name in ("width", "depth"):
        if is_given(ctx, name):
            raise SettingsError(f"RUN has its own layers; leave --{name} or RUN out")
    shown = network_of_run(run)
    found = [
        shown.replace(batch_size=b, optimizer=o)
        for o in dict.fromkeys([*optimizers, shown.optimizer])
        for b in sorted({*batches, shown.batch_size})
    ]
    return found, shown


def every_profile() -> tuple[str, ...]:
    """All bundled profiles, the headline first."""
    return tuple(dict.fromkeys([*DEFAULT_PROFILES, *profiles()]))


def _settings_of(network: Network) -> Settings:
    """Settings whose steps are those of the network."""
    return Settings.from_preset("quick").replace(
        layer_sizes=",".join(map(str, network.layer_sizes)),
        batch_size=network.batch_size,
        optimizer=network.optimizer,
        dtype="float64" if network.itemsize == 8 else "float32",
        negative_pairs="shared" if network.shared_halves else "independent",
    )


def _check_countable(network: Network, *, quiet: bool) -> None:
    """Raise SettingsError if its programs do not fit into memory; say it if they take long."""
    settings = _settings_of(network)
    remedy = "--measure wants a smaller --width or --batch-size, or a smaller RUN"
    check_memory(settings, regimes.RULES, MNIST_IMAGES, remedy)
    if not quiet:
        seconds = pricing_seconds(regimes.RULES, settings)
        more = " each, and they are several"
        warn_if_long(f"Counting programs of {settings.network}", seconds, more)


def _counted(network: Network, profile: Profile) -> dict[str, pd.DataFrame]:
    """A step of Forward-Forward and backprop that the instrument counts: tables by name."""
    settings = _settings_of(network)
    work = measured_work(settings)
    kinds = measured_kinds(regimes.RULES, work, regimes.managed_analysis(network))
    prices = tabulate(kinds, [profile], whole_run=False)
    return {
        "measured": as_it_runs.energies(prices, network, profile),
        "regimes": regimes.table(prices, work, network, profile),
    }


def pictures(
    found: list[Network],
    shown: Network,
    hardware: list[Profile],
    measured: pd.DataFrame | None,
) -> dict[str, bytes]:
    """Contents of the pictures' files and of the page's by name."""
    from ffenergy.report.page import map_page  # draws, and matplotlib takes a second
    from ffenergy.report.pictures import energy_curves, map_regions
    from ffenergy.report.pictures.report import PICTURES

    layer_sizes = list(dict.fromkeys(one.layer_sizes for one in found))
    drawn = {
        "map": map_regions.render(layer_sizes, hardware[0]),
        "energy": energy_curves.render(shown, hardware[0], measured),
    }
    files = {
        f"{name}.{kind}": content
        for name, kinds in drawn.items()
        for kind, content in kinds.items()
    }
    described = next(picture for picture in PICTURES if picture.name == "map")
    page = map_page(shown, hardware, (described, drawn["map"]))
    return files | {"map.html": page.encode()}


def headline(found: list[Network]) -> Network:
    """The network of the line of chips: Adam and a hundred images, or what comes nearest."""
    return min(
        found,
        key=lambda one: (
            one.optimizer != HEADLINE[0],
            abs(one.batch_size - HEADLINE[1]),
        ),
    )


def network_of_run(run: Path) -> Network:
    """The network of a saved run. SettingsError for a network without closed forms."""
    saved = RunDirectory(run).read(warn)
    settings = Settings.from_saved(saved.configuration["settings"])
    network = network_of(settings)
    if network is None:
        raise SettingsError(
            f"{run}: locally connected layers have no closed form; name a dense run"
        )
    return network


def numbers(flag: str, given: str) -> list[int]:
    """A list of positive whole numbers. SettingsError."""
    found = []
    written = [one.strip() for one in given.split(",")]
    for one in written:
        if not one.isascii() or not one.isdigit() or not 0 < int(one) <= 10**6:
            raise SettingsError(f"{flag} has {one!r}; give whole numbers from 1 to 1,000,000")
        found.append(int(one))
    check_once(flag, found, written)
    return found


def names(given: str) -> list[str]:
    """Optimisers, in the order of the map. SettingsError."""
    asked = [one.strip() for one in given.split(",")]
    for one in asked:
        if one not in whole_map.OPTIMIZERS:
            raise SettingsError(
                f"--optimizer has {one!r}; choose among {', '.join(whole_map.OPTIMIZERS)}"
            )
    check_once("--optimizer", asked)
    return [one for one in whole_map.OPTIMIZERS if one in asked]


def parsed_rules(given: str) -> list[str]:
    """Rules held against backprop. SettingsError."""
    asked = [one.strip() for one in given.split(",")]
    known = against_backprop()
    for one in asked:
        if one not in known or asked.count(one) > 1:
            raise SettingsError(
                f"--rules has {one!r}; name each of {', '.join(known)} at most once"
            )
    return asked


def parsed_sizes(given: str) -> list[int]:
    """On-chip sizes in bytes, from a range that is doubled through or a list. SettingsError."""
    if "-" in given[1:]:  # a sign is no range
        low, _, high = given.partition("-")
        smallest, largest = size(low), size(high)
        if smallest > largest:
            raise SettingsError(f"--on-chip {given}: {low} is larger than {high}; turn them round")
        return whole_map.on_chip_sizes(smallest, largest)
    written = [one.strip() for one in given.split(",")]
    sizes = list(map(size, written))
    check_once("--on-chip", sizes, written)
    return sorted(sizes)


def size(given: str) -> int:
    """An amount of memory in bytes, such as 64KiB. SettingsError."""
    found = SIZE.fullmatch(given)
    scale = UNITS.get(found[2].upper()) if found else None
    nbytes = float(found[1]) * scale if found and scale else 0.0
    if not LEAST_BYTES <= nbytes <= MOST_BYTES:
        raise SettingsError(
            f"--on-chip has {given.strip()!r}; give a number with KiB, MiB or GiB, from 1 KiB to "
            "1 TiB"
        )
    return int(nbytes)
