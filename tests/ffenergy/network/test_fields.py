"""The geometry of locally connected layers: read, checked, refused in one line."""

from __future__ import annotations

import pytest

from ffenergy.errors import SettingsError
from ffenergy.network.fields import local_layers
from ffenergy.settings import Settings


def test_the_paper_has_grids_of_16_9_and_4_locations_and_about_2000_units_a_layer():
    settings = Settings.from_preset("paper-local")
    first, second, third = settings.fields
    assert [layer.grid for layer in settings.fields] == [(4, 4), (3, 3), (2, 2)]
    # 10*10 pixels; 2*2 grid points of 128 channels; 2*2 of 220
    assert [layer.fan_in for layer in settings.fields] == [100, 512, 880]
    assert [layer.width for layer in settings.fields] == [16 * 128, 9 * 220, 4 * 512]
    assert first.windows()[0] == (slice(0, 10), slice(0, 10))
    assert first.windows()[1] == (slice(0, 10), slice(6, 16))
    assert first.windows()[-1] == (slice(18, 28), slice(18, 28))  # to the last pixel
    assert second.below == (4, 4, 128)
    assert third.below == (3, 3, 220)


def test_fields_need_not_be_square():
    (layer,) = local_layers(" 2x4/2x3 ", (6, 8))
    assert layer.grid == (3, 3)
    assert layer.windows()[1] == (slice(0, 2), slice(2, 6))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("10x10", "'10x10'"),
        ("10x10/6x128,,2x2/1x220", "''"),
        ("10x10/0x128", "'10x10/0x128'"),
        ("10x10/6x0", "'10x10/6x0'"),
        ("10x10/7x128", "10 \\+ any number of strides of 7 must make 28"),
        ("30x10/6x128", "30 \\+ any number of strides"),
        ("10x10/6x128,5x2/1x7", "'5x2/1x7' on a grid of 4x4"),
        ("10x10/6x128,2x2/1x221,2x2/1x512", "write that"),
    ],
)
def test_settings_refuse(text, message):
    with pytest.raises(SettingsError, match=message) as caught:
        Settings.from_preset("paper-local").replace(local_fields=text)
    assert "\n" not in str(caught.value)


def test_the_settings_say_which_layer_sizes_to_write():
    with pytest.raises(SettingsError, match="gives 784,2048,9; write that"):
        Settings.from_preset("quick").replace(local_fields="10x10/6x128,2x2/1x1")


def test_an_empty_geometry_is_dense():
    dense = Settings.from_preset("paper-local").replace(local_fields="", layer_sizes="784,20")
    assert dense.fields == ()
