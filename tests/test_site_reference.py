"""What the site's hook writes of commands, settings and columns; no site is built for it."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import click
import pytest

from ffenergy.cli import main
from ffenergy.costs.prices import COLUMNS
from instrumented.script.command import run

ROOT = Path(__file__).parent.parent
REFERENCE = ROOT / "docs" / "reference"


@pytest.fixture(scope="module")
def hook() -> ModuleType:
    place = ROOT / "scripts" / "site_reference.py"
    spec = importlib.util.spec_from_file_location("site_reference", place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def page(hook: ModuleType, name: str) -> str:
    return str(hook.on_page_markdown((REFERENCE / f"{name}.md").read_text(encoding="utf-8")))


def test_every_command_has_its_section_and_its_own_options(hook: ModuleType) -> None:
    text = page(hook, "commands")
    assert re.findall(r"^## (.+)$", text, flags=re.MULTILINE) == sorted(main.commands)
    report = text.split("## report")[1].split("\n## ")[0]
    assert "ffenergy report [OPTIONS] RUN" in report
    assert "| `--profile` NAME \\| FILE | Prices of a chip; `ffenergy profiles`" in report
    assert "\x08" not in text
    compare = text.split("## compare")[1].split("\n## ")[0]
    assert "`--preset" in compare
    assert "--layer-sizes" not in re.sub(r"```.*?```", "", compare, flags=re.DOTALL)


def test_settings_have_flag_values_and_meaning(hook: ModuleType) -> None:
    text = page(hook, "settings")
    row = "| `optimizer` | `--optimizer` | adam, adamw, momentum, sgd | `adam` | Of every rule; "
    assert row in text
    assert "| `layer_sizes` | `--layer-sizes` |" in text
    assert "`layer_sizes` `784,500,500,500`" in text  # of the preset quick


def test_every_column_of_every_table_has_a_meaning(hook: ModuleType) -> None:
    text = page(hook, "files")
    explained = text.split("## What a column means")[1]
    rows = [line.split("|")[1] for line in explained.splitlines() if line.startswith("|")]
    known = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert set(hook.tables()) >= {*COLUMNS, "summary", "traffic", "history"}
    for name, header in hook.tables().items():
        told = [re.sub(r"_layer[2-9]$", "_layer1", column) for column in header]
        unknown = [column for column in told if column not in known]
        assert unknown == [], f"{name}.csv: say in docs/reference/files.md what they mean"


def test_the_options_of_a_traced_script_are_those_of_its_help(hook: ModuleType) -> None:
    source = (ROOT / "docs" / "scripts.md").read_text(encoding="utf-8")
    text = str(hook.on_page_markdown(source))
    told = re.findall(r"^\| `(-[\w-]+)`", text, flags=re.MULTILINE)
    known = [one.opts[0] for one in run.params if isinstance(one, click.Option)]
    assert told == known
    assert not [name for name in known if f"| `{name}" in source]  # none is typed


def test_the_file_itself_says_where_to_look_and_the_site_does_not(hook: ModuleType) -> None:
    found = 0
    for path in sorted((ROOT / "docs").rglob("*.md")):
        source = path.read_text(encoding="utf-8")
        for name, instead in hook.PLACE.findall(source):
            found += 1
            assert "when the site is built" in instead, (
                f"{path.name}, {name}: where to look instead"
            )
            assert instead not in hook.on_page_markdown(source)
    assert found == len(hook.WRITTEN)


def test_nothing_in_a_text_is_taken_for_markup(hook: ModuleType) -> None:
    assert hook.plain("a_b <c> `d_e` [f]") == r"a\_b &lt;c> `d_e` \[f\]"
    assert hook.table(("a",), [("b|c",)]) == "| a |\n| --- |\n| b\\|c |"
