"""The profiles that a user asked for, and a record of them from which a report can be repeated."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ffenergy.energy.loading import load_profile, parse_profiles, profiles
from ffenergy.energy.profile import Profile
from ffenergy.errors import ProfileError

DEFAULT_PROFILES: Final = ("jouppi-7nm-hbm2", "horowitz-45nm")
"""The headline profile, and a second one that shows how far the answer depends on it."""

ALWAYS_USED: Final = ("bool", "int64")
"""Types that every run computes in beside its own: comparisons and labels."""


@dataclass(frozen=True)
class ChosenProfile:
    """A profile, and the text of the user's file it came from; None if it is bundled."""

    profile: Profile
    text: str | None = None

    @property
    def sha256(self) -> str:
        """Hash of the file's text, or of a bundled profile's constants."""
        text = self.profile.table().to_csv(index=False) if self.text is None else self.text
        return hashlib.sha256(text.encode()).hexdigest()

    def record(self) -> dict[str, Any]:
        """What run.json keeps: name, hash, and the whole text of a user's own file."""
        found: dict[str, Any] = {"name": self.profile.name, "sha256": self.sha256}
        return found if self.text is None else {**found, "text": self.text}


def choose_profiles(asked: Sequence[str] = (), dtype: str | None = None) -> list[ChosenProfile]:
    """Load profiles by name or file, the headline first; the default ones if none is asked for.

    With ``dtype`` they are checked to price a run of that type, before any work begins.

    Raises:
        ProfileError: one that is unknown or broken, or two of one name.
        PricingError: one that lacks a type.
    """
    chosen = [_choose(name) for name in asked or DEFAULT_PROFILES]
    for one in chosen if dtype else ():
        for used in (dtype, *ALWAYS_USED):
            one.profile.operations(str(used))
    names = [one.profile.name for one in chosen]
    for name in names:
        if names.count(name) > 1:
            raise ProfileError(
                f"--profile: two profiles are named {name!r}; give each once, under its own name"
            )
    return chosen


def restore_profiles(records: Iterable[Mapping[str, Any]]) -> list[ChosenProfile]:
    """Return the profiles of a run's record, a user's own from the text kept there.

    Raises:
        ProfileError: a bundled profile that no longer exists, or whose figures have changed.
    """
    restored = []
    for record in records:
        name, text = str(record["name"]), record.get("text")
        if text is None and name not in profiles():
            raise ProfileError(
                f"profile {name}, under which the run was priced, is not here any more; name the "
                "profiles with --profile"
            )
        if text is None:
            one = _choose(name)
        else:
            one = ChosenProfile(parse_profiles(str(text), f"run.json: {name}")[name], str(text))
        if one.sha256 != record["sha256"]:
            raise ProfileError(
                f"profile {name} has changed since this run; name the profiles with --profile"
            )
        restored.append(one)
    return restored


def _choose(name: str) -> ChosenProfile:
    profile = load_profile(name)
    bundled = name in profiles()
    return ChosenProfile(profile, None if bundled else Path(name).read_text(encoding="utf-8"))
