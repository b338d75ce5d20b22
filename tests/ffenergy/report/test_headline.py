"""The first screen, its figures and its thresholds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from ffenergy.costs.decomposition import RUN, decompose
from ffenergy.costs.scenarios import AS_IT_RUNS, THE_LEAST, WELL_BUILT
from ffenergy.energy import load_profile
from ffenergy.errors import SettingsError
from ffenergy.report import headline
from ffenergy.report.answer import Answer, answer
from ffenergy.report.book import Book
from ffenergy.report.screen import about_run, comparison, screen


@pytest.fixture
def book(finished_run: Any) -> Book:
    return Book(finished_run.run, finished_run.prices)


def told(bp: dict[str, int], ff: dict[str, int]) -> Answer:
    rows = [("bp", *item) for item in bp.items()] + [("ff", *item) for item in ff.items()]
    table = pd.DataFrame(rows, columns=["algorithm", "phase", "energy"])
    return answer(decompose(table, ["energy"]), "energy", "J", "here")


def test_the_table_has_the_figures_of_the_summary(book: Book) -> None:
    shown = comparison(book)
    assert shown is not None
    eager = book.summary[book.summary["accounting"] == "eager"].set_index("algorithm")
    row = dict(zip([c.name for c in shown.columns], shown.rows[0], strict=True))
    assert row["algorithm"].text == "Forward-Forward"
    assert float(row["energy"].value) == eager.loc["ff", "energy_joules"]
    assert int(row["bytes"].value) == eager.loc["ff", ["bytes_read", "bytes_written"]].sum()
    assert int(row["peak_live"].value) == eager.loc["ff", "peak_live_bytes"]
    foot = dict(zip([c.name for c in shown.columns], shown.foot, strict=True))
    ratio = eager.loc["ff", "energy_joules"] / eager.loc["bp", "energy_joules"]
    assert foot["energy"].text == f"{ratio:.2f}"


@pytest.fixture
def built(book: Book) -> Book:
    """The same run, as if Forward-Forward needed half of its energy where it is well built."""
    found = replace(book, hardware=(load_profile(book.headline),))
    better = book.scenarios.assign(scenario=WELL_BUILT)
    better.loc[better["algorithm"] == "ff", "energy_joules"] *= 0.5
    found.__dict__["scenarios"] = pd.concat([book.scenarios, better], ignore_index=True)
    return found


def troubled(book: Book) -> Book:
    """A run that warns of everything there is to warn of."""
    run = book.run
    data = {**run.configuration["data"], "validation_images": 10_000}
    results = {name: {**row, "test_error": 50.0} for name, row in run.results.items()}
    found = replace(run, results=results, configuration={**run.configuration, "data": data})
    worst = replace(book, run=found.with_status("interrupted", "during Forward-Forward"))
    worst.__dict__["scenarios"] = book.scenarios
    return worst


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ("--algorithms ff", "NumPy's own operations and order, in a cache; well built: "),
        (
            "--algorithms ff,mono-forward --order layer-major --in-flight 4",
            "NumPy's own operations in layer-major order, 4 in flight, in a cache; well built: ",
        ),
        (
            "--algorithms ff,ff-greedy,bp --order layer-major --in-flight 4",
            "(Forward-Forward in layer-major order, 4 in flight; FF greedy layer by layer, 4 in ",
        ),
        (
            "--algorithms ff,bp --order layer-major --in-flight 2",
            "layer-major order, 2 in flight; backprop in step-major order), in a cache; well",
        ),
        (
            "--algorithms bp --memory managed",
            "in a scratchpad. --memory managed is of the other tables, not of scenarios. Energies",
        ),
    ],
)
def test_the_screen_names_order_and_memory(invoke: Any, flags: str, says: str) -> None:
    result = invoke("measure", "--layer-sizes", "16,8,8", "--batch-size", "4", *flags.split())
    assert result.exit_code == 0, result.output
    assert says in " ".join(result.stdout.split())


def test_all_tables_and_sentences_with_energies_name_their_memory(invoke: Any) -> None:
    flags = ["--layer-sizes", "16,8,8", "--batch-size", "4", "--memory", "managed", "--verbose"]
    told = " ".join(invoke("measure", *flags).stdout.split())
    for caption in (
        "Per training step, eager, in a managed memory, under jouppi-7nm-hbm2, removing",
        "One training step, in a managed memory algorithm",
        "Energy of one training step by what serves it, in a managed memory served by",
        "One training step, fused, in a managed memory, under horowitz-45nm part",
        "One training step, eager, bytes read part",  # of operations, in no memory
    ):
        assert caption in told


@pytest.mark.parametrize("warned", [False, True])
def test_one_screen_of_24_lines_and_100_columns(built: Book, *, warned: bool) -> None:
    shown = troubled(built) if warned else built
    text = screen(shown, about_run(shown), ["Page        runs/x/report.html", "rest"])
    lines = text.splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 100
    assert lines[-1] == "rest"
    for sentence in (*headline.sentences(shown), *headline.warnings(shown)):
        assert " ".join(sentence.split()) in " ".join(text.split())
    assert ("no better than the untrained control" in text) == warned
    assert ("validation" in " ".join(lines[1:4])) == warned


@pytest.mark.parametrize(("epochs", "told"), [(1, "1 epoch · "), (2, "2 epochs · ")])
def test_a_single_epoch_is_told_as_one(built: Book, epochs: int, told: str) -> None:
    settings = {**built.run.configuration["settings"], "n_epochs": epochs}
    run = replace(built.run, configuration={**built.run.configuration, "settings": settings})
    assert f" · {told}" in about_run(replace(built, run=run))


def test_both_scenarios_stand_beside_each_other(built: Book) -> None:
    shown = comparison(built)
    assert shown is not None
    row = dict(zip([c.name for c in shown.columns], shown.rows[0], strict=True))
    assert float(row["built"].value) == 0.5 * float(row["energy"].value)
    foot = dict(zip([c.name for c in shown.columns], shown.foot, strict=True))
    ratio = headline.ratios(built)["energy"]
    assert foot["energy"].text == f"{ratio:.2f}"
    assert foot["built"].text == f"{ratio / 2:.2f}"
    assert (
        f"Well built it saves {100 * (1 - ratio / 2):.0f} % on 1 MiB"
        in headline.sentences(built)[1]
    )


@pytest.mark.parametrize(
    ("ratio", "says"),
    [
        (0.99, "Well built it saves 1 % on 1 MiB"),
        (0.996, "Well built it costs as much on 1 MiB"),
        (1.004, "Well built it costs as much on 1 MiB"),
        (1.01, "Well built it costs 1.01 times as much on 1 MiB"),
    ],
)
def test_a_difference_that_rounds_to_nothing_is_told_as_none(
    ratio: float, says: str, built: Book
) -> None:
    table = built.scenarios.copy()
    energy = table.set_index(["scenario", "algorithm"])["energy_joules"]
    ours = (table["scenario"] == WELL_BUILT) & (table["algorithm"] == "ff")
    table.loc[ours, "energy_joules"] = ratio * energy[WELL_BUILT, "bp"]
    built.__dict__["scenarios"] = table
    assert headline.sentences(built)[1].startswith(says)


def test_where_one_layer_fits_is_told_of_other_chips_too(built: Book) -> None:
    sizes = [784, 1000, 1000, 1000, 1000]
    settings = {**built.run.configuration["settings"], "layer_sizes": sizes}
    wide = replace(built.run, configuration={**built.run.configuration, "settings": settings})
    shown = replace(built, run=wide)
    dear = built.scenarios.copy()
    dear.loc[dear["algorithm"] == "ff", "energy_joules"] *= 10.0
    shown.__dict__["scenarios"] = dear
    sentence = headline.sentences(shown)[1]
    assert sentence.startswith("Well built it costs ")
    # of the sizes tried from 12 bytes x 1001 x 1000 on, eight in each doubling, the second
    assert "; where one layer fits (closed form) up to 50 % less, at 12.5 MiB." in sentence
    assert len(sentence.split()) <= 25


BP = {"forward": 100, "backward": 80, "gradient": 90}


@pytest.mark.parametrize(
    ("ff", "says"),
    [
        # 80 saved, 100 + 90 + 20 added back: nothing is left
        (
            {"forward": 200, "gradient": 180, "normalize": 20},
            "Forward-Forward adds back 2.62 times as much",
        ),
        # 80 saved, 20 added back: 60 of 80
        (
            {"forward": 100, "gradient": 90, "normalize": 20},
            "75 % of what removing backprop saves is left; Forward-Forward adds the rest back",
        ),
        (
            {"forward": 90, "gradient": 90},
            "all of what removing backprop saves is left, and 10.0 J more",
        ),
        ({"forward": 100, "gradient": 90, "backward": 80}, "no backward pass here"),
    ],
)
def test_the_answer_in_short_sentences(
    book: Book, monkeypatch: pytest.MonkeyPatch, ff: dict[str, int], says: str
) -> None:
    monkeypatch.setitem(book.__dict__, "answers", {(RUN, "eager"): told(BP, ff)})
    sentences = headline.sentences(book)
    assert says in sentences[0]
    assert all(len(sentence.split()) <= 25 for sentence in sentences)
    assert not any("nan" in sentence for sentence in sentences)


def test_figures_are_ratios_and_those_of_each_algorithm(book: Book) -> None:
    figures = headline.figures(book)
    assert figures["bytes_ratio"] == figures["ff.bytes"] / figures["bp.bytes"]
    assert figures["ff.test_error"] == book.run.results["ff"]["test_error"]
    assert figures["saving_left"] == book.answers["run", "eager"].kept_share


def test_thresholds_are_crossed_or_not(book: Book) -> None:
    ratio = headline.figures(book)["energy_ratio"]
    conditions = headline.checked(
        (f"energy_ratio>{ratio - 0.1}", f"energy_ratio < {ratio - 0.1}", "xx.energy>=1")
    )
    crossed = headline.crossed(book, conditions)
    assert len(crossed) == 2
    assert crossed[0].startswith(f"energy_ratio is {ratio:.4g}, > ")
    assert crossed[1] == "xx.energy is not known of this run"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("energy_ratio", "write a figure, a comparison"),
        ("energy_ratio>much", "write a figure, a comparison"),
        ("energy_ratio>nan", "write a figure, a comparison"),
        ("energy_ratio>>1", "write a figure, a comparison"),
        ("speed_ratio>1", "no figure 'speed_ratio'"),
        ("ff.speed>1", "no figure 'ff.speed'"),
        ("energy>1", "no figure 'energy'; figures are NAME_ratio, ALGORITHM.NAME and saving_left"),
        ("ff.saving_left>1", "no figure 'ff.saving_left'"),
        ("ff.energy_ratio>1", "no figure 'ff.energy_ratio'"),
    ],
)
def test_thresholds_that_cannot_be_read(text: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        headline.checked((text,))


@pytest.mark.parametrize(
    ("text", "algorithms", "says"),
    [
        ("xx.energy>1", "ff,bp", "but xx is not among ff, bp; name one of these"),
        ("ff.test_error>1", "ff", "it is not taken here; choose among energy, compute, movement"),
        ("wall_seconds_ratio>1", "ff,bp", "it is not taken here; choose among energy, compute"),
        ("energy_ratio>1", "ff", "there is no pair among ff; name ff and bp, or a figure of one"),
        ("saving_left>1", "mono-forward,bp", "there is no pair among mono-forward, bp; name ff"),
    ],
)
def test_thresholds_of_what_there_will_not_be_are_refused_at_once(
    invoke: Any, monkeypatch: pytest.MonkeyPatch, text: str, algorithms: str, says: str
) -> None:
    monkeypatch.setattr("ffenergy.cli.measure.measure_algorithm", None)  # nothing is counted
    result = invoke("measure", "--algorithms", algorithms, "--fail-if", text)
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert says in line


def test_thresholds_that_nothing_counted_or_no_program_has() -> None:
    of_energy, left = headline.checked(("bp.energy>1", "saving_left<1"))
    for conditions, scenario, counts, says in (
        ([of_energy], AS_IT_RUNS, False, "choose among wall_seconds, test_error, train_error"),
        ([left], AS_IT_RUNS, False, "nothing is counted"),
        ([left], THE_LEAST, True, "the least is no program's"),
    ):
        with pytest.raises(SettingsError, match=says):
            headline.check_known(conditions, ["ff", "bp"], scenario, trains=True, counts=counts)
    both = [of_energy, left]
    headline.check_known(both, ["ff", "bp"], AS_IT_RUNS, trains=False, counts=True)


def test_errors_no_better_than_untrained_are_said(book: Book) -> None:
    results = {name: {**row, "test_error": 50.0} for name, row in book.run.results.items()}
    warned = headline.warnings(Book(replace(book.run, results=results), book.prices))
    assert warned == [
        "Forward-Forward and backprop did no better than the untrained control (50.00 %)."
    ]
