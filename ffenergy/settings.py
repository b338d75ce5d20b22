"""Every hyper-parameter of a run, with presets read from ``presets.toml``."""

from __future__ import annotations

import dataclasses
import math
import reprlib
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, Final

import numpy as np

from ffenergy import machine_memory
from ffenergy.data.catalogue import CATALOGUE
from ffenergy.errors import SettingsError
from ffenergy.files.documents import LARGEST
from ffenergy.network.dense import GRADIENTS, STORED
from ffenergy.network.fields import Fields, local_layers
from ffenergy.network.negatives import NEGATIVE_PAIRS, image_shape
from ffenergy.network.normalization import NORMALIZATIONS, WAYS
from ffenergy.network.optimizers import SCHEDULES, STATES
from ffenergy.network.orders import LAYER_MAJOR, ORDERS, STEP_MAJOR, layer_groups

_TABLES: Final[dict[str, dict[str, Any]]] = tomllib.loads(
    resources.files("ffenergy").joinpath("presets.toml").read_text(encoding="utf-8")
)
_COMMON: Final = _TABLES.pop("common")
PRESETS: Final[tuple[str, ...]] = tuple(_TABLES)
MOST_NAMED: Final = 10
"""Sizes of layers that a message names one by one."""


@dataclass(frozen=True)
class Settings:
    """One run. Field names are the command line's flags with underscores.

    The forward-forward logit of a case is (goodness - threshold') / temperature, where goodness
    is the sum or the mean of the layer's squared activities and ``threshold`` is per neuron:
    threshold' = threshold for the mean, threshold * width for the sum, so that
    ``threshold=1`` with the sum is Hinton's "number of neurons".
    """

    seed: int  # of every random stream
    dataset: str  # a name of data/catalogue.toml: mnist or fashion-mnist
    n_train: int  # training images used, the first ones; 0 means all
    n_validation: int  # last training images that take the place of the test set; 0: none
    dtype: str  # float32 or float64
    layer_sizes: tuple[int, ...]  # input pixels, then the hidden widths
    local_fields: str  # of locally connected layers, see fields.py; empty: dense layers
    batch_size: int  # positives in a step
    n_epochs: int  # of every rule; the softmax head has its own
    goodness: str  # sum or mean of the squared activities
    threshold: float  # per neuron
    temperature: float  # divides the logit
    normalization: str  # of every layer's input: unit_length or mean_square
    normalize_as: str  # eager: activities are made; deferred: their factor goes to the product
    peer_strength: float  # lambda of peer normalisation; 0 switches it off
    init: str  # weights N(0, std): sqrt2, fan_in (1 / fan-in) or he (2 / fan-in); biases 0
    optimizer: str  # adam, adamw, momentum or sgd; of every rule; the softmax head has its own
    lr: float  # of forward-forward
    schedule: str  # constant, linear_second_half or linear; by step
    weight_decay: float  # of weights, not of biases: L2 in the gradient; adamw: beside the step
    negative_pairs: str  # halves of a hybrid: independent images, or one shared with the positive
    n_blur: int  # blurs of the mask
    greedy_input: str  # of ff-greedy: recompute it through the layers below, or store it
    hybrid_loss: str  # of bp-hybrid: the losses of all layers, or of the top one
    label_answer: str  # of ff-label: by a head, or by the goodness of ten labels
    passes: str  # joined: positives and negatives in one matmul; separate: one each
    order: str  # step-major or layer-major, of rules whose layers do not wait for each other
    in_flight: int  # batches that go through a group of layers before the next group sees any
    layer_groups: str  # layers in each group, such as 2,1,1; empty: one layer a group
    gradient: str  # of a layer's weights: stored whole, or consumed by block, at-once or one-visit
    bp_activations: str  # of backprop: stored, or recomputed on the way back
    bp_lr: float  # of backprop and Mono-Forward
    bp_weight_decay: float  # of backprop and Mono-Forward; -1: that of weight_decay
    head_layers: int  # the head sees this many of the last hidden layers
    head_feature_scale: str  # unit_length or mean_square, per layer
    head_optimizer: str
    head_schedule: str
    head_init_std: float
    head_batch_size: int
    head_weight_decay: float
    ridge_strength: float  # of ridge: added to the mean squares of the features
    head_averaging: float  # η of the mean of the head's parameters over its epochs; 0: no mean
    softmax_lr: float
    softmax_epochs: int

    def __post_init__(self) -> None:
        for name, allowed in CHOICES.items():
            if getattr(self, name) not in allowed:
                raise SettingsError(
                    f"{name} is {getattr(self, name)!r}; choose one of {', '.join(allowed)}"
                )
        for name, (holds, wanted) in _RANGES.items():
            if not holds(getattr(self, name)):
                raise SettingsError(f"{name} is {getattr(self, name)!r}; it must be {wanted}")
        self._check_order()
        sizes = (self.layer_sizes[0], *(fields.width for fields in self.fields))
        if self.fields and self.layer_sizes != sizes:
            raise SettingsError(
                f"layer_sizes is {','.join(map(str, self.layer_sizes))}, but local_fields gives "
                f"{','.join(map(str, sizes))}; write that, or an empty local_fields"
            )

    @property
    def fields(self) -> tuple[Fields, ...]:
        """The geometry of locally connected layers; empty for dense ones."""
        if not self.local_fields:
            return ()
        return local_layers(self.local_fields, image_shape(self.layer_sizes[0]))

    @property
    def groups(self) -> tuple[range, ...]:
        """The hidden layers, from 0, that a batch passes in one go in layer-major order."""
        return layer_groups(self.layer_groups, self.n_layers)

    @property
    def batches_in_flight(self) -> int:
        """Batches in a training step of rules whose layers do not wait for each other."""
        return self.in_flight if self.order == LAYER_MAJOR else 1

    def _check_order(self) -> None:
        """Raise SettingsError for an order of computation that cannot be."""
        groups = self.groups
        if self.order == STEP_MAJOR and (self.in_flight > 1 or self.layer_groups):
            raise SettingsError(
                f"order is {STEP_MAJOR}, with in_flight {self.in_flight} and {len(groups)} groups "
                f"of layers; choose order {LAYER_MAJOR}, or leave in_flight and layer_groups out"
            )
        if self.gradient != STORED and self.passes == "separate":
            raise SettingsError(
                f"gradient is {self.gradient!r}, but with separate passes it is the sum of two; "
                "choose passes joined, or gradient stored"
            )

    @property
    def n_layers(self) -> int:
        """Number of hidden layers."""
        return len(self.layer_sizes) - 1

    @property
    def supervised_decay(self) -> float:
        """The weight decay of backprop and Mono-Forward."""
        return self.weight_decay if self.bp_weight_decay == -1 else self.bp_weight_decay

    @classmethod
    def from_preset(cls, name: str) -> Settings:
        """Return the preset ``name``; raises SettingsError with the names there are."""
        if name not in _TABLES:
            raise SettingsError(f"unknown preset {name!r}; choose one of {', '.join(PRESETS)}")
        return cls.from_dict(_COMMON | _TABLES[name])

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Settings:
        """Return the settings written by :meth:`to_dict`; raises SettingsError on odd fields."""
        names = [field.name for field in dataclasses.fields(cls)]
        for name in fields:
            if name not in names:
                raise SettingsError(f"unknown setting {name!r}; settings are {', '.join(names)}")
        for name in names:
            if name not in fields:
                raise SettingsError(f"setting {name!r} is missing")
        return cls(**{name: _converted(name, fields[name]) for name in names})

    @classmethod
    def from_saved(cls, fields: Mapping[str, Any]) -> Settings:
        """Return settings that an earlier version may have written.

        Those that came later have the presets' common values, which change nothing for it.

        Raises SettingsError, also for a setting that only a later version has.
        """
        later = next((name for name in fields if name not in _COMMON), None)
        if later is not None:
            raise SettingsError(f"unknown setting {later!r}, perhaps of a later version")
        return cls.from_dict({**_COMMON, **fields})

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values that JSON and TOML can hold."""
        return dataclasses.asdict(self) | {"layer_sizes": list(self.layer_sizes)}

    def unlike_common(self) -> dict[str, Any]:
        """Return the fields, as in :meth:`to_dict`, that differ from the presets' common values."""
        return {name: value for name, value in self.to_dict().items() if value != _COMMON[name]}

    def replace(self, **overrides: Any) -> Settings:
        """Return a copy with some fields changed, validated; ``layer_sizes`` may be "784,500"."""
        return self.from_dict(self.to_dict() | overrides)

    def check_data(self, pixels: int, n_train: int) -> int:
        """Check the settings against the data; return the number of training images to use."""
        if self.layer_sizes[0] != pixels:
            raise SettingsError(
                f"layer_sizes starts at {self.layer_sizes[0]}, but an image has {pixels} pixels; "
                f"write {','.join(map(str, (pixels, *self.layer_sizes[1:])))}"
            )
        used = self.n_train or n_train
        if used > n_train:
            beside = f" beside {self.n_validation} for validation" if self.n_validation else ""
            raise SettingsError(
                f"n_train is {used}, but the data has {n_train} training images{beside}; "
                "lower it, or write 0 for all"
            )
        for name in ("batch_size", "head_batch_size"):
            if getattr(self, name) > used:
                raise SettingsError(
                    f"{name} is {getattr(self, name)}, larger than the {used} training images; "
                    f"lower it or raise n_train"
                )
        batches = math.ceil(used / self.batch_size)
        if self.batches_in_flight > batches:
            raise SettingsError(
                f"in_flight is {self.in_flight}, more than the {batches} batches of an epoch; "
                "lower it to that or less"
            )
        return used

    def training_bytes(self, images: int) -> int:
        """Return the least bytes that training on so many images needs.

        Parameters, their gradients and the optimiser's state, the activities of a batch in every
        layer, the order of the images, and the images themselves.
        """
        numbers = (2 + STATES[self.optimizer]) * sum(self.parameters)
        numbers += self.batch_size * sum(self.layer_sizes[1:]) + images * self.layer_sizes[0]
        return numbers * np.dtype(self.dtype).itemsize + images * np.dtype(np.int64).itemsize

    @property
    def parameters(self) -> list[int]:
        """Parameters of each hidden layer."""
        fans = [fields.fan_in for fields in self.fields] or self.layer_sizes
        return [(n + 1) * width for n, width in zip(fans, self.layer_sizes[1:], strict=False)]

    @property
    def network(self) -> str:
        """The network as messages name it, on one line however deep it is."""
        sizes = list(map(str, self.layer_sizes))
        if len(sizes) <= MOST_NAMED:
            return f"a network of {'-'.join(sizes)}"
        first = "-".join(sizes[: MOST_NAMED - 2])
        return f"a network of {first}-…-{sizes[-1]} ({len(sizes) - 1:,} layers)"

    def check_memory(self, images: int) -> None:
        """Raise SettingsError if training needs more memory than may be used."""
        remedy = "lower --layer-sizes, --batch-size or --n-train"
        machine_memory.check(self.training_bytes(images), self.network, remedy)


CHOICES: Final = {
    "dataset": tuple(CATALOGUE),
    "dtype": ("float32", "float64"),
    "goodness": ("sum", "mean"),
    "normalization": NORMALIZATIONS,
    "normalize_as": WAYS,
    "init": ("sqrt2", "fan_in", "he"),
    "optimizer": tuple(STATES),
    "schedule": SCHEDULES,
    "negative_pairs": NEGATIVE_PAIRS,
    "greedy_input": ("recompute", "store"),
    "hybrid_loss": ("all", "top"),
    "label_answer": ("head", "goodness"),
    "passes": ("joined", "separate"),
    "order": ORDERS,
    "gradient": GRADIENTS,
    "bp_activations": ("stored", "recomputed"),
    "head_feature_scale": NORMALIZATIONS,
    "head_optimizer": tuple(STATES),
    "head_schedule": SCHEDULES,
}


OF_HEAD: Final = frozenset(
    [name for name in Settings.__annotations__ if name.startswith(("head_", "softmax_"))]
)
"""Fields that only the softmax head heeds, which is trained after the hidden layers."""


def _at_least(least: int) -> tuple[Callable[[float], bool], str]:
    return (lambda value: value >= least), f"at least {least}"


_MOST: Final = 2**29  # of units or images: the bytes of two in a product are still a 64-bit number
_POSITIVE: Final = ((lambda value: value > 0), "greater than 0")
_RANGES: Final[dict[str, tuple[Callable[[Any], bool], str]]] = {
    "layer_sizes": (
        lambda sizes: len(sizes) >= 2 and min(sizes) >= 1 and max(sizes) <= _MOST,
        f"pixels and at least one hidden width, such as 784,500,500, none above {_MOST:,}",
    ),
    **{name: _at_least(0) for name in ("seed", "n_train", "n_validation", "n_epochs")},
    **{name: _at_least(0) for name in ("softmax_epochs", "n_blur")},
    "head_layers": _at_least(1),
    "in_flight": _at_least(1),
    **dict.fromkeys(
        ("batch_size", "head_batch_size"),
        (lambda value: 1 <= value <= _MOST, f"at least 1 and at most {_MOST:,}"),
    ),
    **{name: _at_least(0) for name in ("weight_decay", "head_weight_decay", "peer_strength")},
    **{name: _at_least(0) for name in ("head_init_std", "threshold", "head_averaging")},
    "bp_weight_decay": (
        lambda value: value >= 0 or value == -1,
        "at least 0, or -1 for that of weight_decay",
    ),
    **dict.fromkeys(("temperature", "lr", "bp_lr", "softmax_lr", "ridge_strength"), _POSITIVE),
}


def _converted(name: str, value: Any) -> Any:
    """Return ``value`` in the type of field ``name``, or raise SettingsError."""
    if name == "layer_sizes":
        return parse_layer_sizes(value)
    kind: type = {"int": int, "float": float, "str": str}[str(Settings.__annotations__[name])]
    acceptable = (int, float) if kind is float else kind
    if not isinstance(value, acceptable) or isinstance(value, bool):
        raise SettingsError(f"{name} is {value!r}; it must be of type {kind.__name__}")
    if isinstance(value, int) and kind is int and abs(value) >= LARGEST:
        raise SettingsError(f"{name} is {reprlib.repr(value)}; it must be below 2^63")
    try:
        converted = kind(value)
    except OverflowError:
        converted = math.inf
    if isinstance(converted, float) and not math.isfinite(converted):
        raise SettingsError(f"{name} is {value!r}; it must be a finite number")
    return converted


def check_once(where: str, values: Sequence[object], words: Sequence[object] | None = None) -> None:
    """Raise SettingsError if a list has a value twice; ``words`` are the values as written."""
    for number, value in enumerate(values):
        if value in values[:number]:
            word = (words or values)[number]
            raise SettingsError(f"{where} names {word} twice; name each value once")


def parse_layer_sizes(text: str | Sequence[int]) -> tuple[int, ...]:
    """Parse ``"784,500,500"`` (or take the numbers); raises SettingsError naming the bad part."""
    parts = text.split(",") if isinstance(text, str) else text
    sizes = []
    for part in parts:
        try:
            if not isinstance(part, (int, str)) or isinstance(part, bool):
                raise TypeError  # int() would cut 20.7 to 20 and take true for 1
            if isinstance(part, str) and not (part.isascii() and "_" not in part):
                raise ValueError  # int() takes digits of every script, and 3_0 for 30
            sizes.append(int(part))
        except (TypeError, ValueError):
            raise SettingsError(
                f"layer_sizes has {part!r}, which is not a whole number; "
                f"write pixels and hidden widths with commas, such as 784,500,500"
            ) from None
    return tuple(sizes)
