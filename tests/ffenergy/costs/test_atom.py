"""What the size of a micro-tile, the atom of every figure at tile grain, does to ByteDMD."""

from __future__ import annotations

import pytest

from ffenergy.costs.rehearsal import STEPS, Workload, rehearse
from ffenergy.settings import Settings
from instrumented.analysis.step_distances import distances
from instrumented.lowering.cuts import ATOM, Atom
from instrumented.lowering.kinds import Grain, MemoryKind
from instrumented.lowering.lower import lower
from instrumented.lowering.stream import Stream

STEP = Settings.from_preset("quick").replace(layer_sizes="784,500,500,500", batch_size=100)
SMALL, LARGE = Atom(8, 8, 8, 64), Atom(32, 32, 32, 1024)


@pytest.fixture(scope="module", params=["ff", "bp"])
def recording(request):
    known = rehearse(request.param, Workload(STEP, 6000, 1000))
    kind = next(kind for kind in known.kinds if kind.kind.trains_layers)
    return request.param, known.record(kind)


def bytedmd(recording, atom, scopes):
    table = lower(recording.events, recording.buffers, grain=Grain.TILE, scopes=scopes, atom=atom)
    memory = MemoryKind.SCRATCHPAD
    found = distances(Stream(table), recording.buffers, STEPS // 2, [memory], scopes)
    return int(found.sums[memory]["bytedmd"].sum())


@pytest.mark.slow
@pytest.mark.parametrize("scopes", [(), None], ids=["eager", "fused"])
def test_bytedmd_of_a_step_hangs_on_the_atom_by_7_to_9_percent(recording, scopes):
    """In percent, from 16x16x16 to 8x8x8 and to 32x32x32."""
    rule, steps = recording
    usual = bytedmd(steps, ATOM, scopes)
    found = [100 * (bytedmd(steps, atom, scopes) / usual - 1) for atom in (SMALL, LARGE)]
    accounting = "eager" if scopes == () else "fused"
    expected = {
        ("ff", "eager"): [8.1, -8.5],
        ("ff", "fused"): [9.0, -8.9],
        ("bp", "eager"): [6.8, -7.4],
        ("bp", "fused"): [7.2, -7.3],
    }
    assert found == pytest.approx(expected[rule, accounting], abs=0.06)
