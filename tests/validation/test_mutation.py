"""Mutants of the instrument: how they are made, and what they are known by."""

from __future__ import annotations

import ast
import subprocess
from collections import Counter

import pytest

from validation import __main__ as command
from validation import mutation

SOURCE = """
def weight(n):
    if n > 1 and n < 5:
        return -1
    return n * 2
"""


@pytest.fixture
def sources(tmp_path, monkeypatch):
    """A repository with one source, in the place of this one."""
    monkeypatch.setattr(mutation, "ROOT", tmp_path)
    path = tmp_path / "instrumented" / "books" / "weights.py"
    path.parent.mkdir(parents=True)
    path.write_text(SOURCE)
    return path


def keys():
    return [mutant.key[1:] for mutant, _ in mutation.mutants("instrumented/books/weights.py")]


def test_mutants_differ_in_one_place():
    source = (mutation.ROOT / "instrumented/books/counters.py").read_text(encoding="utf-8")
    plain = ast.unparse(ast.parse(source)).splitlines()
    found = 0
    for mutant, tree in mutation.mutants("instrumented/books/counters.py"):
        found += 1
        changed = ast.unparse(tree).splitlines()
        assert sum(a != b for a, b in zip(plain, changed, strict=True)) == 1, mutant
    assert found > 10
    assert ast.unparse(tree).splitlines() == plain  # each change is taken back


def test_a_mutant_is_known_by_its_function_and_the_text_around_it(sources):
    known = keys()
    assert known == [
        ("weight", "n > 1 and n < 5", "n > 1 or n < 5"),
        ("weight", "n > 1", "n >= 1"),
        ("weight", "n > 1", "n > 2"),
        ("weight", "n < 5", "n <= 5"),
        ("weight", "n < 5", "n < 6"),
        ("weight", "return -1", "return -2"),
        ("weight", "n * 2", "n + 2"),
        ("weight", "n * 2", "n * 3"),
    ]
    sources.write_text("# a line more\n" + SOURCE)
    assert keys() == known


def test_lines_changed_since_a_commit(sources):
    root = mutation.ROOT

    def git(*words):
        names = ("-c", "user.name=a", "-c", "user.email=a@example.org")
        subprocess.run(["git", *names, *words], cwd=root, check=True, capture_output=True)

    git("init")
    git("add", ".")
    git("commit", "-m", "first")
    assert mutation.changed_lines("HEAD") == {}
    sources.write_text(SOURCE.replace("n * 2", "n * 3").replace("def", "# a line\n# more\ndef"))
    # a line more before `def`, the second line, and the last, which was the fifth, has changed
    assert mutation.changed_lines("HEAD") == {"instrumented/books/weights.py": {2, 3, 7}}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--since", "nowhere"], "--since nowhere: fatal: bad revision 'nowhere'"),
        (["--within", "ffenergy"], "--within ffenergy: no source in instrumented/rules/"),
    ],
)
def test_bad_words_are_one_line_and_exit_code_2(words, said, capsys):
    assert command.main(["mutation", *words]) == 2
    error = capsys.readouterr().err
    assert error.startswith(said)
    assert error.count("\n") == 1


def test_every_judged_survivor_is_a_mutant_of_the_source():
    """Else its line in ``survivors.csv`` can go: what it was about is changed or no more."""
    judged = mutation.survivors()
    assert all(reason for _, reason in judged)
    files = {key[0] for key, _ in judged}
    there = Counter(mutant.key for file in files for mutant, _ in mutation.mutants(file))
    assert Counter(key for key, _ in judged) - there == Counter()
