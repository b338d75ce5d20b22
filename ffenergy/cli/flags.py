"""Flags shared by the commands; every field of `Settings` is one, made from the dataclass."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from ffenergy import machine_memory
from ffenergy.cli.help import Command, help_all_flag
from ffenergy.costs.prices import MEMORIES
from ffenergy.energy import DEFAULT_PROFILES, profiles
from ffenergy.errors import SettingsError
from ffenergy.network.normalization import WAYS
from ffenergy.settings import CHOICES, PRESETS, Settings

HELP = {
    "seed": "Seed of every random stream. The same seed gives the same bits.",
    "dataset": "The images that are learned.",
    "n_train": "Training images used, the first ones; 0: all.",
    "n_validation": "Hold the last so many training images out and take errors on them, in the "
    "place of the test set, which is not touched: for choosing hyper-parameters.",
    "dtype": "Type of all numbers.",
    "layer_sizes": "Input pixels, then the hidden widths.",
    "local_fields": "Locally connected layers, field/stride x channels, such as "
    "10x10/6x128,2x2/1x220; empty: dense.",
    "batch_size": "Images in a batch. Forward-Forward adds as many hybrids.",
    "n_epochs": "Epochs of every rule; the softmax head has its own.",
    "goodness": "Goodness of a layer, of its squared activities.",
    "threshold": "θ per neuron: goodness above it means real.",
    "temperature": "Divides the goodness minus θ before the logistic.",
    "normalization": "L2 normalisation of every layer's input.",
    "normalize_as": "Normalise activities, or the next product. Deferred, each "
    "row's factor is applied to the product of the layer above, equal to rounding, and the sum "
    "of squares is the goodness' own.",
    "peer_strength": "λ of peer normalisation; 0 switches it off.",
    "init": "Initial weights N(0, std), std: sqrt2 is √2, fan_in 1/√fan-in, he √(2/fan-in).",
    "optimizer": "Of every rule; the softmax head has its own.",
    "lr": "Learning rate of Forward-Forward.",
    "schedule": "Learning rate over the steps.",
    "weight_decay": "Decay of the weights: L2 in their gradient; adamw: beside its step.",
    "negative_pairs": "Halves of a hybrid: independent images, or one shared with the positive.",
    "n_blur": "Blurs of the random mask before its threshold.",
    "greedy_input": "Input of a layer in ff-greedy: recompute it in every step through the frozen "
    "layers below, or store it once for all images.",
    "hybrid_loss": "Loss of bp-hybrid: that of all layers, or of the top one alone.",
    "label_answer": "Who answers in ff-label: a softmax head, or the goodness of ten labels.",
    "passes": "Positives and negatives in one matmul (joined) or one each (separate).",
    "order": "Batch by batch, or layers by groups. step-major: a batch goes through "
    "all layers before the next one; layer-major: --in-flight batches go through a group of "
    "layers, then through the next group: the same numbers, for rules whose layers do not wait for "
    "each other.",
    "in_flight": "Batches in flight in layer-major order, or auto. It chooses order, batches and "
    "groups for the on-chip memory of the first --profile.",
    "layer_groups": "Layers in each group of layer-major order, such as 2,1,1; empty: one each.",
    "gradient": "Gradient of a layer's weights. stored: whole; at-once: consumed by the optimiser, "
    "block by block; one-visit: as at-once, and each block of weights also passes back (backprop) "
    "or takes the next of the batches in flight forward (Forward-Forward, Mono-Forward).",
    "bp_activations": "Backprop's activations: stored, or recomputed on the way back.",
    "bp_lr": "Learning rate of backprop and of Mono-Forward.",
    "bp_weight_decay": "L2 decay of the weights of backprop and of Mono-Forward; -1: as "
    "--weight-decay.",
    "head_layers": "The softmax head sees this many of the last hidden layers.",
    "head_feature_scale": "Scale of the head's features.",
    "head_optimizer": "Of the head.",
    "head_schedule": "Learning rate of the head over its steps.",
    "head_init_std": "Standard deviation of the head's initial weights.",
    "head_batch_size": "Images in a step of the head.",
    "head_weight_decay": "L2 decay of the head's weights.",
    "ridge_strength": "Of ridge: what is added to the mean squares of the features.",
    "head_averaging": "η of the polynomial-decay mean of the head's weights over its epochs; 0: "
    "the last weights answer.",
    "softmax_lr": "Learning rate of the softmax head.",
    "softmax_epochs": "Epochs of the softmax head.",
}

# The flags that the reference project has, first in every help text and in its order.
FIRST: tuple[str, ...] = (
    "seed",
    "n_epochs",
    "layer_sizes",
    "batch_size",
    "lr",
    "threshold",
    "n_train",
)
FIRST += ("softmax_epochs",)
ALSO: dict[str, str] = {"n_validation": "--validation"}
KINDS: dict[str, type] = {"int": int, "float": float}
METAVARS = {"int": "INTEGER", "float": "NUMBER"}
DEFAULT_PRESET = "quick"
SETTING_NAMES = re.compile(
    rf"\b({'|'.join(name for name in HELP if '_' in name)})\b|^({'|'.join(HELP)})\b"
)
"""Names of settings in a message: those that are no words of English, and one that begins it."""


def settings_flags(command: Command) -> Command:
    """Add --preset and one flag per setting; the command receives them as keywords."""
    fields = {field.name: field for field in dataclasses.fields(Settings)}
    names = [*FIRST, *(name for name in fields if name not in FIRST)]
    usual = Settings.from_preset(DEFAULT_PRESET).to_dict()
    command = help_all_flag(command)
    for name in reversed(names):
        command = click.option(
            *filter(None, [ALSO.get(name), f"--{name.replace('_', '-')}"]),
            name,
            type=_kind(name, str(fields[name].type)),
            metavar=METAVARS.get(str(fields[name].type)) if name not in CHOICES else None,
            help=f"{HELP[name]} [{plain_text(usual[name])}]",
        )(command)
    return click.option(
        "--preset",
        type=click.Choice(PRESETS),
        default=DEFAULT_PRESET,
        show_default=True,
        help="Named settings; see `ffenergy presets`. Flags of single settings override them.",
    )(command)


AUTO: Final = "auto"


def _number_or_auto(text: str) -> int | str:
    """Read a number of batches, or ``auto``; a type of click."""
    if text == AUTO:
        return text
    try:
        return int(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is neither a whole number nor {AUTO}.") from None


def asks_for_order(overrides: dict[str, Any]) -> bool:
    """Take ``auto`` out of the flags of settings; tell whether it was there. SettingsError."""
    asked = overrides.get("in_flight") == AUTO
    if asked:
        for name in ("order", "layer_groups"):
            if overrides.get(name) is not None:
                raise SettingsError(f"--in-flight auto chooses {flag_of(name)}; leave one out")
        overrides["in_flight"] = None
    return asked


def _kind(name: str, annotation: str) -> Any:
    if name == "in_flight":
        return _number_or_auto
    if name == "normalization":
        return _Normalization(CHOICES[name])
    return click.Choice(CHOICES[name]) if name in CHOICES else KINDS.get(annotation, str)


class _Normalization(click.Choice[str]):
    """What is normalised to; whoever says how it is done is shown the flag for that."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value in WAYS:
            self.fail(f"{value!r} is a way to do it; give --normalize-as {value}.", param, ctx)
        return super().convert(value, param, ctx)


def chosen_settings(preset: str, overrides: dict[str, Any]) -> Settings:
    """The preset with the flags that were given laid over it. Raises SettingsError."""
    given = {name: value for name, value in overrides.items() if value is not None}
    with flags_named():
        return Settings.from_preset(preset).replace(**given)


@contextmanager
def flags_named() -> Iterator[None]:
    """Let messages about settings name the flags by which they are set."""
    try:
        yield
    except SettingsError as error:
        message = SETTING_NAMES.sub(lambda found: flag_of(found[0]), error.message)
        raise type(error)(message) from None


def is_given(ctx: click.Context, name: str) -> bool:
    """Whether a parameter was typed, and has not its default."""
    return ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE


def check_force(outdir: Path | None, *, force: bool) -> None:
    """Raise SettingsError if there is nothing that ``force`` could replace."""
    if force and outdir is None:
        raise SettingsError("--force replaces what is in --outdir; name it, or leave --force out")


def pricing_flags_given(ctx: click.Context) -> list[str]:
    """Flags that were typed and say how steps are priced."""
    flags = {"profile": "--profile", "met": "--memory", "scenario": "--scenario"}
    return [flag for name, flag in flags.items() if is_given(ctx, name)]


def flag_of(name: str) -> str:
    """The flag of a setting."""
    return f"--{name.replace('_', '-')}"


def plain_text(value: Any) -> str:
    """A setting as it is typed."""
    if isinstance(value, list):
        return ",".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value) or "empty"


class Several(click.types.StringParamType):
    """Text that names some of the `known`, with commas; a shell completes the last of them."""

    def __init__(self, known: Iterable[str]) -> None:
        self.known = tuple(known)

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        """The choices, as click shows those of one."""
        return f"[{'|'.join(self.known)}],…"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The names that the last one may become."""
        before, comma, begun = incomplete.rpartition(",")
        fitting = (name for name in self.known if name.startswith(begun))
        return [CompletionItem(f"{before}{comma}{name}") for name in fitting]


class NumberRange(click.FloatRange):
    """A range of numbers; NaN, which click lets through, lies in none."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Convert as click does, and refuse NaN."""
        number = float(super().convert(value, param, ctx))
        if math.isnan(number):
            self.fail(f"{value} is not a number.", param, ctx)
        return number


class NamedFolder(click.Path):
    """A folder; an empty name, which would be the current one, is refused."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Convert as click does, and refuse the empty name."""
        if not str(value):
            self.fail("the name of the folder is empty; write . for the current one.", param, ctx)
        return super().convert(value, param, ctx)


def resume_flags(command: Command) -> Command:
    """Add --resume, --checkpoint-seconds and --allow-different-bits."""
    command = click.option(
        "--allow-different-bits",
        is_flag=True,
        help="With --resume: go on under another BLAS, number of threads, NumPy or processor than "
        "the run began with. run.json names them all.",
    )(command)
    command = click.option(
        "--checkpoint-seconds",
        type=NumberRange(min=0),
        default=10.0,
        show_default=True,
        help="Least time between two checkpoints, which are written after an epoch.",
    )(command)
    return click.option(
        "--resume",
        is_flag=True,
        help="Go on with the run in --outdir, bit for bit. It ends as if it had never stopped, on "
        "a like machine with as many BLAS threads; settings are those it began with, and so are "
        "profiles unless --profile names others. Where there is no run, begin it.",
    )(command)


def met_flag(command: Command) -> Command:
    """Add --memory; the command receives `met`, None where the user left it open."""
    return click.option(
        "--memory",
        "met",
        type=click.Choice(MEMORIES),
        help="What the bytes meet. A cache with write-backs (products as BLAS packs them), a "
        "scratchpad, which knows what is dead and drops it, or a memory managed by who knows what "
        f"will be used again. Scenarios have their own.  [default: {MEMORIES[0]}]",
    )(command)


def memory_flag(command: Command) -> Command:
    """Add --max-memory, which holds for the whole command."""

    def limit(ctx: click.Context, param: click.Parameter, text: str | None) -> None:
        if text is not None:
            ctx.with_resource(machine_memory.limited(machine_memory.parsed(text)))

    return click.option(
        "--max-memory",
        metavar="BYTES",
        is_eager=True,
        expose_value=False,
        callback=limit,
        help="Refuse what needs more memory, such as 8GB; by default what this machine has.",
    )(command)


def data_flags(command: Command) -> Command:
    """Add --data-dir and --offline."""
    command = click.option(
        "--offline", is_flag=True, help="Do not ask the network for data that is not here."
    )(command)
    return click.option(
        "--data-dir",
        type=NamedFolder(),
        help="Folder with the four IDX files, .gz or plain. Or with a subfolder of the data set's "
        "name that has them; FFENERGY_DATA_DIR does the same. Without it: cache, download, or "
        "the small sample of MNIST inside the package.",
    )(command)


def fitting_profiles(
    ctx: click.Context, param: click.Parameter, begun: str
) -> list[CompletionItem]:
    """What a shell completes a profile to: a bundled one, else a file."""
    found = [CompletionItem(name) for name in profiles() if name.startswith(begun)]
    return found or [CompletionItem(begun, type="file")]


def profile_flags(command: Command) -> Command:
    """Add --profile, which may be repeated; the command receives `profile`, a tuple of names."""
    return click.option(
        "--profile",
        multiple=True,
        metavar="NAME|FILE",
        shell_complete=fitting_profiles,
        help="Prices of a chip; `ffenergy profiles` shows them. Or a TOML file with your own. "
        "Repeat it for more, the first is the headline.  "
        f"[default: {' and '.join(DEFAULT_PROFILES)}]",
    )(command)


def output_flags(command: Command) -> Command:
    """Add --outdir, --force and --quiet."""
    command = click.option(
        "--quiet", "-q", is_flag=True, help="No progress and no tables, only errors."
    )(command)
    command = click.option(
        "--force",
        is_flag=True,
        help="Replace an older run in --outdir. That is, the files that it recorded.",
    )(command)
    return click.option(
        "--outdir",
        type=NamedFolder(),
        help="Where it is written. By default a folder under runs/.",
    )(command)
