"""The page in a notebook: in a real browser it draws, and reaches nothing around it."""

from __future__ import annotations

from pathlib import Path

import pytest
from page_findings import page_findings

from bigbar.report.page.report import write_report
from bigbar.report.showing import embedded
from tests.small_run import small_outcome
from tests.test_page import RECEIPT
from tests.test_page_browser import Seen, browser, pytestmark  # noqa: F401 - needs the same

#: What a notebook holds around it.
AROUND = """<!DOCTYPE html><html data-ready="" data-secret="token"><body style="margin:0">
<h1>Notebook</h1>%s<p>below</p></body></html>"""

REACH = """
const attempt = (what) => { try { return what(); } catch (problem) { return problem.name; } };
return {
  origin: self.origin,
  around: attempt(() => parent.document.documentElement.dataset.secret),
  stored: attempt(() => localStorage.length),
  charts: Bokeh.documents.length,
};"""


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    folder: Path = tmp_path_factory.mktemp("embedded")
    outcome = small_outcome()
    page = write_report(folder / "report.html", outcome, page_findings(outcome), receipt=RECEIPT)
    html = AROUND % embedded(page.read_text(encoding="utf-8"))
    (folder / "notebook.html").write_text(html, encoding="utf-8")
    found = Seen()
    with browser() as visitor:
        visitor.open(folder / "notebook.html")
        frame = visitor.run("return document.querySelector('iframe')")
        found.notes["height"] = visitor.run("return arguments[0].offsetHeight", frame)
        visitor.driver.switch_to.frame(frame)
        visitor.wait("return document.documentElement.dataset.ready !== undefined")
        found.notes |= visitor.run(REACH)
        found.notes["text"] = visitor.run("return document.body.innerText")
        visitor.look_into(found)
    return found


def test_it_is_drawn_as_it_is(seen):
    assert seen.notes["charts"] > 3
    assert "combinations" in seen.notes["text"]
    assert seen.notes["height"] > 500


def test_it_reaches_nothing_around_it(seen):
    assert seen.notes["origin"] == "null"
    assert seen.notes["around"] == "SecurityError"
    assert seen.notes["stored"] == "SecurityError"


def test_nothing_goes_wrong_or_is_asked_for(seen):
    assert not seen.errors
    assert all(url.startswith(("file:", "data:", "about:", "blob:")) for url in seen.requests)
