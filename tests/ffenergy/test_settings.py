"""Settings that cannot be used are refused at the door, the same everywhere."""

from __future__ import annotations

import pytest

from ffenergy.errors import SettingsError
from ffenergy.settings import Settings
from ffenergy.sweeps import specification


@pytest.mark.parametrize("seed", [2**63, 2**64, 10**400, -1])
def test_seeds_of_every_way_in_have_one_range(seed: int) -> None:
    settings = Settings.from_preset("quick")
    told = r"seed is .*; it must be (below 2\^63|at least 0)"
    with pytest.raises(SettingsError, match=told):
        settings.replace(seed=seed)
    with pytest.raises(SettingsError, match=told):
        Settings.from_saved(settings.to_dict() | {"seed": seed})
    with pytest.raises(SettingsError, match="seed"):
        specification.parse({"preset": "quick", "algorithms": ["ff"], "seeds": [seed]})


def test_a_setting_of_a_later_version_is_told_without_all_that_there_are() -> None:
    saved = Settings.from_preset("quick").to_dict() | {"warp": 3}
    with pytest.raises(SettingsError) as caught:
        Settings.from_saved(saved)
    assert caught.value.message == "unknown setting 'warp', perhaps of a later version"


def test_the_largest_seed_trains_and_is_read_back() -> None:
    settings = Settings.from_preset("quick").replace(seed=2**63 - 1)
    assert Settings.from_saved(settings.to_dict()) == settings


def test_more_images_than_there_are_is_told_with_what_to_do() -> None:
    settings = Settings.from_preset("quick").replace(n_train=300)
    with pytest.raises(SettingsError, match="has 200 training images; lower it, or write 0 for"):
        settings.check_data(784, 200)
