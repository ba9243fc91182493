"""The dashboard in a real browser: a run that goes on, earlier runs, keyboard, narrow, and dark.

One browser visits everything first and notes what it saw, so that it is gone when tests look for
what was left behind.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from dashboard_tools import PATIENCE_S, Server, dashboard, slow_run, wait_until
from history_tools import make_runs
from store_tools import forge
from test_page_browser import NARROW, WIDE, Seen, Visitor, browser, pytestmark  # noqa: F401

from bigbar.store.runs import RunStore

EVIL = "<img src=x onerror='document.title=1'>"

WIDTHS = "return [document.documentElement.scrollWidth, window.innerWidth]"
READY = "return document.documentElement.dataset.ready !== undefined"
TEXT = "return document.body.innerText"


def visit(visitor: Visitor, server: Server, path: str) -> None:
    """Open a page and wait for what the server sends of it."""
    visitor.driver.get(server.origin + path)
    if path == "/" or path.removeprefix("/runs/").isdigit():
        visitor.wait(READY)


def see_live(visitor: Visitor, folder: Path, notes: dict[str, Any]) -> None:
    """A run from its beginning, stopped by its button, and resumed by another."""
    with slow_run(folder, "--no-progress") as run:
        wait_until(lambda: (folder / "out" / "runs.sqlite").exists())
        with dashboard(folder / "out", "--allow-changes") as server:
            visitor.driver.get(server.address)
            notes["address"] = visitor.driver.current_url
            visitor.wait("return document.querySelector('tr[data-state=running]')")
            visitor.wait(
                "return document.querySelector('tr[data-run] .share').textContent !== '0%'"
            )
            notes["home"] = visitor.run(TEXT)
            visitor.run("document.querySelector('tr[data-run] a').click()")
            visitor.wait(READY)
            visitor.wait("return parseFloat(document.getElementById('percent').textContent) > 0")
            notes["paint"] = visitor.run(
                "return performance.getEntriesByName('first-contentful-paint')[0].startTime"
            )
            notes["first"] = share(visitor)
            visitor.wait(
                "return document.getElementById('bar').value > arguments[0]", notes["first"]
            )
            visitor.wait("return !document.getElementById('heat').hidden")
            notes["live"] = visitor.run(TEXT)
            notes["title"] = visitor.driver.title
            notes["colours"] = visitor.run(COLOURS)
            visitor.run("document.getElementById('stop').click()")
            run.communicate(timeout=PATIENCE_S)
            notes["code"] = run.returncode
            visitor.wait("return !document.getElementById('resume').hidden")
            notes["stopped"] = share(visitor)
            visitor.run("document.getElementById('resume').click()")
            visitor.wait("return document.querySelector('dialog[open]')")
            notes["question"] = visitor.run("return document.querySelector('dialog').innerText")
            visitor.press(ESCAPE)
            visitor.wait("return !document.querySelector('dialog')")
            notes["left alone"] = visitor.run("return document.getElementById('state').textContent")
            visitor.run("document.getElementById('resume').click()")
            visitor.wait("return document.querySelector('dialog[open]')")
            visitor.run("document.querySelector('dialog button.strong').click()")
            visitor.wait("return document.getElementById('state').textContent === 'Finished'")
            notes["end"] = visitor.run(TEXT)
            notes["folder"] = folder


ESCAPE = "\ue00c"

#: Different colours on the heatmap's canvas.
COLOURS = """
const map = document.getElementById('map');
const data = map.getContext('2d').getImageData(0, 0, map.width, map.height).data;
const seen = new Set();
for (let at = 0; at < data.length; at += 4) seen.add(data.slice(at, at + 3).join());
return seen.size;
"""


def share(visitor: Visitor) -> float:
    return float(visitor.run("return document.getElementById('bar').value"))


def see_earlier(visitor: Visitor, server: Server, notes: dict[str, Any]) -> None:
    """Runs that have ended: found, compared, and deleted after a question."""
    visitor.driver.get(server.address)
    visitor.wait(READY)
    for _ in range(3):  # The link to the content, home, the search.
        visitor.press("\ue004")
    visitor.driver.switch_to.active_element.send_keys("no such thing")
    notes["none found"] = visitor.run(
        "return document.querySelectorAll('tr[data-run]:not([hidden])').length"
    )
    visitor.driver.switch_to.active_element.send_keys("\ue003" * 13 + "bars.csv")
    notes["found"] = visitor.run(
        "return document.querySelectorAll('tr[data-run]:not([hidden])').length"
    )
    visitor.run("document.querySelectorAll('#runs input').forEach((box) => box.click())")
    notes["chosen"] = visitor.run("return document.getElementById('chosen').textContent")
    visitor.run("document.getElementById('compare').click()")
    visitor.wait("return location.pathname === '/compare' && document.body")
    notes["compared"] = visitor.run(TEXT)
    visit(visitor, server, "/runs/1")
    visitor.wait("return !document.getElementById('heat').hidden")
    for hidden in ("true", "false"):  # As when another page of the browser is looked at.
        visitor.run(
            f"""delete document.documentElement.dataset.ready;
            Object.defineProperty(document, 'hidden', {{ value: {hidden}, configurable: true }});
            document.dispatchEvent(new Event('visibilitychange'));"""
        )
        time.sleep(0.5)
        notes["ready while hidden", hidden] = visitor.run(READY)
    visitor.wait(READY)
    visitor.run("document.getElementById('map').focus()")
    notes["cells"] = []
    for key in ("\ue015", "\ue011", "\ue010", "\ue013"):  # Down, to the best; home, end, up.
        visitor.press(key)
        notes["cells"].append(visitor.run("return document.getElementById('cell').textContent"))
    visitor.run("document.getElementById('as-table').open = true")
    visitor.wait("return document.querySelectorAll('#cells tbody tr').length")
    notes["table"] = visitor.run("return document.getElementById('cells').innerText")
    notes["label"] = visitor.run("return document.getElementById('map').getAttribute('aria-label')")
    visitor.run(
        """const across = document.getElementById('across'); across.value = 'previous_weight';
        across.dispatchEvent(new Event('change'));"""
    )
    visitor.wait(
        "return document.querySelector('#cells thead th').textContent.includes('previous')"
    )
    notes["heights"] = {}
    for path in ("/", "/runs/1", "/runs/1/report", "/compare?a=1&b=2", "/x"):
        visit(visitor, server, path)
        for size in (WIDE, NARROW):
            visitor.resize(size)
            for scheme in ("light", "dark"):
                visitor.prefer(scheme)
                notes["heights"][path, size[0], scheme] = visitor.run(WIDTHS)
                notes[path, scheme, "contrast"] = visitor.run(CONTRAST)
        visitor.resize(WIDE)
        visitor.prefer("light")
    visit(visitor, server, "/runs/2")
    visitor.wait("return !document.getElementById('delete').hidden")
    visitor.run("document.getElementById('delete').click()")
    visitor.wait("return document.querySelector('dialog[open]')")
    notes["focus"] = visitor.run("return document.activeElement.textContent")
    visitor.run("document.querySelector('dialog button.strong').click()")
    visitor.wait("return location.pathname === '/' && document.querySelector('#runs')")
    notes["runs left"] = visitor.run(
        "return [...document.querySelectorAll('tr[data-run]')].map((row) => row.dataset.run)"
    )


#: The least contrast of a text with its card, of those that are seen.
CONTRAST = """
const light = (text) => {
  const parts = text.match(/[\\d.]+/g).slice(0, 3).map((part) => {
    const one = part / 255;
    return one <= 0.03928 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
};
const ground = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const colour = getComputedStyle(at).backgroundColor;
    if (!/, 0\\)|transparent/.test(colour)) return colour;
  }
  return getComputedStyle(document.body).backgroundColor;
};
let least = 21;
for (const element of document.querySelectorAll('main *, header *')) {
  const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  if (!own || !element.checkVisibility() || element.closest(':disabled, .unseen-text')) continue;
  const [one, other] = [light(getComputedStyle(element).color), light(ground(element))];
  least = Math.min(least, (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05));
}
return least;
"""


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    found = Seen()
    folder = make_runs(tmp_path_factory.mktemp("earlier"))
    with browser(local=True) as visitor:
        visitor.resize(WIDE)
        see_live(visitor, tmp_path_factory.mktemp("live"), found.notes)
        visitor.look_into(found)
        with dashboard(folder, "--allow-changes") as server:
            see_earlier(visitor, server, found.notes)
        time.sleep(0.1)
        visitor.look_into(found)
        forge(folder, "UPDATE runs SET objective = ?, error = ?, settings = ?, data = ?",
              EVIL, EVIL, json.dumps({"strategy": EVIL}), json.dumps({"path": EVIL}))  # fmt: skip
        with dashboard(folder) as server:
            visitor.driver.get(server.address)
            visitor.wait(READY)
            found.notes["evil home"] = visitor.run(TEXT)
            visit(visitor, server, "/runs/1")
            found.notes["evil run"] = visitor.run(TEXT)
            found.notes["evil elements"] = visitor.run(
                "return document.querySelectorAll('[src=x], [onerror]').length"
            )
            found.notes["evil title"] = visitor.driver.title
            visitor.look_into(found)
    return found


def test_nothing_is_wrong_and_nothing_is_asked_from_outside(seen: Seen):
    ended = "ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED", "ERR_EMPTY_RESPONSE", "404"
    assert [one for one in seen.errors if not any(word in one for word in ended)] == []
    assert all(one.startswith(("http://127.0.0.1:", "data:")) for one in seen.requests)


def test_the_token_leaves_the_address(seen: Seen):
    assert seen.notes["address"].endswith("/")
    assert not any("token=" in one for one in seen.requests[1:] if "/runs/" in one)


def test_a_run_is_seen_at_work(seen: Seen):
    notes = seen.notes
    assert "Running" in notes["home"]
    assert 0 < notes["first"] < notes["stopped"] < 1
    assert notes["title"].endswith("% · Run 1 · BigBar")
    for said in ("Speed", "Left", "Memory", "Workers", "fast", "slow", "a backtest takes about"):
        assert said in notes["live"]
    assert notes["colours"] > 8, "the heatmap is drawn"


def test_the_first_paint_comes_in_half_a_second(seen: Seen):
    assert seen.notes["paint"] < 500


def test_stop_and_resume_by_their_buttons(seen: Seen):
    notes = seen.notes
    assert notes["code"] == 130
    assert "bigbar --resume 1" in notes["question"]
    assert notes["left alone"] == "Unfinished"
    assert "361 of 361" in notes["end"]
    assert "Took" in notes["end"]
    assert "Speed" not in notes["end"], "of a run with its validation it would say nothing"
    with RunStore(notes["folder"] / "out", read_only=True) as store:
        assert store.run(1).state == "finished"


def test_runs_are_found_and_compared(seen: Seen):
    notes = seen.notes
    assert (notes["none found"], notes["found"]) == (0, 2)
    assert notes["chosen"] == "Chosen: 2, 1"
    assert "Run 1 and run 2" in notes["compared"]


def test_the_heatmap_is_had_by_keyboard_and_as_text(seen: Seen):
    notes = seen.notes
    best, home, end, above = notes["cells"]
    assert len({home, end, above}) == 3
    assert best in (home, end)
    assert all("k_atr" in one and ": " in one for one in notes["cells"])
    assert home != end
    assert "none that counts" in notes["table"], "k_atr 9 never trades"
    assert notes["label"].startswith("Heatmap of ")


def test_a_page_that_is_hidden_holds_no_connection(seen: Seen):
    """A browser has six for a server: the seventh page would wait for ever."""
    assert seen.notes["ready while hidden", "true"] is False
    assert "Heatmap" in seen.notes["label"], "and it went on when it was seen again"


def test_it_fits_a_narrow_screen(seen: Seen):
    for where, (wanted, there) in seen.notes["heights"].items():
        assert wanted <= there, where


def test_texts_can_be_read_in_both_schemes(seen: Seen):
    found = {key: value for key, value in seen.notes.items() if key[-1] == "contrast"}
    assert len(found) == 10
    assert min(found.values()) >= 4.5, found


def test_nothing_is_deleted_without_a_question(seen: Seen):
    assert seen.notes["focus"] == "Cancel", "Enter alone does nothing"
    assert seen.notes["runs left"] == ["1"]


def test_what_a_store_holds_is_seen_as_text(seen: Seen):
    notes = seen.notes
    assert EVIL in notes["evil home"]
    assert EVIL in notes["evil run"]
    assert notes["evil elements"] == 0
    assert "BigBar" in notes["evil title"]
