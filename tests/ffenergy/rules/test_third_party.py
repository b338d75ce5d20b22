"""A rule of somebody else's, in a package of its own: the tutorial's, installed outside of here.

The package is a folder with a module and its metadata, as pip leaves it behind; commands run in
processes of their own, which find it as they find any installed package.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import Result

from ffenergy.cli.resuming import same_rules
from ffenergy.costs import best_orders
from ffenergy.costs.measuring import measure, random_dataset
from ffenergy.costs.rehearsal import Workload
from ffenergy.energy import choose_profiles
from ffenergy.errors import FfenergyError, SettingsError
from ffenergy.rules import Values, registry
from ffenergy.rules.backprop import BackpropRule
from ffenergy.rules.registry import RuleFailedError
from ffenergy.runs.run import Run
from ffenergy.settings import Settings
from ffenergy.training import train

TUTORIAL = Path(__file__).parents[3] / "docs" / "tutorial.md"
SMALL = Settings.from_preset("quick").replace(
    layer_sizes="16,8", n_epochs=1, batch_size=10, head_batch_size=10
)
TINY = ["--layer-sizes", "784,8", "--n-train", "300", "--n-epochs", "2", "--offline", "-q"]
SWEEP = """
preset = "quick"
algorithms = ["my-rule"]
[fixed]
n_train = 300
n_epochs = 1
layer_sizes = [784, 8]
[grid]
bp_lr = [1e-3, 1e-4]
"""
RESUMED = """
import sys
from pathlib import Path
import numpy as np
from ffenergy.data import load
from ffenergy.rules import registry
from ffenergy.settings import Settings
from ffenergy.training import Checkpoints, Interrupted, train

settings = Settings.from_preset("quick").replace(layer_sizes="784,8", n_train=300, n_epochs=2)
data, kept = load(offline=True), Checkpoints(Path(sys.argv[1]), "mine")

def stop(stage, epoch, weights):
    if kept.found():
        raise KeyboardInterrupt

try:
    train("my-rule", settings, data, after_epoch=stop, checkpoints=kept)
    raise SystemExit("it was not interrupted")
except Interrupted:
    resumed = train("my-rule", settings, data, checkpoints=kept)
whole = train("my-rule", settings, data)
assert resumed.history["loss"].tolist() == whole.history["loss"].tolist()
for name, value in whole.weights.items():
    np.testing.assert_array_equal(resumed.weights[name], value)
assert registry.origins(["my-rule", "bp"]) == {"my-rule": "my_rule:MyRule of somebody-else 1.0"}
"""


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with my_rule.py, put together from the tutorial's snippets."""
    text = TUTORIAL.read_text(encoding="utf-8")
    snippets = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    parts = [code for code in snippets if re.search(r"^class (MonoForward|MyRule)", code, re.M)]
    assert len(parts) == 2
    folder = tmp_path_factory.mktemp("module")
    (folder / "my_rule.py").write_text("\n".join(parts), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def installed(module: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same module as an installed package with an entry point."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "my_rule.py").write_bytes((module / "my_rule.py").read_bytes())
    describe(folder, "my-rule = my_rule:MyRule")
    return folder


def describe(folder: Path, entry: str) -> None:
    """Write the metadata of an installed package with one entry point."""
    metadata = folder / "somebody_else-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: somebody-else\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[ffenergy.rules]\n{entry}\n")


def run(*words: object, here: Path, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run Python in a directory, with one more folder of packages."""
    environment = {k: v for k, v in os.environ.items() if k != "FFENERGY_DATA_DIR"}
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    command = [sys.executable, *map(str, words)]
    return subprocess.run(
        command, cwd=here, env=environment, capture_output=True, text=True, check=False
    )


def ffenergy(*words: object, here: Path, path: Path | None = None) -> None:
    done = run("-m", "ffenergy", *words, here=here, path=path)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_an_installed_rule_is_compared_priced_and_on_the_page(
    installed: Path, tmp_path: Path
) -> None:
    words = ["compare", "--algorithms", "my-rule,bp", *TINY, "--outdir", "out"]
    ffenergy(*words, here=tmp_path, path=installed)
    out = tmp_path / "out"
    document = json.loads((out / "run.json").read_text())
    assert document["rules"] == {"my-rule": "my_rule:MyRule of somebody-else 1.0"}
    taken = document["results"]["my-rule"]["signatures"]
    steps = pd.read_csv(out / "steps.csv")
    mine = steps[steps["algorithm"] == "my-rule"]
    assert set(mine["digest"]) == {signature["digest"] for signature in taken}
    assert {"train", "evaluate-test", "report", "shuffle"} <= set(mine["step"])
    energy = pd.read_csv(out / "energy.csv").groupby("algorithm")["energy_read_joules"].sum()
    assert 0 < energy["my-rule"] < 10 * energy["bp"]
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "my rule" in page
    assert "#CC79A7" in page
    without = run("-m", "ffenergy", "report", "out", here=tmp_path)
    assert without.returncode == 0, without.stderr
    assert "no rule my-rule, my_rule:MyRule of somebody-else 1.0, is here" in without.stderr
    without = run("-m", "ffenergy", *words, "--resume", here=tmp_path)
    assert without.returncode == 2
    assert without.stderr.count("\n") == 1
    assert "began with rule my-rule, my_rule:MyRule of somebody-else 1.0, w" in without.stderr


@pytest.mark.slow
def test_a_rule_by_reference_is_on_the_map_measured_and_in_its_own_order(
    module: Path, tmp_path: Path
) -> None:
    text = (module / "my_rule.py").read_text(encoding="utf-8")
    text += "\nfrom ffenergy.rules import Shape\n"
    text += "MyRule.local, MyRule.shapes = True, {'': Shape(rows=1, images=1)}\n"
    (tmp_path / "my_rule.py").write_text(text, encoding="utf-8")
    rule = ["--rule", "my_rule:MyRule"]
    ffenergy("map", *rule, "--rules", "my-rule", "--width", "8", "--outdir", "map", here=tmp_path)
    assert set(pd.read_csv(tmp_path / "map" / "map.csv")["rule"]) == {"my-rule", "bp"}
    asked = ["--order", "layer-major", "--in-flight", "2", "--layer-sizes", "784,8,6"]
    words = ["--algorithms", "my-rule", *asked, "--outdir", "measured", "-q"]
    ffenergy("measure", *rule, *words, here=tmp_path)
    assert set(pd.read_csv(tmp_path / "measured" / "traffic.csv")["algorithm"]) == {"my-rule"}
    rows = pd.read_csv(tmp_path / "measured" / "scenarios.csv").set_index("scenario")
    assert rows.loc["as it runs", ["order", "in_flight"]].tolist() == ["step-major", 1]


def test_a_rule_by_reference_is_unknown_without(
    tmp_path: Path, invoke: Callable[..., Result]
) -> None:
    unknown = invoke("train", "my-rule", *TINY, "--outdir", tmp_path / "unknown")
    assert unknown.exit_code == 2
    assert "ALGORITHM has 'my-rule'; choose among ff, ff-greedy, bp" in unknown.stderr
    assert "with commas, or name one of your own with --rule module:Class\n" in unknown.stderr
    refused = invoke("measure", "--algorithms", "ridge")
    assert refused.stderr.endswith("ff-label, with commas\n")  # known, but not to be measured


@pytest.mark.slow
def test_a_rule_by_reference_is_swept(module: Path, tmp_path: Path) -> None:
    (tmp_path / "my_rule.py").write_bytes((module / "my_rule.py").read_bytes())
    (tmp_path / "spec.toml").write_text(SWEEP, encoding="utf-8")
    flags = ["--workers", "2", "--offline", "-q", "--outdir", "swept"]
    ffenergy("sweep", "spec.toml", "--rule", "my_rule:MyRule", *flags, here=tmp_path)
    cells = pd.read_csv(tmp_path / "swept" / "cells.csv")
    assert cells["status"].tolist() == ["complete"] * 2


@pytest.mark.slow
def test_a_rule_by_reference_is_transferred(module: Path, tmp_path: Path) -> None:
    (tmp_path / "my_rule.py").write_bytes((module / "my_rule.py").read_bytes())
    rule = ["--rule", "my_rule:MyRule"]
    ffenergy("train", "my-rule", *rule, *TINY, "--outdir", "run", here=tmp_path)
    words = ["--to", "mnist:5-9", "--offline", "-q", "--outdir", "moved"]
    ffenergy("transfer", "run", *rule, *words, here=tmp_path)
    summary = pd.read_csv(tmp_path / "moved" / "summary.csv")
    assert summary["algorithm"].tolist() == ["my-rule"]


def test_a_run_does_not_go_on_without_its_rule() -> None:
    earlier = Run({"rules": {"my-rule": "my_rule:MyRule of somebody-else 1.0"}})
    with pytest.raises(SettingsError, match="began with rule my-rule, my_rule:MyRule of some"):
        same_rules(earlier)
    same_rules(Run({"rules": {"ff": "somewhere"}}))
    same_rules(Run({}))


def test_its_run_goes_on_from_a_checkpoint_bit_for_bit(installed: Path, tmp_path: Path) -> None:
    done = run("-c", RESUMED, tmp_path / "kept", here=tmp_path, path=installed)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("my_rule", "write module:Class"),
        ("no_such_module:Rule", "No module named 'no_such_module'"),
        ("json:JSONDecoder", "is no rule"),
        ("json:Nothing", "has no attribute 'Nothing'"),
    ],
)
def test_what_is_no_rule_is_said_in_one_line(text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said) as caught:
        registry.add(text)
    assert "\n" not in str(caught.value)


def test_a_module_that_leaves_python_is_said_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its exit code would be taken for one of ours: 3 is bad data."""
    (tmp_path / "a_script.py").write_text("raise SystemExit(3)\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SettingsError, match=r"^rule a_script:Rule \(a_script.py, line 1\): System"):
        registry.add("a_script:Rule")


def test_a_module_that_goes_wrong_is_said_with_the_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a_name.py").write_text("import numpy\n\nnumpy.array(undefined_name)\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SettingsError) as caught:
        registry.add("a_name:Rule")
    assert str(caught.value) == (
        "rule a_name:Rule (a_name.py, line 3): NameError: name 'undefined_name' is not defined"
    )


def test_two_rules_of_one_name_are_refused() -> None:
    another = type("Another", (registry.find("ff"),), {})
    with pytest.raises(SettingsError, match="two rules are named ff"):
        registry.rule("ff", title="another", colour="#000000")(another)


def test_a_closed_form_that_is_none_is_refused() -> None:
    another = type("Another", (registry.find("ff"),), {"shapes": {"": {"rows": 2}}})
    with pytest.raises(SettingsError, match=r"has the closed form .*; make it a Shape"):
        registry.rule("another", title="another", colour="#000000")(another)


def test_a_broken_package_stops_nobody_who_does_not_ask_for_it(tmp_path: Path) -> None:
    describe(tmp_path, "broken = no_such:Rule")
    script = (
        "from ffenergy.rules import registry; print(*registry.rules())\n"
        "try: registry.find('broken')\n"
        "except Exception as error: print(error)"
    )
    done = run("-c", script, here=tmp_path, path=tmp_path)
    assert done.returncode == 0, done.stderr
    known, refused = done.stdout.splitlines()
    assert known.split()[:2] == ["ff", "ff-greedy"]
    assert "broken cannot be read: no_such:Rule: " in refused


def register(monkeypatch: pytest.MonkeyPatch, **methods: Any) -> None:
    """Register, for one test, backprop as a rule of somebody else's with other methods."""
    monkeypatch.setattr(registry, "_registered", dict(registry.rules()))
    kind = type("Guest", (BackpropRule,), {**methods, "__module__": "somebody"})
    registry.rule("guest", title="guest", colour="#000000")(kind)


def count_outside(rule: BackpropRule) -> Values:
    with rule.network.head.scope["evaluate"]:
        rule.network.losses[...] = 0
    return {"loss": 0.0, "train_accuracy": 0.0}


def divide(rule: BackpropRule) -> Values:
    return {"loss": 1 / 0}


def leave(rule: BackpropRule) -> Values:
    raise SystemExit(3)


@pytest.mark.parametrize(
    ("method", "wrong", "said"),
    [
        ("read", leave, r"^rule guest \(test_third_party.py, line \d+\): SystemExit: 3$"),
        ("read", divide, r"^rule guest \(test_third_party.py, line \d+\): ZeroDivisionError: "),
        ("read", lambda rule: {}, "stage network reads nothing, no loss; let"),
        ("read", count_outside, "store in layer head, phase evaluate was counted outside of all"),
        (
            "open",
            lambda rule: replace(BackpropRule.open(rule), step=lambda index, rate: None),
            r"^rule guest: InstrumentError: stage network: 1 step took 0 steps of the trace; open",
        ),
        (
            "open",
            lambda rule: replace(BackpropRule.open(rule), rate=("lineer", 0.1)),
            "schedule is 'lineer'; choose one of constant, linear_second_half, linear",
        ),
    ],
)
def test_what_goes_wrong_in_a_rule_is_said_in_one_line(
    method: str, wrong: Any, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(monkeypatch, **{method: wrong})
    with pytest.raises(FfenergyError, match=said) as caught:
        train("guest", SMALL, random_dataset(SMALL, 20))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("hook", ["after_epoch", "watch"])
def test_what_goes_wrong_in_a_look_on_it_is_not_the_rules(
    hook: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look(*args: object) -> None:
        raise KeyError("mine")

    register(monkeypatch)
    with pytest.raises(KeyError, match="mine"):
        train("guest", SMALL, random_dataset(SMALL, 20), **{hook: look})


def test_what_goes_wrong_in_a_rules_weights_is_the_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, weights=divide)
    with pytest.raises(
        RuleFailedError, match=r"^rule guest \(test_third_party.py, line \d+\): Zero"
    ):
        train(
            "guest", SMALL, random_dataset(SMALL, 20), after_epoch=lambda s, e, weights: weights()
        )


def test_a_measurement_leaves_out_nothing_that_a_rule_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    register(monkeypatch, read=count_outside)
    with pytest.raises(FfenergyError, match="was counted outside of all steps"):
        measure("guest", SMALL)


def test_a_rule_whose_values_decide_what_moves_is_not_built_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def step(rule: BackpropRule, index: Any, rate: float) -> None:
        with rule.host.trace.step("train"), rule.network.gather_scope:
            pixels = np.take(rule.host.train.images, index, axis=0)
            np.multiply(pixels[pixels > 0.5], 2)

    register(
        monkeypatch, open=lambda rule: replace(BackpropRule.open(rule), step=partial(step, rule))
    )
    (chosen,) = choose_profiles(["jouppi-7nm-hbm2"])
    spent_by = best_orders.under(chosen.profile)
    work = Workload(SMALL, 40, 0)
    assert best_orders.built(["guest"], work, 2**20, spent_by, whole_run=False) == {}
