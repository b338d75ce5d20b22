"""Every learning rule by its name: those of this package, of installed ones, and by reference.

A rule is a class, registered by the decorator of its module. Modules of ``ffenergy/rules/`` are
all read; other packages name theirs in the entry point group ``ffenergy.rules``, and a module
that is not installed is named on the command line, ``--rule module:Class``.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import pkgutil
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

from ffenergy.errors import FfenergyError, SettingsError
from ffenergy.network.orders import LAYER_MAJOR, STEP_MAJOR
from ffenergy.rules.kit.stages import Rule, Shape
from ffenergy.settings import Settings

GROUP: Final = "ffenergy.rules"
"""The entry point group; an entry is ``name = "module:Class"``, or a module that has several."""
HOME: Final = "ffenergy.rules"
"""The package whose modules are rules."""
FORWARD_FORWARD, BACKPROP = HEADLINE = ("ff", "bp")
"""Whom a report's headline compares, rule and baseline; nothing else knows rules by name."""
YOUR_OWN: Final = "or name one of your own with --rule module:Class"
"""What else can be done where a rule is not known."""
NAME: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
OURS: Final = ("ffenergy", "instrumented", "numpy")
"""Packages in which a stranger's rule does not go wrong by itself."""
COLOUR: Final = re.compile(r"#[0-9A-Fa-f]{6}")

Kind = TypeVar("Kind", bound=type[Rule])


class RuleError(SettingsError):
    """A rule that cannot be registered or found; one line says which and what to do."""


class RuleFailedError(FfenergyError):
    """A rule of another package raised at work; one line says which, where, and what."""


_registered: dict[str, type[Rule]] = {}
_broken: dict[str, str] = {}  # entry points that could not be read, and why
_referenced: dict[str, None] = {}  # by --rule, in their order
_packages: dict[str, str] = {}  # name and version of the package that brings a rule, by its name
_read = False


def rule(
    name: str, *, title: str, colour: str, short_title: str = "", order: int = 100
) -> Callable[[Kind], Kind]:
    """Register the decorated :class:`Rule` under ``name``.

    Args:
        name: what users type and files say: small letters, digits and hyphens.
        title: how tables and pictures call it.
        colour: in pictures, ``#RRGGBB``.
        short_title: for the labels of axes; the title by default.
        order: rules are listed by it, then by name.

    Raises:
        RuleError: a name, colour or closed form that is none, or a name that another rule has.
    """
    if not NAME.fullmatch(name):
        raise RuleError(f"rule name {name!r}; use small letters, digits and hyphens, as my-rule")
    if not COLOUR.fullmatch(colour):
        raise RuleError(f"rule {name} has colour {colour!r}; write it as #RRGGBB")

    def register(kind: Kind) -> Kind:
        strange = [one for one in kind.shapes.values() if not isinstance(one, Shape)]
        if strange:
            raise RuleError(f"rule {name} has the closed form {strange[0]!r}; make it a Shape")
        known = _registered.get(name)
        if known is not None and reference(known) != reference(kind):
            raise RuleError(
                f"two rules are named {name}: {reference(known)} and {reference(kind)}; rename one"
            )
        kind.name, kind.title, kind.colour, kind.order = name, title, colour, order
        kind.short_title = short_title or title
        _registered[name] = kind
        return kind

    return register


def rules() -> Mapping[str, type[Rule]]:
    """Every rule there is, by name, in the order of all tables."""
    _read_all()
    return {kind.name: kind for kind in sorted(_registered.values(), key=_place)}


def find(name: str) -> type[Rule]:
    """Return the rule ``name``; raises RuleError with the names there are."""
    known = rules()
    if name in known:
        return known[name]
    if name in _broken:
        raise RuleError(f"rule {name} cannot be read: {_broken[name]}; repair or uninstall it")
    raise RuleError(f"unknown algorithm {name!r}; choose one of {', '.join(known)}, {YOUR_OWN}")


def check_rules(names: Sequence[str], settings: Settings) -> None:
    """Ask the rules ``names`` whether they can train with ``settings``.

    Raises:
        SettingsError: one cannot, or none of them has the order of computation.
        RuleFailedError: one of another package raised something else.
    """
    check_order(names, settings)
    for name in names:
        with answering(name):
            find(name).check(settings)


def check_order(names: Sequence[str], settings: Settings) -> None:
    """Raise SettingsError if none of the rules ``names`` has the order of computation asked for."""
    if settings.order == LAYER_MAJOR and not any(find(name).local for name in names):
        known = ", ".join(name for name, kind in rules().items() if kind.local)
        raise SettingsError(
            f"order is {LAYER_MAJOR!r}, which {' and '.join(names)} cannot take; "
            f"choose {STEP_MAJOR}, or name one of {known} too"
        )


def pair(names: Iterable[str]) -> tuple[str, str] | None:
    """Return the first rule of ``names`` whose baseline is there too, and that baseline."""
    there = set(names)
    for name, kind in rules().items():
        if name in there and kind.baseline in there:
            return name, kind.baseline
    return None


def add(text: str) -> type[Rule]:
    """Read the rule that ``module:Class`` names; modules of the working directory count too.

    Raises:
        RuleError: it is not written so, cannot be imported, or is no registered rule.
    """
    _read_all()
    module, colon, attribute = text.partition(":")
    if not colon or not module or not attribute:
        raise RuleError(f"rule {text!r}; write module:Class, such as my_rule:MyRule")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    kind = _load(text, lambda: getattr(importlib.import_module(module), attribute))
    _referenced[text] = None
    return kind


def referenced() -> tuple[str, ...]:
    """What :func:`add` has read, for processes that must read it too."""
    return tuple(_referenced)


def reference(kind: type[Rule]) -> str:
    """Where a rule comes from, as ``module:Class``."""
    return f"{kind.__module__}:{kind.__qualname__}"


def is_own(kind: type[Rule]) -> bool:
    """Tell whether a rule is one of this package's."""
    return kind.__module__.startswith(f"{HOME}.")


def origins(names: Iterable[str]) -> dict[str, str]:
    """Where those of some rules that are not of this package come from, by name, in words."""
    found = {}
    for name in names:
        kind = rules().get(name)
        if kind is not None and not is_own(kind):
            package = _packages.get(name)
            found[name] = f"{reference(kind)} of {package}" if package else reference(kind)
    return found


@contextmanager
def answering(name: str) -> Iterator[None]:
    """Let the rule ``name`` work; what one of another package raises becomes one line.

    What a rule of this package raises is left as it is, and so are failures of the machine and
    what comes out of :func:`looking_on`.

    Raises:
        RuleFailedError: the line, with the innermost place that is not ours, NumPy's or Python's.
    """
    try:
        yield
    except _PassedError as passed:
        raise passed.error from passed.error.__cause__
    except (FfenergyError, MemoryError, OSError):
        raise
    except (Exception, SystemExit) as error:  # a stranger's rule may raise anything
        if is_own(find(name)):
            raise
        what = f"{type(error).__name__}: {error}"
        raise RuleFailedError(f"rule {name}{_theirs(error)}: {what}") from error


@contextmanager
def looking_on() -> Iterator[None]:
    """While a rule is at work, let a function of whoever trains it look on.

    What that raises is none of the rule's: it leaves :func:`answering` as it is.
    """
    try:
        yield
    except Exception as error:
        raise _PassedError(error) from error


class _PassedError(Exception):
    """Carries what a function that looked on has raised."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


def _theirs(error: BaseException) -> str:
    """Where a stranger's code raised, `` (file.py, line 7)``; empty if none of it was at work."""
    found = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        package = frame.f_globals.get("__name__", "").partition(".")[0]
        if package not in OURS and package not in sys.stdlib_module_names:
            found = f" ({Path(frame.f_code.co_filename).name}, line {line})"
    return found


def _place(kind: type[Rule]) -> tuple[int, str]:
    return kind.order, kind.name


def _read_all() -> None:
    """Read the modules of this package and the entry points of others, once."""
    global _read
    if _read:
        return
    _read = True
    for module in pkgutil.iter_modules([str(Path(__file__).parent)]):
        importlib.import_module(f"{HOME}.{module.name}")
    for entry in importlib.metadata.entry_points(group=GROUP):
        before = set(_registered)
        try:
            if ":" in entry.value:
                _load(entry.value, entry.load)
            else:
                entry.load()
        except (Exception, SystemExit) as error:  # noqa: BLE001  # a stranger's may raise anything
            _broken[entry.name] = f"{entry.value}{_theirs(error)}: {error}"
        if entry.dist is not None:
            package = f"{entry.dist.name} {entry.dist.version}"
            _packages.update(dict.fromkeys(_registered.keys() - before, package))


def _load(text: str, load: Callable[[], object]) -> type[Rule]:
    try:
        kind = load()
    except RuleError:
        raise
    except (Exception, SystemExit) as error:  # a stranger's module may raise anything
        what = f"{type(error).__name__}: {error}"
        raise RuleError(f"rule {text}{_theirs(error)}: {what}") from error
    if not (isinstance(kind, type) and issubclass(kind, Rule) and kind.name):
        raise RuleError(
            f"rule {text} is no rule; derive it from ffenergy.rules.Rule and register it with "
            "@ffenergy.rules.rule"
        )
    return kind


class Facts(Mapping[str, str]):
    """One attribute of every rule, by the rule's name; looked up when it is asked for."""

    def __init__(self, attribute: str) -> None:
        self.attribute = attribute

    def __getitem__(self, name: str) -> str:
        return str(getattr(rules()[name], self.attribute))

    def __iter__(self) -> Iterator[str]:
        return iter(rules())

    def __len__(self) -> int:
        return len(rules())
