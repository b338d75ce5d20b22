"""Write the index of all committed reports: reports/index.csv and reports/README.md.

    python scripts/index_reports.py           # writes both
    python scripts/index_reports.py --check   # says whether they are what would be written now

A row is one algorithm under one choice of settings, combined over its seeds, wherever they lie: in
folders of single runs (run.json) or in cells of a sweep (cells.csv).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pandas as pd

from ffenergy.files.atomic import write_text
from ffenergy.rules import registry
from ffenergy.runs.directory import RunDirectory
from ffenergy.settings import PRESETS, Settings
from ffenergy.style import ALGORITHM_NAMES, three_digits

REPORTS = Path(__file__).parents[1] / "reports"
ACCOUNTING = "eager"
PUBLISHED = {  # percent on MNIST, by preset, algorithm and, where it matters, what is changed
    ("seed", "ff", ""): (5.21, "reference project"),
    ("seed", "ff", "n_epochs=15"): (5.59, "reference project"),
    ("paper", "ff", ""): (1.37, "Hinton 2022"),
    ("paper-local", "ff", ""): (1.16, "Hinton 2022"),
}

HEAD = """\
# Reports

Written by `python scripts/index_reports.py` from the folders beside it; all columns are in
[index.csv](index.csv). Errors are percent of the test set, mean ± standard deviation over the
seeds. Bytes (GB = 10⁹ bytes, read + written, every operation streaming its operands) and joules
are those of a whole training run of one seed, head and evaluations included. Every folder's
`run.json` has the command, seed, versions and wall time. Folders of runs hold the tables, the page
and the pictures that the documents refer to; `ffenergy report FOLDER` writes all others again.

| preset | algorithm | data | network | epochs | changed | paper or reference, % | ours, % | \
seeds | GB | J (profile) | folder |
|---|---|---|---|---|---|---|---|---|---|---|---|
"""


@dataclass(frozen=True)
class Result:
    """One training: its settings, where it lies, and what it reached and cost (None: unknown)."""

    folder: str
    preset: str
    algorithm: str
    settings: Settings
    is_sample: bool
    is_cell: bool
    test_error: float
    wall_seconds: float
    bytes_total: int | None
    energy_joules: float | None
    memory: str | None
    profile: str | None

    @property
    def changes(self) -> str:
        """What the settings change in the preset, the seed aside."""
        had = Settings.from_preset(self.preset).to_dict()
        skip = ("seed", "dataset", "n_validation", "layer_sizes")
        changed = {n: v for n, v in self.settings.to_dict().items() if v != had[n]}
        return ", ".join(f"{name}={value}" for name, value in changed.items() if name not in skip)

    @property
    def group(self) -> tuple[object, ...]:
        """Equal for the seeds of one choice of settings, and its place in the table."""
        sizes = (-self.settings.n_layers, *self.settings.layer_sizes)
        algorithms = list(ALGORITHM_NAMES)
        order = algorithms.index(self.algorithm) if self.algorithm in algorithms else math.inf
        where = (PRESETS.index(self.preset), self.settings.dataset != "mnist", self.is_sample)
        told = json.dumps(self.settings.replace(seed=0).to_dict(), sort_keys=True)
        return (*where, self.settings.n_validation, sizes, self.changes, told, order)


def runs(reports: Path) -> Iterator[Result]:
    """Every algorithm of every complete run."""
    for path in sorted(reports.glob("**/run.json")):
        run = RunDirectory(path.parent).read()
        if run.configuration["status"] != "complete":
            continue
        settings = run.settings
        moved = run.traffic.groupby("algorithm")[["bytes_read", "bytes_written"]].sum().sum(axis=1)
        summary = pd.read_csv(path.parent / "summary.csv")
        priced = summary[summary["accounting"] == ACCOUNTING].set_index("algorithm")
        for algorithm, row in run.results.items():
            costs = priced.loc[algorithm] if algorithm in priced.index else pd.Series(dtype=object)
            yield Result(
                folder=path.parent.relative_to(reports).as_posix(),
                preset=run.configuration["preset"],
                algorithm=algorithm,
                settings=settings,
                is_sample=run.configuration["data"]["is_sample"],
                is_cell=False,
                test_error=row["test_error"],
                wall_seconds=row["wall_seconds"],
                bytes_total=int(moved[algorithm]) if algorithm in moved else None,
                energy_joules=known(costs.get("energy_joules")),
                memory=known(costs.get("memory")),
                profile=known(costs.get("profile")),
            )


def cells(reports: Path) -> Iterator[Result]:
    """Every complete cell of every sweep."""
    for path in sorted(reports.glob("**/cells.csv")):
        document = json.loads((path.parent / "sweep.json").read_text(encoding="utf-8"))
        table = pd.read_csv(path)
        for row in table[table["status"] == "complete"].to_dict("records"):
            moved = [known(row["bytes_read"]), known(row["bytes_written"])]
            yield Result(
                folder=path.parent.relative_to(reports).as_posix(),
                preset=document["preset"],
                algorithm=row["algorithm"],
                settings=Settings.from_saved(document["cells"][row["cell"]]),
                is_sample=row["is_sample"],
                is_cell=True,
                test_error=row["test_error"],
                wall_seconds=row["wall_seconds"],
                bytes_total=None if None in moved else int(sum(moved)),
                energy_joules=known(row.get("energy_joules")),
                memory=known(row.get("memory")),
                profile=known(row.get("profile")),
            )


def combined(found: list[Result]) -> dict[str, Any]:
    """Return the row of results that differ in their seed alone."""
    by_seed = {r.settings.seed: r for r in reversed(found)}  # of two with one seed, the first
    kept = [by_seed[seed] for seed in sorted(by_seed)]
    first, settings = kept[0], kept[0].settings
    rule = registry.find(first.algorithm)
    errors = pd.Series([r.test_error for r in kept], dtype=float)
    paid = next((r for r in kept if r.energy_joules is not None), first)
    figure, source = (None, None)
    if settings.dataset == "mnist" and not settings.n_validation and not first.is_sample:
        plain = (first.preset, first.algorithm, "")
        figure, source = PUBLISHED.get(
            (*plain[:2], first.changes), PUBLISHED.get(plain, (None,) * 2)
        )
    return {
        "preset": first.preset,
        "algorithm": first.algorithm,
        "dataset": settings.dataset,
        "is_sample": first.is_sample,
        "error_on": "validation" if settings.n_validation else "test",
        "layer_sizes": "-".join(map(str, settings.layer_sizes)),
        "changes": first.changes,
        "epochs": settings.n_epochs if rule.trains_layers else 0,
        "head_epochs": settings.softmax_epochs if rule.has_head else 0,
        "seeds": " ".join(str(r.settings.seed) for r in kept),
        "test_error_mean": round(errors.mean(), 6),
        "test_error_std": round(errors.std(), 6),
        "published_error": figure,
        "published_by": source,
        "accounting": ACCOUNTING,
        "bytes_total": next((r.bytes_total for r in kept if r.bytes_total is not None), None),
        "energy_joules": paid.energy_joules,
        "memory": paid.memory,
        "profile": paid.profile,
        "wall_seconds_mean": round(sum(r.wall_seconds for r in kept) / len(kept), 1),
        "from_sweep": all(r.is_cell for r in kept),
        "folder": " ".join(dict.fromkeys(r.folder for r in kept)),
    }


def index(reports: Path) -> pd.DataFrame:
    """Return index.csv."""
    groups: dict[tuple[object, ...], list[Result]] = {}
    for result in sorted([*runs(reports), *cells(reports)], key=lambda r: r.group):
        groups.setdefault(result.group, []).append(result)
    return pd.DataFrame([combined(found) for found in groups.values()]).astype(
        {"bytes_total": "Int64"}
    )


def page(table: pd.DataFrame, reports: Path) -> str:
    """Return README.md: runs on the test set, and presets as they are or published; links."""
    lines = [*HEAD.splitlines()]
    names = table[["preset", "algorithm", "changes"]].itertuples(index=False, name=None)
    published = pd.Series([name in PUBLISHED for name in names], table.index)
    plain = ~table["from_sweep"] | (table["changes"] == "") | published
    shown = table[(table["error_on"] == "test") & plain]
    lines += [f"| {' | '.join(cells_of(row))} |" for row in records(shown)]
    sweeps = sorted(path.parent for path in reports.glob("**/cells.csv"))
    if sweeps:
        lines += ["", "Sweeps, each with its table and picture (their rows are in index.csv):", ""]
        lines += [f"- {link(path, reports)}: {sweep_line(path)}" for path in sweeps]
    transfers = sorted(path.parent for path in reports.glob("**/transfer.json"))
    if transfers:
        lines += ["", "Transfer:", ""]
        lines += [f"- {link(path, reports)}: {transfer_line(path)}" for path in transfers]
    known = {*(p.parent for p in reports.glob("**/run.json")), *sweeps}
    others = sorted(p.parent for p in reports.glob("*/report.md") if p.parent not in known)
    if others:
        lines += ["", "Without training:", ""]
        lines += [f"- {link(path, reports)}: {heading(path / 'report.md')}" for path in others]
    return "\n".join(lines) + "\n"


def cells_of(row: Mapping[str, Any]) -> list[str]:
    """One line of the page's table."""
    spread = known(row["test_error_std"])
    figure = known(row["published_error"])
    moved, energy = known(row["bytes_total"]), known(row["energy_joules"])
    folders = " ".join(f"[{name}]({name}/)" for name in row["folder"].split())
    return [
        row["preset"],
        ALGORITHM_NAMES.get(row["algorithm"], row["algorithm"]),
        row["dataset"] + (" (SAMPLE)" if row["is_sample"] else ""),
        row["layer_sizes"],
        str(row["epochs"] or "–"),
        row["changes"] or "–",
        "–" if figure is None else f"{figure:.2f} ({row['published_by']})",
        f"{row['test_error_mean']:.2f}" + ("" if spread is None else f" ± {spread:.2f}"),
        str(len(row["seeds"].split())),
        "–" if moved is None else f"{moved / 1e9:,.0f}",
        "–" if energy is None else f"{three_digits(energy)} ({row['profile']})",
        folders,
    ]


def sweep_line(path: Path) -> str:
    """Return what a sweep varies, and how many cells it has."""
    document = json.loads((path / "sweep.json").read_text(encoding="utf-8"))
    cells = pd.read_csv(path / "cells.csv")
    swept = ", ".join(document["swept"]) or f"{cells['seed'].nunique()} seeds"
    return f"preset {document['preset']}; {swept}; {len(cells)} cells"


def transfer_line(path: Path) -> str:
    """Return whose layers were taken, and to what tasks."""
    runs = json.loads((path / "transfer.json").read_text(encoding="utf-8"))["runs"]
    tasks = pd.read_csv(path / "summary.csv")["task"].drop_duplicates()
    told = f"layers of preset {runs[0]['preset']}, {len(runs)} seeds"
    return f"{told}, under fresh heads for {', '.join(tasks)}"


def heading(path: Path) -> str:
    """Return the first heading of a page."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return next((line.lstrip("# ") for line in lines if line.startswith("#")), path.parent.name)


def link(path: Path, reports: Path) -> str:
    """Return a link to a folder beside the page."""
    name = path.relative_to(reports).as_posix()
    return f"[{name}]({name}/)"


def known(value: Any) -> Any:
    """Return a cell of a table, None where it is empty."""
    return None if value is None or pd.isna(value) else value


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows as mappings."""
    return [{str(k): v for k, v in row.items()} for row in table.to_dict("records")]


def render(reports: Path) -> dict[str, str]:
    """Return the contents of both files by name."""
    table = index(reports)
    return {
        "index.csv": table.to_csv(index=False, lineterminator="\n"),
        "README.md": page(table, reports),
    }


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; exit code 1 if a file is out of date.")
def main(check: bool) -> None:
    """Write reports/index.csv and reports/README.md."""
    stale = []
    for name, text in render(REPORTS).items():
        path = REPORTS / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
            if not check:
                write_text(path, text)
    click.echo(f"{'out of date' if check else 'written'}: {', '.join(stale) or 'nothing'}")
    raise SystemExit(1 if check and stale else 0)


if __name__ == "__main__":
    main()
