"""A validation split: what is chosen by its error never saw the test set."""

from __future__ import annotations

from dataclasses import replace

from ffenergy.data.dataset import Dataset
from ffenergy.errors import SettingsError


def held_out(data: Dataset, count: int) -> Dataset:
    """Return `data` with its last `count` training images in the place of its test images.

    The test images are gone from the result. Data whose last `count` images are held out already
    are returned as they are.

    Raises:
        SettingsError: no training image would be left, or another number is held out already.
    """
    if count == data.n_validation:
        return data
    if data.n_validation:
        raise SettingsError(
            f"n_validation is {count}, but the data has {data.n_validation} images held out already"
        )
    left = len(data.train_images) - count
    if left < 1:
        raise SettingsError(
            f"n_validation is {count}, but the data has {len(data.train_images)} training images; "
            f"hold out fewer"
        )
    return replace(
        data,
        name=f"{data.name}-validation",
        n_validation=count,
        train_images=data.train_images[:left],
        train_labels=data.train_labels[:left],
        test_images=data.train_images[left:],
        test_labels=data.train_labels[left:],
    )
