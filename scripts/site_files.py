"""Gives the site the layout of the repository, so that every link is right in both.

A hook of MkDocs: README.md is the front page, docs/ keeps its name, and whatever these pages link
to, reports and their pictures above all, comes along.
"""

from __future__ import annotations

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parent.parent
LINK = re.compile(r"(?:\]\(|src=\")([^)\s\"#]+)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Return the files of the site: those of the theme, the pages, and what they link to."""
    docs = Path(config.docs_dir)
    theirs = [file for file in files if not Path(file.abs_src_path or "").is_relative_to(docs)]
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    styles = [ROOT / name for name in config.extra_css if (ROOT / name).is_file()]
    return Files([*theirs, *(as_file(path, config) for path in [*linked(pages), *styles])])


def as_file(path: Path, config: MkDocsConfig) -> File:
    """Return ``path`` as a file of the site at its place in the repository."""
    name = path.relative_to(ROOT).as_posix()
    return File.generated(config, name, abs_src_path=str(path))


def linked(pages: list[Path]) -> list[Path]:
    """Return the pages and all files that they link to, directly or through another page."""
    found: dict[Path, None] = {}
    waiting = list(pages)
    while waiting:
        path = waiting.pop(0)
        if path in found:
            continue
        found[path] = None
        if path.suffix == ".md":
            targets = LINK.findall(path.read_text(encoding="utf-8"))
            places = [(path.parent / target).resolve() for target in targets if ":" not in target]
            waiting += [p for p in places if p.is_file() and p.is_relative_to(ROOT)]
    return list(found)
