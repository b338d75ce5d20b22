"""The site builds without a warning, holds every page, and is read without a network."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ffenergy.cli import main
from ffenergy.settings import Settings

if TYPE_CHECKING:
    from selenium import webdriver

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
CUT = """
return [...document.querySelectorAll(".md-content table")]
  .map(table => table.closest(".md-typeset__scrollwrap, .md-content"))
  .filter(place => place.scrollWidth > place.clientWidth + 1)
  .map(place => place.innerText.slice(0, 60))
"""
"""The first words of every table that does not fit its place."""

PARTS = ("Start", "How to", "Reference", "Explanation")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(place)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return place


def test_every_page_is_there_and_in_the_menu(site: Path) -> None:
    pages = sorted((ROOT / "docs").rglob("*.md"))
    config = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for page in pages:
        name = page.relative_to(ROOT)
        assert (site / name.with_suffix("") / "index.html").exists(), name
        assert f" {name.as_posix()}\n" in config, name
    home = (site / "index.html").read_text(encoding="utf-8")
    assert "<h1" in home
    assert [part for part in PARTS if part not in home] == []


def test_the_reference_is_that_of_the_program(site: Path) -> None:
    reference = site / "docs" / "reference"
    instrument = (reference / "api-instrumented" / "index.html").read_text(encoding="utf-8")
    assert 'id="instrumented.Trace"' in instrument
    assert "Counts bytes read, bytes written and flops" in instrument
    for name in ("explicit.explicit_cost", "explicit.parse", "grid.grid_energy_fj"):
        assert f'id="instrumented.distances.{name}"' in instrument
    for page in reference.glob("*/index.html"):
        html = page.read_text(encoding="utf-8")
        assert ":::" not in html
        assert "<!-- written" not in html, page
    commands = (reference / "commands" / "index.html").read_text(encoding="utf-8")
    assert [name for name in main.commands if f'<h2 id="{name}">' not in commands] == []
    settings = (reference / "settings" / "index.html").read_text(encoding="utf-8")
    names = [field.name for field in fields(Settings)]
    assert [name for name in names if f"<code>{name}</code>" not in settings] == []


def test_links_and_pictures_lead_into_the_site(site: Path) -> None:
    """What the pages of README.md and docs/ link to is in the site or on the web."""
    pages = [site / "index.html", *site.glob("docs/**/index.html")]
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


def test_no_table_is_cut_at_1440_pixels(site: Path, browser: webdriver.Chrome) -> None:
    screen = {"width": 1440, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    for page in [site / "index.html", *site.glob("docs/**/index.html")]:
        browser.get(page.as_uri())
        assert browser.execute_script(CUT) == [], page.relative_to(site)
