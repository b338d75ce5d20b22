"""Every rule as a good engineer would build it: rehearsed in other orders, the cheapest is kept.

Normalisation is deferred, declared scopes are one kernel, memory is a scratchpad. Gradients are
consumed at once by the optimiser: to store them was cheapest in 3 of 3,440 cases, by 1 % at most
(``benchmarks/best_gradient.py``). Rules whose layers do not wait for each other take a batch after
the other, or several in flight through one group of layers after the next: in the groups that
`fitting.fitting` finds for the chip; where it finds none, layer after layer if half of one fits,
and with the step put off to the next batch's visit if there is room for its inputs. Others store
activations or compute them again, and pass back and update in one visit or in two. Each is a
program that runs: its own steps are recorded on random pixels and priced.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from ffenergy.costs.decomposition import energies, exact_total
from ffenergy.costs.distances import distances
from ffenergy.costs.fitting import MOST_IN_FLIGHT, fitting, visit_room
from ffenergy.costs.further import bearable, with_managed
from ffenergy.costs.network import layers_of, network_of, shape_name
from ffenergy.costs.rehearsal import Recording, Rehearsal, Rehearsed, Workload, rehearse
from ffenergy.costs.run_costs import PricedKind, of_a_batch
from ffenergy.costs.step_costs import StepCosts, reading_costs, side_by_side
from ffenergy.costs.step_kinds import StepKind
from ffenergy.costs.under_profile import energy, levels
from ffenergy.energy import Profile
from ffenergy.errors import SettingsError
from ffenergy.network.dense import AT_ONCE, ONE_VISIT
from ffenergy.network.normalization import DEFERRED
from ffenergy.network.orders import LAYER_MAJOR, STEP_MAJOR
from ffenergy.rules import registry
from ffenergy.settings import Settings

ACCOUNTING: Final = "fused"
MEMORY: Final = "scratchpad"
RECORDED: Final = 3
"""Steps: one warms the memory up, one is priced, one shows what comes back. A scratchpad knows what
is dead, so more of them change what an index of a later step takes on the stack, and no more."""


@dataclass(frozen=True)
class Built:
    """One rule in its best order.

    kinds: its priced steps that train layers. usual: those of the same rule in step-major order,
    the same where that is the best. note: what the rule does not have.
    """

    algorithm: str
    settings: Settings
    kinds: tuple[PricedKind, ...]
    usual: tuple[PricedKind, ...]
    note: str = ""


Spent = Callable[[Sequence[PricedKind]], float]
"""Energy of a sample that all layers have seen, of kinds of steps."""


@dataclass
class _Tried:
    """The orders of one rule, rehearsed: which of them is the best, and the usual one."""

    algorithm: str
    rehearsals: Sequence[Rehearsal]
    note: str
    best: int = 0
    usual: int = 0

    def choose(self, known: Mapping[str, StepCosts], spent_by: Spent, *, whole_run: bool) -> None:
        """Find the order that spends least, and the step-major one that does."""
        spent = [
            spent_by(_priced(one, known, short=False, whole_run=whole_run))
            for one in self.rehearsals
        ]
        orders = [one.work.settings.order for one in self.rehearsals]
        usual = (k for k, order in enumerate(orders) if order == STEP_MAJOR)
        self.best, self.usual = spent.index(min(spent)), min(usual, key=lambda k: spent[k])

    @property
    def chosen(self) -> list[Rehearsal]:
        """The two of them, or the one that is both."""
        return [self.rehearsals[k] for k in dict.fromkeys((self.best, self.usual))]

    def built(self, known: Mapping[str, StepCosts], *, whole_run: bool) -> Built:
        """Price what was chosen: of a whole run its short batches too."""
        best, usual = (
            tuple(
                kind
                for short in ((False, True) if whole_run else (False,))
                for kind in _priced(self.rehearsals[k], known, short=short, whole_run=whole_run)
            )
            for k in (self.best, self.usual)
        )
        settings = self.rehearsals[self.best].work.settings
        return Built(self.algorithm, settings, best, usual, self.note)


def built(
    algorithms: Sequence[str],
    work: Workload,
    on_chip_bytes: int,
    spent_by: Spent,
    *,
    whole_run: bool,
    known: dict[str, StepCosts] | None = None,
) -> dict[str, Built]:
    """Rehearse rules in every order that may be their best, and keep the cheapest of each.

    The orders are those for ``on_chip_bytes``, the cheapest is that of full batches by
    ``spent_by``. With ``whole_run`` the kinds are all that a run would take, short batches too, and
    their numbers; else full ones, and their numbers stand for one batch. ``known`` has analyses by
    digest, used and added to. Rules that train no layers are left out, and those in whose steps
    values decide what moves: none of them is like another.

    Raises:
        PricingError: a step that cannot be analysed.
    """
    known = {} if known is None else known
    tried = [
        _Tried(name, *_rehearsals(name, work, on_chip_bytes))
        for name in algorithms
        if registry.find(name).trains_layers
    ]
    _analyse([one for rule in tried for one in rule.rehearsals], known, short=False)
    tried = [rule for rule in tried if _are_known(rule.rehearsals, known, short=False)]
    for rule in tried:
        rule.choose(known, spent_by, whole_run=whole_run)
    if whole_run:
        _analyse([one for rule in tried for one in rule.chosen], known, short=True)
        tried = [rule for rule in tried if _are_known(rule.chosen, known, short=True)]
    return {rule.algorithm: rule.built(known, whole_run=whole_run) for rule in tried}


def managed(
    one: Built, work: Workload, capacities: Sequence[int], known: dict[str, StepCosts]
) -> Built | None:
    """The program of ``one`` in a managed memory of each of the capacities.

    ``known`` has analyses by digest, used and added to. None for a program with too many accesses.
    """
    if not all(bearable(kind.costs, ACCOUNTING, RECORDED) for kind in one.kinds):
        return None
    rehearsal = rehearse(one.algorithm, replace(work, settings=one.settings), _training)
    rehearsed = {found.signature.digest: found for found in rehearsal.kinds}
    kinds = []
    for kind in one.kinds:
        if kind.digest not in known:
            recording = rehearsal.record(rehearsed[kind.digest], RECORDED)
            known[kind.digest] = with_managed(kind.costs, recording, capacities, (ACCOUNTING,))
        kinds.append(replace(kind, costs=known[kind.digest]))
    return replace(one, kinds=tuple(kinds))


def _rehearsals(algorithm: str, work: Workload, on_chip_bytes: int) -> tuple[list[Rehearsal], str]:
    """Rehearse the orders of a rule, each program once; with what the rule does not have."""
    note = ""
    found: dict[str, Rehearsal] = {}
    for settings in _orders(algorithm, work, on_chip_bytes):
        possible = _deferring(algorithm, settings)
        note = "" if possible == settings else "normalisation not deferred"
        one = rehearse(algorithm, replace(work, settings=possible), _training)
        digests = ",".join(kind.signature.digest for kind in one.kinds)
        found.setdefault(digests, one)
    return list(found.values()), note


def _deferring(algorithm: str, settings: Settings) -> Settings:
    """The settings, or the same without deferred normalisation if a rule refuses that alone.

    Raises SettingsError if it refuses anything else.
    """
    try:
        registry.check_rules([algorithm], settings)
    except SettingsError:
        settings = settings.replace(normalize_as="eager")
        registry.check_rules([algorithm], settings)
    return settings


def _orders(algorithm: str, work: Workload, on_chip_bytes: int) -> Iterator[Settings]:
    """Settings of every order that may be a rule's best, step-major ones first."""
    plain = work.settings.replace(
        order=STEP_MAJOR, in_flight=1, layer_groups="", passes="joined", normalize_as=DEFERRED
    )
    local = registry.find(algorithm).local
    for activations in ("stored",) if local else ("stored", "recomputed"):
        for gradient in (AT_ONCE, ONE_VISIT):
            yield plain.replace(bp_activations=activations, gradient=gradient)
    network, shape = network_of(plain), shape_name(algorithm, plain.greedy_input)
    in_flight = even(MOST_IN_FLIGHT, max(work.train_images // plain.batch_size, 1))
    if not local or network is None or shape is None or in_flight == 1:
        return
    major = plain.replace(order=LAYER_MAJOR, in_flight=in_flight)
    groups = fitting(shape, network, on_chip_bytes, stored_gradient=False)
    if groups is not None:
        sizes = ",".join(str(len(group)) for group in groups)
        yield major.replace(gradient=AT_ONCE, layer_groups=sizes)
        return
    layers = layers_of(shape, network)
    if sum(layers.states) <= on_chip_bytes:
        return
    if min(layers.states) / 2 <= on_chip_bytes:  # much of a layer may stay
        yield major.replace(gradient=AT_ONCE)
    if visit_room(layers) <= on_chip_bytes:
        yield major.replace(gradient=ONE_VISIT)


def even(wanted: int, batches: int) -> int:
    """The largest number of batches in flight, ``wanted`` at most, that leaves none over.

    Where all of them would leave some over, or be fewer than half of it: ``wanted`` itself.
    """
    most = min(wanted, batches)
    whole = next(k for k in range(most, 0, -1) if batches % k == 0)
    return whole if 2 * whole >= most else most


def _training(kind: StepKind) -> int:
    return int(kind.trains_layers)


def _analyse(rehearsals: Sequence[Rehearsal], known: dict[str, StepCosts], *, short: bool) -> None:
    """Record the kinds of steps of `_priced`, and analyse those that are not ``known``."""
    new: dict[str, tuple[str, Recording]] = {}
    for rehearsal in rehearsals:
        for one in _layers(rehearsal, short=short):
            digest = one.signature.digest
            if digest not in known and digest not in new:
                new[digest] = rehearsal.algorithm, rehearsal.record(one, RECORDED)
    known |= side_by_side(
        lambda recording: reading_costs(recording, ACCOUNTING, MEMORY), list(new.values())
    )


def _are_known(
    rehearsals: Sequence[Rehearsal], known: Mapping[str, StepCosts], *, short: bool
) -> bool:
    """Tell whether all that was to be analysed was, and full batches were there to be.

    Where values decide what moves, a recording is another step than the one rehearsed.
    """
    found = [one for each in rehearsals for one in _layers(each, short=short)]
    return (short or bool(found)) and all(one.signature.digest in known for one in found)


def _priced(
    rehearsal: Rehearsal, known: Mapping[str, StepCosts], *, short: bool, whole_run: bool
) -> list[PricedKind]:
    """Price the full kinds of steps that train layers, or the short ones."""
    found = []
    for one in _layers(rehearsal, short=short):
        digest, operations = one.signature.digest, len(one.signature.program)
        steps = one.steps if whole_run else of_a_batch(one.kind, rehearsal.work.settings)
        found.append(
            PricedKind(rehearsal.algorithm, one.kind, digest, operations, steps, known[digest])
        )
    return found


def _layers(rehearsal: Rehearsal, *, short: bool) -> list[Rehearsed]:
    return [one for one in rehearsal.kinds if one.kind.trains_layers and one.kind.short == short]


def under(profile: Profile) -> Spent:
    """What kinds of steps spend under a profile, at its own sizes."""
    unit = profile.column("compute").rsplit("_", 1)[1]

    def spent_by(kinds: Sequence[PricedKind]) -> float:
        costs = {kind.digest: kind.costs for kind in kinds}
        samples = {kind.digest: kind.kind.samples for kind in kinds}
        found = distances(costs)
        spent = energy(found, costs, levels(found, profile, MEMORY), profile, MEMORY)
        total = energies(spent)[f"energy_{unit}"] / spent["digest"].map(samples)
        return exact_total(total.tolist())

    return spent_by
