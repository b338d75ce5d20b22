"""Every command and snippet of README.md and docs/ is executed, every link leads somewhere.

Running them is slow; that the commands and flags exist, and the links, is checked every time.

Blocks fenced as python run one after the other, a page being one session. Lines that call
ffenergy, in blocks fenced as bash, console or sh and in indented blocks, are run in an empty
directory that holds `runs/compare-quick`; trainings get the flags of SMALL, which change sizes
only. So are whole commands within a sentence or a table. RUN and SPEC stand for a finished run and
a small sweep; with other words in capitals, which stand for something of the reader's, flags are
checked and nothing runs. An HTML comment above a block says otherwise:

    <!-- test: --n-epochs 1 -->         flags added to every command of the block
    <!-- test: parse, needs a file -->  flags are checked, nothing runs; the reason is required
    <!-- test: file NAME -->            the block is a file that commands of all pages find
    <!-- test: printed -->              the block is what the Python blocks above it printed

Other commands must stand in ELSEWHERE, which says who runs them.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from click.testing import Result

from ffenergy.cli import main
from ffenergy.rules import registry
from ffenergy.training import train

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
NETWORK = ["--layer-sizes", "784,10"]
TRAINING = [*NETWORK, "--n-train", "300", "--n-epochs", "1", "--softmax-epochs", "1"]
SMALL = {
    "compare": [*TRAINING, "--offline"],
    "train": [*TRAINING, "--offline"],
    "animate": [*TRAINING, "--offline"],
    "measure": NETWORK,
    "figures": ["--offline"],
    "export": ["--perfetto"],  # it needs to be told what to export
    "sweep": ["--offline"],
    "data": ["--offline"],
}
"""Flags laid over a documented command; the last of two equal flags counts."""
STANDS_FOR = {"RUN": "runs/compare-quick", "SPEC": "spec.toml", "SPEC.toml": "spec.toml"}
SPEC = """
preset = "quick"
algorithms = ["bp"]
[fixed]
n_train = 300
n_epochs = 1
layer_sizes = [784, 16]
"""
ELSEWHERE = {
    "python3 -m venv": ".ci/run types the README's",
    "python -m venv": ".ci/run types the README's",
    ". .venv/bin/activate": "a line of the shell",
    "pip install": "installs this package or an extra",
    ".venv/bin/pip install": ".ci/run types the README's",
    ".venv/bin/pytest": ".ci/run types the README's",
    "pytest": "this is it",
    "git clone": "needs a network",
    "dask": "tests/ffenergy/sweeps/test_cluster.py starts a scheduler and workers",
    "mkdocs": "tests/test_site.py builds the site",
    "python -m http.server": "serves the built site",
    "eval $(_FFENERGY_COMPLETE": "tests/ffenergy/cli/test_json.py completes what is typed",
}


@dataclass(frozen=True)
class Block:
    """A fenced or indented block of a page: its language, text, and what its comment asks for."""

    page: str
    line: int
    language: str
    text: str
    wish: str

    @property
    def name(self) -> str:
        return f"{self.page}:{self.line}"


def within(page: Path) -> str:
    """The name of a page in the repository."""
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path) -> Iterator[Block]:
    """The blocks of code in a page."""
    wish, language, start = "", None, 0
    text: list[str] = []
    for number, line in enumerate([*page.read_text(encoding="utf-8").splitlines(), ""], start=1):
        fence = re.fullmatch(r"```(\w*).*", line)
        if language is None and fence:
            language, start, text = fence[1], number, []
        elif language is not None and language != "indented":
            if fence:
                yield Block(within(page), start, language, "\n".join(text), wish)
                language, wish = None, ""
            else:
                text.append(line)
        elif line.startswith("    "):
            if language is None:
                language, start, text = "indented", number, []
            text.append(line)
        else:
            if language:
                yield Block(within(page), start, language, "\n".join(text), wish)
                language, wish = None, ""
            if line.strip():
                found = re.fullmatch(r"<!-- test: (.+) -->", line)
                wish = found[1] if found else ""


def sentences(page: Path) -> Iterator[Block]:
    """Every `ffenergy …` within a sentence or a table, as a block of its own."""
    text = page.read_text(encoding="utf-8")
    text = re.sub(r"```.*?```", lambda found: "\n" * found[0].count("\n"), text, flags=re.DOTALL)
    for code in re.finditer(r"`(ffenergy [^`]+)`", text):
        yield Block(within(page), text.count("\n", 0, code.start()) + 1, "sentence", code[1], "")


BLOCKS = [block for page in PAGES for block in (*blocks(page), *sentences(page))]
FILES = {b.wish.removeprefix("file "): b.text for b in BLOCKS if b.wish.startswith("file ")}
SHELL = [b for b in BLOCKS if b.language in ("bash", "console", "sh", "indented", "sentence")]


def typed(block: Block) -> Iterator[list[str]]:
    """The commands of a block as words; prompts, comments and printed lines are left out."""
    for line in block.text.replace("\\\n", " ").splitlines():
        if block.language == "console" and not line.startswith("$ "):
            continue
        for part in line.removeprefix("$ ").split("&&"):
            words = shlex.split(part, comments=True)
            if words:
                yield words


def checked(words: list[str]) -> click.Command:
    """The sub-command of `ffenergy …`, once it is known that it has all these flags."""
    if words[1].startswith("-"):
        assert words[1] in ("--help", "-h", "--version")
        return main
    assert words[1] in main.commands, f"no command {words[1]!r}"
    command = main.commands[words[1]]
    known = {o for p in command.params for o in (*p.opts, *p.secondary_opts)} | {"--help", "-h"}
    flags = [word.split("=")[0] for word in words[2:] if re.match(r"-[-a-z]", word)]
    assert [flag for flag in flags if flag not in known] == []
    return command


def needs_more(command: click.Command) -> bool:
    """Whether the name of the command alone is no command yet."""
    return any(isinstance(p, click.Argument) and p.required for p in command.params)


@pytest.fixture(scope="module")
def place(finished_run: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory with a finished run in `runs/compare-quick`, and no data but the sample."""
    base = tmp_path_factory.mktemp("docs")
    shutil.copytree(finished_run.path, base / "runs" / "compare-quick")
    (base / "spec.toml").write_text(SPEC, encoding="utf-8")
    for name, text in FILES.items():
        (base / name).write_text(text, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(base / "home"))
        patch.setenv("XDG_CACHE_HOME", str(base / "cache"))
        patch.delenv("FFENERGY_DATA_DIR", raising=False)
        patch.chdir(base)
        yield base


@pytest.fixture(scope="module")
def done() -> set[tuple[str, ...]]:
    """Commands that ran already; the same on another page need not run again."""
    return {("ffenergy", "compare")}


@pytest.mark.parametrize("page", PAGES, ids=within)
def test_files_that_are_named_are_there(page: Path) -> None:
    named = re.findall(r"`((?:tests|scripts|sweeps|benchmarks)/[\w/.-]+\.\w+)`", page.read_text())
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("block", SHELL, ids=lambda block: block.name)
def test_commands_and_their_flags_exist(block: Block) -> None:
    assert block.wish != "parse", "say why it cannot run: <!-- test: parse, REASON -->"
    for words in typed(block):
        text = " ".join(words)
        if Path(words[0]).name == "ffenergy":
            checked(words)
        else:
            assert any(text.startswith(known) for known in ELSEWHERE), f"who runs {text!r}?"


SHOW_ONLY = ("map", "measure")
"""Commands that write nothing unless they are told where, so that there is nothing to replace."""


@pytest.mark.slow
@pytest.mark.parametrize("block", SHELL, ids=lambda block: block.name)
def test_commands_do_what_the_page_says(
    invoke: Callable[..., Result], block: Block, place: Path, done: set[tuple[str, ...]]
) -> None:
    reason = re.fullmatch(r"parse, (.+)", block.wish)
    for words in typed(block):
        if Path(words[0]).name != "ffenergy":
            continue
        command = checked(words)
        words = [STANDS_FOR.get(word, word) for word in words]
        if block.language == "sentence" and words == words[:2] and needs_more(command):
            continue
        if reason or any(re.search(r"\b[A-Z]{2,}\b", word) for word in words):
            continue
        arguments = [*words[1:], *SMALL.get(words[1], []), *shlex.split(block.wish)]
        key = ("ffenergy", *words[1:], *shlex.split(block.wish))
        if key in done:
            continue
        done.add(key)
        shown = words[1] in SHOW_ONLY and "--outdir" not in words
        if not shown and any("--force" in parameter.opts for parameter in command.params):
            arguments.append("--force")
        result = invoke(*arguments)
        assert result.exit_code == 0, f"ffenergy {shlex.join(arguments)}\n{result.output}"


PRINTED = "printed"
SESSIONS = {
    page: [b for b in BLOCKS if b.page == page and (b.language == "python" or b.wish == PRINTED)]
    for page in map(within, PAGES)
}


@pytest.mark.slow
@pytest.mark.parametrize("page", [name for name, found in SESSIONS.items() if found])
def test_snippets_run_and_print_what_the_page_says(
    page: str, place: Path, invoke: Callable[..., Result], capsys: pytest.CaptureFixture[str]
) -> None:
    known = dict(registry.rules())
    space: dict[str, Any] = {}
    printed = ""
    try:
        for block in SESSIONS[page]:
            if block.wish == PRINTED:
                assert lines(capsys.readouterr().out) == lines(block.text), block.name
            else:
                code = "\n" * block.line + block.text
                exec(compile(code, block.page, "exec"), space)
        printed = capsys.readouterr().out
        if page == "docs/tutorial.md":
            deviation = re.search(r"largest deviation: (\S+)", printed)
            assert deviation is not None
            assert float(deviation[1]) < 1e-8
            assert_as_shipped(space)
            assert_joules_of_the_command_line(printed, space, invoke)
    finally:  # a page may register a rule of its own
        for name in registry.rules().keys() - known:
            del registry._registered[name]


def lines(text: str) -> list[str]:
    """Lines without the blanks that end them."""
    return [line.rstrip() for line in text.strip("\n").splitlines()]


def assert_joules_of_the_command_line(
    printed: str, space: dict[str, Any], invoke: Callable[..., Result]
) -> None:
    """A step's joules and those of the training are what `ffenergy measure` says of the rules."""
    asked = ["--algorithms", "my-rule,bp", "--profile", "jouppi-7nm-hbm2", "--json"]
    told = json.loads(invoke("measure", *asked).stdout)["algorithms"]
    for name in ("my-rule", "bp"):
        step = told[name]["scenarios"]["as it runs"]["energy_joules"]
        assert space["per_step"][name, "eager"] == pytest.approx(step, rel=1e-12)
        shown = re.search(rf"^{name} +eager +(\S+)$", printed, flags=re.MULTILINE)
        trained = re.search(
            rf"^{name}: .* after (\d+) training steps, (\S+) J", printed, re.MULTILINE
        )
        assert shown is not None
        assert trained is not None
        assert float(shown[1]) == pytest.approx(step, rel=1e-3)
        assert float(trained[2]) == pytest.approx(step * int(trained[1]), abs=0.005)


def assert_as_shipped(space: dict[str, Any]) -> None:
    """The tutorial's rule learns bit for bit what `mono-forward` learns."""
    settings = space["settings"].replace(layer_sizes="784,30,20", n_train=1000, n_epochs=1)
    own, shipped = (
        train(name, settings, space["data"], traced=False) for name in ("my-rule", "mono-forward")
    )
    assert own.test_error == shipped.test_error
    for name, weights in own.weights.items():
        np.testing.assert_array_equal(weights, shipped.weights[name])


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub and Python-Markdown name them."""
    heads = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", head.lower()) for head in heads]
    return {re.sub(r"\s", "-", head.strip()) for head in plain}


PAPERS = [ROOT / name for name in ("CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")]
PAPERS += sorted((ROOT / "reports").rglob("*.md"))


@pytest.mark.parametrize("page", [*PAGES, *PAPERS], ids=within)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"\w+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        known = target.suffix != ".md" or not anchor or anchor in anchors(target)
        if not target.exists() or not known:
            broken.append(link)
    assert broken == []


def test_the_checks_can_fail() -> None:
    block = Block("x.md", 1, "console", "$ ffenergy train ff \\\n  --seed 1\nprinted\n", "")
    assert list(typed(block)) == [["ffenergy", "train", "ff", "--seed", "1"]]
    checked(["ffenergy", "train", "ff", "--seed", "1"])
    with pytest.raises(AssertionError, match="no command 'nothing'"):
        checked(["ffenergy", "nothing"])
    with pytest.raises(AssertionError, match="no-such-flag"):
        checked(["ffenergy", "train", "ff", "--no-such-flag"])
