"""What the closed forms of `bounds` and `schedules` are functions of: a network and a rule's shape.

Symbols follow docs/bounds.md: n_0 … n_L are the widths, w the bytes of an element, s the states
of the optimiser, W_k = w (n_{k-1} + 1) n_k a layer's weights, T_k = (1 + s) W_k weights and state,
B' the rows of a layer, a_k = w B' n_k the activities at boundary k, x = w B n_0 the images.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import Final

from ffenergy.errors import SettingsError
from ffenergy.network.head import CLASSES
from ffenergy.network.optimizers import STATES
from ffenergy.network.orders import LAYER_MAJOR, STEP_MAJOR
from ffenergy.rules import registry
from ffenergy.rules.kit.stages import Shape
from ffenergy.settings import Settings

MNIST_IMAGES: Final = 60_000
"""Training images, where no data set says otherwise; no more batches of them can be in flight."""


@dataclass(frozen=True)
class Network:
    """A network and how it is trained, as far as its traffic depends on it.

    layer_sizes: input pixels, then the hidden widths; a head of ten classes is backprop's own.
    batch_size: samples a batch; Forward-Forward adds as many hybrids.
    optimizer: sgd, momentum, adam or adamw.
    itemsize: bytes of an element.
    shared_halves: one half of a hybrid is the positive itself, so two images are read, not three.

    Raises:
        SettingsError: fewer than two layer sizes, a size below 1, an unknown optimiser.
    """

    layer_sizes: tuple[int, ...]
    batch_size: int
    optimizer: str = "adam"
    itemsize: int = 4
    shared_halves: bool = False

    def __post_init__(self) -> None:
        if len(self.layer_sizes) < 2 or min(self.layer_sizes) < 1:
            raise SettingsError(
                f"layer sizes {self.layer_sizes}; give the pixels and at least one width, all >= 1"
            )
        if self.batch_size < 1 or self.itemsize < 1:
            raise SettingsError(
                f"batch size {self.batch_size}, item size {self.itemsize}; both must be >= 1"
            )
        if self.optimizer not in STATES:
            raise SettingsError(f"optimizer {self.optimizer!r}; choose one of {', '.join(STATES)}")

    @property
    def states(self) -> int:
        """s: arrays of optimiser state beside each array of weights."""
        return STATES[self.optimizer]

    @property
    def image_bytes(self) -> int:
        """x: the images of a batch."""
        return self.itemsize * self.batch_size * self.layer_sizes[0]

    def replace(self, **changes: object) -> Network:
        """Return a copy with other values."""
        return replace(self, **changes)  # type: ignore[arg-type]


PLAIN: Final = "local"
"""A label-taught local rule without heads. None that is trained: it is what splits the saving of
removing the backward pass from what the second pass adds back."""


def shapes() -> dict[str, Shape]:
    """Every closed form by the name of its rule, a variant's behind a hyphen; :data:`PLAIN` too."""
    found = {
        "-".join(filter(None, (name, variant))): shape
        for name, kind in registry.rules().items()
        for variant, shape in kind.shapes.items()
    }
    return found | {PLAIN: Shape(rows=1, images=1)}


def shape_name(algorithm: str, greedy_input: str = "recompute") -> str | None:
    """The name among `shapes` of an algorithm that is trained; None without a closed form."""
    stored = f"{algorithm}-stored"
    name = stored if greedy_input == "store" and stored in shapes() else algorithm
    return name if name in shapes() else None


def shape_of(rule: str) -> Shape:
    """The shape of a rule. Raises SettingsError for a stranger."""
    found = shapes()
    if rule not in found:
        raise SettingsError(f"no closed form for rule {rule!r}; choose one of {', '.join(found)}")
    return found[rule]


def network_of(settings: Settings) -> Network | None:
    """The network of the closed forms; None for locally connected layers, which have none."""
    if settings.local_fields:
        return None
    return Network(
        settings.layer_sizes,
        settings.batch_size,
        settings.optimizer,
        4 if settings.dtype == "float32" else 8,
        settings.negative_pairs == "shared",
    )


@dataclass(frozen=True)
class Layers:
    """Bytes of every layer of a network under a rule of some shape: `layers_of`.

    Backprop's head is one layer more.
    """

    rule: str
    network: Network
    shape: Shape

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """n_0 …: the widths, for backprop with its ten outputs."""
        sizes = self.network.layer_sizes
        return sizes if self.shape.local else (*sizes, CLASSES)

    @cached_property
    def weights(self) -> tuple[int, ...]:
        """W_1 …: bytes of each layer's weights and biases, and of its own head's weights."""
        return tuple(
            self.network.itemsize * ((below + 1) * above + self.shape.heads * above)
            for below, above in pairwise(self.sizes)
        )

    @cached_property
    def states(self) -> tuple[int, ...]:
        """T_1 …: bytes of each layer's weights and optimiser state."""
        return tuple((1 + self.network.states) * weight for weight in self.weights)

    @property
    def rows(self) -> int:
        """B': rows that pass a layer in a batch."""
        return self.shape.rows * self.network.batch_size

    @cached_property
    def activities(self) -> tuple[int, ...]:
        """a_0 … a_L: bytes at each boundary between layers, the head's outputs left out."""
        return tuple(self.network.itemsize * self.rows * n for n in self.network.layer_sizes)

    @property
    def images(self) -> int:
        """Bytes of images that a batch reads."""
        images = self.shape.images
        if images is None:
            images = 2 if self.network.shared_halves else 3
        return images * self.network.image_bytes

    @property
    def largest_boundary(self) -> int:
        """Bytes of the widest hidden activity."""
        return max(self.activities[1:])

    @property
    def least_boundary(self) -> int:
        """a: bytes of the narrowest activity between two layers; 0 where there is no boundary."""
        return min(self.activities[1:-1], default=0)


def layers_of(rule: str, network: Network) -> Layers:
    """The layers of a network under a rule; raises SettingsError for a rule without a shape."""
    return _layers(rule, network, shape_of(rule))


_layers = lru_cache(maxsize=1024)(Layers)
"""A map asks for the same layers at every size of the chip."""


def order_of(algorithm: str, settings: Settings) -> tuple[str, int, str]:
    """Order, batches in flight and groups of a rule's training steps, as tables name them.

    Of a rule that is not here none is known.
    """
    if algorithm not in registry.rules():
        return "", 1, ""
    local = registry.find(algorithm).local
    shape = shapes().get(algorithm)
    if shape is not None and shape.greedy:
        return "layer by layer", settings.batches_in_flight, ""
    if not local or settings.order == STEP_MAJOR:
        return STEP_MAJOR, 1, ""
    groups = [
        str(group[0] + 1) if len(group) == 1 else f"{group[0] + 1}-{group[-1] + 1}"
        for group in settings.groups
    ]
    return LAYER_MAJOR, settings.batches_in_flight, "|".join(groups)
