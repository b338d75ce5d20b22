"""The site builds without a warning, holds every page, and is read without a network."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(place)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return place


def test_every_page_is_there(site: Path) -> None:
    for page in (ROOT / "docs").glob("*.md"):
        assert (site / "docs" / page.stem / "index.html").exists(), page.name
    assert "<h1" in (site / "index.html").read_text(encoding="utf-8")
    config = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert [p.name for p in (ROOT / "docs").glob("*.md") if f"docs/{p.name}" not in config] == []


def test_the_reference_has_the_docstrings(site: Path) -> None:
    reference = (site / "docs" / "api" / "index.html").read_text(encoding="utf-8")
    assert 'id="instrumented.Trace"' in reference
    assert "Counts bytes read, bytes written and flops" in reference
    assert ":::" not in reference


def test_links_and_pictures_lead_into_the_site(site: Path) -> None:
    """What the pages of README.md and docs/ link to is in the site or on the web."""
    pages = [site / "index.html", *site.glob("docs/*/index.html")]
    for page in pages:
        html = page.read_text(encoding="utf-8")
        for address in re.findall(r'(?:href|src)="([^"#?]+)', html):
            if re.match(r"\w+:|//", address):
                continue
            target = (page.parent / address).resolve()
            assert target.exists(), f"{page.relative_to(site)}: {address}"
            assert target.is_file() or (target / "index.html").exists(), address


def test_no_page_loads_anything_from_elsewhere(site: Path) -> None:
    loads = re.compile(r'<(?:script|img|iframe)[^>]+src="(?:https?:)?//|<link[^>]+href="https?://')
    for page in site.glob("**/*.html"):
        found = loads.findall(page.read_text(encoding="utf-8"))
        assert found == [], page.relative_to(site)
