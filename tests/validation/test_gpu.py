"""The committed figures of a GPU, what is said of them, and the model beside them; needs no GPU."""

from __future__ import annotations

from pathlib import Path

import pytest

from validation import gpu_recipes
from validation.gpu import BYTES, Case, Figures, Seen, add_up, predict, read, tables

WORDS = (Path(__file__).parents[2] / "validation" / "README.md").read_text(encoding="utf-8")


def test_the_tables_of_the_readme_are_those_of_the_figures():
    for table in tables().split("\n\n"):
        assert table in WORDS


def test_idle_power_is_subtracted_for_the_time_a_batch_takes():
    figures = Figures()
    row = figures.baseline(Case("784-1000-1000-1000-1000", "ff"))
    # 3804.444 J in 20.03636 s, 42,008 batches; idle 2435.426 + 2426.781 J in 40.05226 s: 121.397 W
    assert figures.millijoules(row, net=False) == pytest.approx(90.5647, abs=1e-4)
    assert figures.millijoules(row) == pytest.approx(90.5647 - 121.397 * 0.476965, abs=1e-3)


def test_counters_are_added_up_from_one_marker_to_the_next():
    cases = [Case("784-9-9", "ff"), Case("784-9-9", "bp"), Case("784-9-9", "ff", 4)]
    log = """==PROF== connected
"ID","Kernel Name","dram__bytes_read.sum","dram__bytes_write.sum"
"","","byte","byte"
"0","erfinv_kernel","5","6"
"1","gemm","1,000","6"
"2","relu","1","6"
"3","erfinv_kernel","5","6"
"4","gemm","7","8"
"""
    assert add_up(log.splitlines(), "a card", cases) == [
        Seen("a card", "784-9-9", "ff", 1, "tf32", 2, 1001, 12),
        Seen("a card", "784-9-9", "bp", 1, "tf32", 1, 7, 8),
    ]


def test_layer_after_layer_moves_a_fifth_of_backprops_bytes_where_a_layer_fits():
    figures = Figures()
    there = figures.moved(Case("784-1000-1000-1000-1000", "bp"))
    here = figures.moved(Case("784-1000-1000-1000-1000", "ff", 8))
    assert here.mb / there.mb == pytest.approx(0.20, abs=0.005)


@pytest.mark.slow
def test_the_model_says_what_is_committed_of_it():
    rows = {(row.layer_sizes, row.rule, row.batches): row for row in Figures().predicted}
    for seen in read(BYTES, Seen):
        if seen.layer_sizes == "784-1000-1000-1000-1000" and seen.batches == 1:
            assert predict(seen) == rows[seen.layer_sizes, seen.rule, seen.batches]


def test_the_recipes_in_the_readme_are_the_means_of_the_rows():
    rows = gpu_recipes.read(gpu_recipes.TABLE)
    seen = {(row["preset"], *(row[name] for name in gpu_recipes.NAMED)) for row in rows}
    recipes = {recipe[:-1] for recipe in seen}  # the seed comes last
    assert f"{len(seen)} networks with {len(recipes)} recipes" in WORDS
    names = "preset n_epochs optimizer lr weight_decay batch_size temperature".split()
    names += ["threshold", "peer_strength", "n_blur"]
    least = {
        tuple(named[name] for name in names): (error, seeds)
        for error, seeds, named in gpu_recipes.ranked(rows)
    }
    told = {
        ("as preset `best`: Adam, L2 decay of 3e-4", "paper", 100, "adam", 3e-4, 3e-4, 100),
        ("Adam, L2 decay of 1e-4", "paper", 100, "adam", 3e-4, 1e-4, 100),
        ("AdamW, decay of 0.3", "paper", 100, "adamw", 3e-4, 0.3, 100),
        ("AdamW, decay of 0.6", "paper", 100, "adamw", 3e-4, 0.6, 100),
        ("AdamW, decay of 1", "paper", 100, "adamw", 3e-4, 1.0, 100),
        ("as preset `best`", "paper", 25, "adam", 3e-4, 3e-4, 100),
        ("AdamW, decay of 0.3", "paper", 25, "adamw", 3e-4, 0.3, 100),
        ("Adam, rate of 1e-3, batches of 100", "paper-local", 60, "adam", 1e-3, 0.0, 100),
        ("batches of 200", "paper-local", 60, "adam", 1e-3, 0.0, 200),
        ("rate of 5e-4", "paper-local", 60, "adam", 5e-4, 0.0, 100),
    }
    others = {"paper": (20, 1, 0, 6), "paper-local": (40, 1, 0.003, 10)}
    for words, preset, *chosen in told:
        error, seeds = least[preset, *chosen, *others[preset]]
        assert f"| {words} | {seeds} | {error:.3f} |" in WORDS, (words, error, seeds)
