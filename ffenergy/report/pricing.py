"""The prices of a saved run: its settings and signatures are all they need."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ffenergy.costs.prices import Prices
from ffenergy.costs.run_costs import price_run
from ffenergy.energy import ChosenProfile, choose_profiles, restore_profiles
from ffenergy.runs.directory import Run
from ffenergy.settings import Settings


def saved_profiles(run: Run) -> list[ChosenProfile]:
    """The profiles under which a run was priced; the default ones for runs that were not."""
    records = run.configuration.get("profiles")
    return restore_profiles(records) if records else choose_profiles()


def prices_of(
    run: Run, profiles: Sequence[ChosenProfile], say: Callable[[str], object]
) -> Prices | None:
    """Price a run; None if nothing of it was traced. `say` takes warnings, a line each."""
    data = run.configuration["data"]
    prices = price_run(
        run.results,
        saved_settings(run),
        (data["train_images"], data["test_images"]),
        [chosen.profile for chosen in profiles],
        say,
    )
    return None if prices.steps.empty else prices


def saved_settings(run: Run) -> Settings:
    """The settings of a run, whichever version wrote them."""
    return Settings.from_saved(run.configuration["settings"])
