"""The trace of a step: valid trace events, whose sums are the figures of the tables."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import jsonschema
import pytest

from ffenergy.costs.measuring import measure
from ffenergy.costs.rehearsal import Workload, rehearse
from ffenergy.energy import load_profile, movement_energy
from ffenergy.errors import SettingsError
from ffenergy.export import perfetto
from ffenergy.export.timeline import Timeline, timeline
from ffenergy.settings import Settings
from instrumented import analyse, analyse_live

SETTINGS = Settings.from_preset("quick").replace(layer_sizes="64,20,10", batch_size=5)
WORK = Workload(SETTINGS, train_images=50, test_images=10)
PROFILE = load_profile("horowitz-45nm")

# The parts of Google's "Trace Event Format" that are used: what each kind of event must have.
NUMBER, TEXT = {"type": "number", "minimum": 0}, {"type": "string", "minLength": 1}
NAMED = {"name": TEXT, "pid": {"type": "integer"}, "ts": NUMBER}
KINDS: dict[str, dict[str, Any]] = {
    "X": {
        "required": ["name", "cat", "pid", "tid", "ts", "dur"],
        "properties": {**NAMED, "cat": TEXT, "tid": {"type": "integer"}, "dur": NUMBER},
    },
    "C": {
        "required": ["name", "pid", "ts", "args"],
        "properties": {
            **NAMED,
            "args": {"minProperties": 1, "additionalProperties": {"type": "number"}},
        },
    },
    "M": {
        "required": ["name", "pid", "args"],
        "oneOf": [
            {
                "properties": {
                    "name": {"enum": names},
                    "args": {"required": [key], "properties": {key: kind}},
                }
            }
            for names, key, kind in (
                (["process_name", "thread_name"], "name", TEXT),
                (["process_labels"], "labels", TEXT),
                (["process_sort_index", "thread_sort_index"], "sort_index", {"type": "integer"}),
            )
        ],
    },
}
SCHEMA = {
    "type": "object",
    "required": ["traceEvents"],
    "properties": {
        "displayTimeUnit": {"enum": ["ms", "ns"]},
        "traceEvents": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["ph"],
                "properties": {"ph": {"enum": list(KINDS)}, "args": {"type": "object"}},
                "allOf": [
                    {"if": {"properties": {"ph": {"const": ph}}}, "then": kind}
                    for ph, kind in KINDS.items()
                ],
            },
        },
    },
}


@pytest.fixture(scope="module")
def timelines() -> list[Timeline]:
    return [timeline(name, WORK, PROFILE) for name in ("ff", "bp")]


@pytest.fixture(scope="module")
def document(timelines: list[Timeline]) -> dict[str, Any]:
    return json.loads(json.dumps(perfetto.document(timelines), allow_nan=False))


def of(document: dict[str, Any], ph: str, process: int) -> list[dict[str, Any]]:
    return [e for e in document["traceEvents"] if e["ph"] == ph and e["pid"] == process]


def test_it_is_valid_and_says_what_its_axis_is(document: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(document, SCHEMA)
    assert document["otherData"]["time_axis"].startswith("not time: 1 ns stands for 1 byte")


def test_the_schema_refuses_what_perfetto_would_drop(document: dict[str, Any]) -> None:
    for ph, key in (("X", "dur"), ("C", "args"), ("M", "args")):
        event = dict(of(document, ph, 1)[0])
        del event[key]
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({"traceEvents": [event]}, SCHEMA)


@pytest.mark.parametrize(("process", "algorithm"), [(1, "ff"), (2, "bp")])
def test_operations_follow_one_another_and_add_up_to_the_counted_step(
    document: dict[str, Any], process: int, algorithm: str
) -> None:
    operations = of(document, "X", process)
    step = next(s for s in measure(algorithm, SETTINGS).signatures if s["name"] == "train")
    assert len(operations) == step["operations"]
    for column in ("bytes_read", "bytes_written", "flops"):
        assert sum(e["args"][column] for e in operations) == step[column]
    for before, after in pairwise(operations):
        assert before["ts"] + before["dur"] == pytest.approx(after["ts"], abs=1e-9)
    last = operations[-1]
    assert (last["ts"] + last["dur"]) * 1000 == pytest.approx(
        step["bytes_read"] + step["bytes_written"]
    )


def test_tracks_are_the_layers(document: dict[str, Any]) -> None:
    names = {
        e["tid"]: e["args"]["name"] for e in of(document, "M", 1) if e["name"] == "thread_name"
    }
    assert list(names.values()) == ["input", "layer1", "layer2"]
    phases = {names[e["tid"]]: set() for e in of(document, "X", 1)}
    for event in of(document, "X", 1):
        phases[names[event["tid"]]].add(event["cat"])
    assert "negatives" in phases["input"]
    assert {"normalize", "forward", "optimizer"} <= phases["layer2"]


def test_counters_end_at_the_totals_of_the_analysis(document: dict[str, Any]) -> None:
    rehearsal = rehearse("ff", WORK)
    recording = rehearsal.record(next(k for k in rehearsal.kinds if k.kind.label == "train"))
    counters = of(document, "C", 1)
    values = {
        name: [e["args"] for e in counters if e["name"].startswith(name)]
        for name in ("moved", "energy", "live")
    }
    read = sum(e["args"]["bytes_read"] for e in of(document, "X", 1))
    assert values["moved"][0] == {"read": 0, "written": 0}
    assert values["moved"][-1]["read"] == read
    live = analyse_live(recording.events, recording.buffers)
    assert max(sum(args.values()) for args in values["live"]) == live.peak_bytes
    # the whole step at once, not operation by operation
    levels = analyse(recording.events, recording.buffers, grain="tile").levels(
        PROFILE.capacities_bytes, PROFILE.level_names
    )
    whole = movement_energy(PROFILE, levels)["energy_movement_joules"].sum()
    assert values["energy"][-1]["movement"] == pytest.approx(whole)
    assert values["energy"][-1]["compute"] > 0


def test_a_wire_model_and_relative_units_work_too() -> None:
    wire = timeline("bp", WORK, load_profile("dally-wire")).operations
    assert wire["energy_movement_joules"].sum() > 0
    relative = perfetto.document([timeline("bp", WORK, load_profile("eyeriss-relative"))])
    assert any("(MACs, eyeriss-relative)" in event["name"] for event in relative["traceEvents"])


def test_an_algorithm_without_hidden_training_is_refused() -> None:
    with pytest.raises(SettingsError, match="no training step"):
        timeline("random", WORK, PROFILE)
