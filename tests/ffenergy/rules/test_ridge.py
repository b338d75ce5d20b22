"""The closed-form control: its weights, its bytes by hand, its run from start to price."""

from __future__ import annotations

import numpy as np
import pytest

from ffenergy.costs.rehearsal import Workload, rehearse
from ffenergy.network.head import one_hot
from ffenergy.rules.kit.host import Examples, Host
from ffenergy.rules.kit.networks import NormalizedNetwork
from ffenergy.rules.ridge import Ridge, RidgeRule, SingularError
from ffenergy.settings import Settings
from instrumented import Trace, Untraced


def host(trace, dtype="float64", sizes=(6, 5), count=40):
    chosen = Settings.from_preset("quick").replace(
        layer_sizes=sizes, dtype=dtype, batch_size=10, head_batch_size=10, ridge_strength=0.1
    )
    rng = np.random.default_rng(3)
    pixels, labels = rng.random((count, sizes[0])).astype(dtype), rng.integers(0, 10, count)
    return Host(chosen, trace, *(Examples(trace, w, pixels, labels) for w in ("train", "test")))


def test_the_weights_minimise_the_penalised_squares():
    given = host(Untraced())
    rule = RidgeRule(given)
    (plan,) = rule.plans()
    stage = plan.open()
    for start in range(0, 40, 10):
        stage.step(np.arange(start, start + 10), 0.0)
    loss = stage.read()["loss"] / 40
    assert stage.close
    stage.close()
    loss = stage.assess({"loss": loss})["loss"]
    features = rule.ridge.features(given.train.images, "head")
    targets = one_hot(given.train.plain_labels, "float64")

    def objective(weights):
        squares = np.sum((targets - features @ weights) ** 2)
        return (squares + 0.1 * 40 * np.sum(weights**2)) / 40

    found = rule.ridge.layer.plain[:-10].reshape(5, 10)
    np.testing.assert_allclose(loss, objective(found), rtol=1e-10)
    rng = np.random.default_rng(0)
    for _ in range(20):  # every way from the minimum leads up
        assert objective(found + 1e-3 * rng.normal(size=found.shape)) > loss


def test_bytes_of_the_sums_and_the_solution_by_hand():
    trace = Trace(strict=True)
    given = host(trace, "float32", (3, 2), count=4)
    ridge = Ridge(given, NormalizedNetwork(trace, given.settings, given.random["init"]))
    before = trace.traffic
    ridge.solve()
    moved = trace.traffic
    # d = 2 features: FtF 16 bytes, FtT and W 2*10*4 = 80, one diagonal 8
    read = 8 + (16 + 80) + 80 + (80 + 80) + 4  # diagonal += c; solve; W[...] =; vdot; its escape
    written = 8 + 80 + 80 + 4
    assert moved.bytes_read - before.bytes_read == read
    assert moved.bytes_written - before.bytes_written == written


def test_a_run_is_rehearsed_kind_by_kind():
    settings = host(Untraced(), "float32").settings
    kinds = rehearse("ridge", Workload(settings, 2500, 300)).kinds
    assert {one.kind.label: one.steps for one in kinds} == {
        "shuffle": 1,
        "ridge": 2,
        "ridge-short": 1,
        "report-head": 3,
        "solve": 1,
        "evaluate-test": 1,
        "evaluate": 2,
        "evaluate-short": 1,
    }


def test_the_price_does_not_hang_on_the_strength():
    """Units that answer to no random pixel made the rehearsal's equations singular."""
    usual = Settings.from_preset("quick").replace(layer_sizes=(784, 64, 64))
    found = [
        [(one.kind.label, one.signature.digest) for one in rehearse("ridge", work).kinds]
        for strength in (0.1, 1e-300)
        for work in [Workload(usual.replace(ridge_strength=strength), 2000, 300)]
    ]
    assert found[0] == found[1]


def test_equations_with_many_solutions_ask_for_more_strength():
    """Five features of four images: rank 4 at most, and 1e-300 is nothing in float32."""
    given = host(Untraced(), "float32", count=4)
    given.settings = given.settings.replace(ridge_strength=1e-300)
    ridge = Ridge(given, NormalizedNetwork(Untraced(), given.settings, given.random["init"]))
    ridge.gram[...] = 0  # one way to be singular to the last bit
    with pytest.raises(SingularError, match=r"ridge_strength is 1e-300, too little .* raise it"):
        ridge.solve()
