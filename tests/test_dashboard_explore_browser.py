"""Exploring in a real browser: filter, open a point, see its equity, pin two; and an evil store."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dashboard_explore_tools import made_run, made_values, own_runs, table_in
from dashboard_tools import Server, dashboard
from test_page_browser import NARROW, WIDE, Seen, Visitor, browser, pytestmark  # noqa: F401

from bigbar.space import Space
from bigbar.statistics import COLUMN

EVIL = "<img src=x onerror=\"document.title='evil'\"><script>document.title='evil'</script>"

#: Points of the scatter, from where a pointer meets one.
FIND_POINT = """
const canvas = document.getElementById('scatter-canvas'), box = canvas.getBoundingClientRect();
const tip = canvas.parentElement.querySelector('.tip');
for (let y = box.height / 2; y < box.height; y += 5) for (let x = 60; x < box.width; x += 5) {
  const at = { clientX: box.left + x, clientY: box.top + y };
  canvas.dispatchEvent(new PointerEvent('pointermove', at));
  if (!tip.hidden) return [at.clientX, at.clientY];
}"""

#: What stands in the cells of a body of a table, row by row.
CELLS = """
return [...document.getElementById(arguments[0]).rows]
  .map((row) => [...row.cells].map((cell) => cell.textContent));"""

#: What the open combination is called, once it is another one.
OTHER_NAME = """
const name = document.getElementById('detail-name').innerText;
return name !== arguments[0] && name;"""

#: What is pinned, by number.
PINNED = """
return Object.entries(sessionStorage).filter(([name]) => name.startsWith('bigbar-pins-'))
  .flatMap(([, text]) => JSON.parse(text));"""

#: Share of a canvas that is drawn on.
INK = """
const canvas = document.getElementById(arguments[0]);
const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
let drawn = 0;
for (let place = 3; place < data.length; place += 4) drawn += data[place] > 0;
return drawn / (data.length / 4);"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run 1 of a trader's strategy; run 2 of 20,000 made rows, with evil names in it."""
    found = own_runs(tmp_path_factory.mktemp("browser"))
    space = Space.of(n=list(range(100)), x=np.linspace(0, 1, 100).tolist(), side=[EVIL, "long"])
    values = made_values(len(space))
    values[0] = np.nan
    made_run(
        found, values, space=space, failures={0: EVIL}, objective="Sharpe Ratio",
        settings={"strategy": EVIL, "maximize": "Sharpe Ratio"}, data={"path": EVIL},
    )  # fmt: skip
    return found


@pytest.fixture(scope="module")
def seen(folder: Path) -> dict[str, Seen]:
    """What one browser saw of both runs."""
    found = {name: Seen() for name in ("own", "evil")}
    with dashboard(folder) as server, browser(local=True) as visitor:
        visitor.resize(WIDE)
        visitor.prefer("light")
        visitor.driver.get(server.address)
        visitor.look_into(Seen())  # What is before does not count.
        for visit in (
            visit_filters, visit_a_point, visit_pins, visit_in_haste, visit_charts, visit_narrow
        ):  # fmt: skip
            visit(visitor, server, found["own"].notes)
        visitor.look_into(found["own"])
        visitor.resize(WIDE)
        visit_evil(visitor, server, found["evil"].notes)
        visitor.look_into(found["evil"])
        found["own"].notes["origin"] = server.origin
    assert server.said == []
    return found


def go(visitor: Visitor, server: Server, run: int, hash_: str = "") -> None:
    visitor.driver.get("about:blank")  # Another hash alone would load nothing.
    visitor.driver.get(f"{server.origin}/runs/{run}/explore{hash_}")
    visitor.wait("return document.documentElement.dataset.ready !== undefined")


def text(visitor: Visitor, name: str) -> str:
    return str(visitor.run("return document.getElementById(arguments[0]).innerText", name))


def until(visitor: Visitor, name: str, part: str) -> str:
    """What an element says as soon as it says this."""
    script = "return document.getElementById(arguments[0]).innerText.includes(arguments[1])"
    visitor.wait(script, name, part)
    return text(visitor, name)


def click(visitor: Visitor, x: float, y: float) -> None:
    for kind, buttons in (("mousePressed", 1), ("mouseReleased", 0)):
        visitor.command(
            "Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=buttons,
            clickCount=1,
        )  # fmt: skip


def drag(visitor: Visitor, start: tuple[float, float], stop: tuple[float, float]) -> None:
    event: Callable[..., Any] = lambda kind, at, buttons: visitor.command(  # noqa: E731
        "Input.dispatchMouseEvent", type=kind, x=at[0], y=at[1], button="left", buttons=buttons
    )
    event("mousePressed", start, 1)
    for share in (0.3, 0.7, 1.0):
        at = [a + (b - a) * share for a, b in zip(start, stop, strict=True)]
        event("mouseMoved", at, 1)
    event("mouseReleased", stop, 0)


def visit_filters(visitor: Visitor, server: Server, notes: dict[str, Any]) -> None:
    go(visitor, server, 1)
    notes["all"] = text(visitor, "rows-count")
    notes["summary"] = text(visitor, "summary")
    visitor.run(
        """const add = document.getElementById('filter-add');
        add.value = 's:Return [%]'; add.dispatchEvent(new Event('change'));"""
    )
    visitor.wait("return document.activeElement.closest('[data-key=\"s:Return [%]\"]') !== null")
    for key in "−1.5\ue004":  # A minus as the page writes it; then the next field.
        visitor.press(key)
    visitor.wait("return location.hash.includes('-1.5')")
    visitor.wait(
        "return document.getElementById('rows-count').innerText !== arguments[0]", notes["all"]
    )
    notes["filtered"] = text(visitor, "rows-count")
    notes["rows"] = visitor.run(
        "return [...document.querySelectorAll('#rows tbody tr')]"
        ".map((row) => Number(row.dataset.number))"
    )
    notes["hash"] = visitor.run("return location.hash")
    for key in "abc\ue004":
        visitor.press(key)
    notes["wrong"] = visitor.run("return document.querySelector('.problem:not(:empty)').innerText")
    visitor.driver.back()
    visitor.driver.back()
    visitor.wait(
        "return document.getElementById('rows-count').innerText === arguments[0]", notes["all"]
    )


def visit_a_point(visitor: Visitor, server: Server, notes: dict[str, Any]) -> None:
    go(visitor, server, 1)
    x, y = visitor.wait(FIND_POINT)
    tip = "document.querySelector('#scatter-canvas + .tip').innerText"
    notes["tip"] = visitor.wait(f"return {tip}.includes('fast ') && {tip}")
    before = text(visitor, "detail-place")
    click(visitor, x, y)
    visitor.wait(
        "return document.getElementById('detail-place').innerText !== arguments[0]", before
    )
    notes["opened"] = text(visitor, "detail-name")
    notes["asked"] = until(visitor, "equity-says", "Run it only if you trust")
    visitor.run("document.getElementById('agree').click()")
    notes["equity"] = until(visitor, "equity-says", "as stored")
    notes["equity ink"] = visitor.run(INK, "equity-canvas")
    visitor.run(
        "[...document.querySelectorAll('#detail details')].forEach((one) => { one.open = true })"
    )
    notes["trades"] = (
        text(visitor, "trades-says"),
        visitor.run("return document.querySelectorAll('#trades tr').length"),
    )
    notes["statistics"] = dict(visitor.run(CELLS, "statistics"))
    notes["number"] = visitor.run(
        "return Number(JSON.parse(decodeURIComponent(location.hash.match(/chosen=([^&]+)/)[1])))"
    )
    visitor.run("document.getElementById('equity-canvas').focus()")
    visitor.press("\ue014")
    notes["pointed"] = visitor.run("return document.querySelector('#detail .tip').innerText")


def visit_pins(visitor: Visitor, server: Server, notes: dict[str, Any]) -> None:
    visitor.run("document.getElementById('pin').click()")
    visitor.run("document.querySelector('#rows tbody tr').focus()")
    for key in ("\ue015", "\ue015", "\ue007"):  # Two down, and open.
        visitor.press(key)
    visitor.wait("return document.querySelector('#rows [data-row=\"2\"]').ariaSelected === 'true'")
    notes["second"] = visitor.wait(OTHER_NAME, notes["opened"])
    visitor.run("document.getElementById('pin').click()")
    visitor.wait("return document.getElementById('compare').dataset.curves === '2'")
    notes["pinned"] = text(visitor, "pinned")
    notes["compared"] = until(visitor, "compare-says", "2: equity from")
    notes["compare ink"] = visitor.run(INK, "compare-canvas")
    notes["side by side"] = visitor.run(CELLS, "compare-rows")
    visitor.driver.back()
    visitor.wait(
        "return document.getElementById('detail-name').innerText === arguments[0]", notes["opened"]
    )
    visitor.driver.refresh()
    visitor.wait("return document.documentElement.dataset.ready !== undefined")
    notes["after a reload"] = text(visitor, "detail-name"), text(visitor, "pinned")


def visit_in_haste(visitor: Visitor, server: Server, notes: dict[str, Any]) -> None:
    """A row is opened and pinned in one breath: before anything of it has arrived."""
    before = visitor.run(PINNED)
    name = text(visitor, "detail-name")
    row = visitor.run(
        """const row = document.querySelector('#rows [data-row="3"]');
        row.click();
        document.getElementById('pin').click();
        return Number(row.dataset.number);"""
    )
    notes["hasty name"] = visitor.wait(OTHER_NAME, name)
    notes["hasty pins"] = before, row, visitor.run(PINNED)
    notes["hasty button"] = text(visitor, "pin")
    notes["hasty equity"] = until(visitor, "equity-says", "as stored")
    visitor.run("document.getElementById('pin').click()")
    visitor.driver.back()
    visitor.wait("return document.getElementById('detail-name').innerText === arguments[0]", name)


def visit_charts(visitor: Visitor, server: Server, notes: dict[str, Any]) -> None:
    visitor.run("document.getElementById('tab-scatter').focus()")
    for view in ("parallel", "heatmap", "plateau"):
        visitor.press("\ue014")
        visitor.wait(
            "return document.getElementById('chart-panel').dataset.drawn?.includes(arguments[0])",
            f'"{view}"',
        )
        notes[view] = text(visitor, "chart-says")
        if view != "plateau":
            notes[f"{view} ink"] = visitor.run(INK, f"{view}-canvas")
    notes["plateau table"] = text(visitor, "plateau-table")
    go(visitor, server, 1, "#view=%22parallel%22")
    box = visitor.run(
        """const box = document.getElementById('parallel-canvas').getBoundingClientRect();
        return [box.left + 44, box.top + 58, box.bottom - 26];"""
    )
    drag(visitor, (box[0], box[1] - 5), (box[0], (box[1] + box[2]) / 2))
    visitor.wait("return location.hash.includes('p%3Afast')")
    notes["brushed"] = visitor.run(
        "return JSON.parse(decodeURIComponent(location.hash.match(/filters=([^&]+)/)[1]))"
    )
    go(visitor, server, 1, "#view=%22heatmap%22&across=%22p:slow%22&down=%22p:fast%22")
    visitor.run("document.getElementById('heatmap-canvas').focus()")
    visitor.press("\ue014")
    notes["cell"] = text(visitor, "said")
    notes["nonsense"] = []
    for hash_ in (
        "#filters=%7B%22s:X%22:1%7D&view=3&chosen=-1",
        "#%ff",
        "#x=%22s:X%22&sort=%5B%5D",
    ):
        go(visitor, server, 1, hash_)
        notes["nonsense"].append(text(visitor, "rows-count"))


def visit_narrow(visitor: Visitor, server: Server, notes: dict[str, Any]) -> None:
    colour = "return getComputedStyle(document.querySelector('#filters')).backgroundColor"
    notes["light"] = visitor.run(colour)
    visitor.resize(NARROW)
    visitor.prefer("dark")
    go(visitor, server, 1)
    notes["dark"] = visitor.run(colour)
    wide = "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    notes["narrow"] = []
    for view in ("scatter", "parallel", "heatmap", "plateau"):
        visitor.run("document.getElementById(arguments[0]).click()", f"tab-{view}")
        visitor.wait(
            "return document.getElementById('chart-panel').dataset.drawn?.includes(arguments[0])",
            f'"{view}"',
        )
        notes["narrow"].append(visitor.run(wide))
    until(visitor, "equity-says", "as stored")  # Agreed to before, in this tab.
    visitor.run("document.querySelectorAll('details').forEach((one) => { one.open = true })")
    notes["narrow"].append(visitor.run(wide))
    visitor.prefer("light")


def visit_evil(visitor: Visitor, server: Server, notes: dict[str, Any]) -> None:
    go(visitor, server, 2)
    notes["notes"] = text(visitor, "notes")
    notes["count"] = text(visitor, "rows-count")
    notes["scatter"] = text(visitor, "chart-says")
    visitor.run("document.querySelector('#rows tbody tr').focus()")
    visitor.press("\ue010")  # To the end.
    visitor.wait(
        "return document.querySelector('#rows tbody tr:last-child').ariaRowIndex === arguments[0]",
        str(passing() + 1),
    )
    time.sleep(0.2)
    for view in ("parallel", "heatmap", "plateau"):
        visitor.run("document.getElementById(arguments[0]).click()", f"tab-{view}")
        visitor.wait(
            "return document.getElementById('chart-panel').dataset.drawn?.includes(arguments[0])",
            f'"{view}"',
        )
    visitor.run(
        """const add = document.getElementById('filter-add');
        add.value = 'p:side'; add.dispatchEvent(new Event('change'));"""
    )
    notes["values"] = visitor.wait("return document.querySelector('.values')?.innerText")
    notes["asked"] = until(visitor, "equity-says", "Run it only if you trust")
    notes["title"] = visitor.driver.title
    notes["elements"] = visitor.run(
        "return document.querySelectorAll('#explore img, #explore script').length"
    )


def passing() -> int:
    """Of the made rows, those with a trade."""
    trades = made_values(20_000)[1:, COLUMN["# Trades"]]
    return int(np.count_nonzero(trades >= 1))


# --------------------------------------------------------------------------------------- what of it


def test_filters_are_typed_and_kept_in_the_address(seen, folder):
    notes, stored = seen["own"].notes, table_in(folder, 1)
    returns, trades = stored.table.column("Return [%]"), stored.table.column("# Trades")
    wanted = np.flatnonzero((returns >= -1.5) & (trades >= 3))
    assert 0 < len(wanted) < np.count_nonzero(trades >= 3)
    assert notes["filtered"] == f"{len(wanted)} of {len(stored)} combinations pass"
    assert notes["rows"] == sorted(wanted, key=lambda number: (-returns[number], number))[:30]
    assert "filters=" in notes["hash"]
    assert notes["wrong"] == "“abc” is no number"
    assert notes["summary"].startswith("Cross on bars.csv: ")


def test_a_click_on_a_point_opens_it_and_its_equity_after_consent(seen, folder):
    notes, stored = seen["own"].notes, table_in(folder, 1)
    assert notes["opened"] in notes["tip"]
    assert "Cross.py:Cross" in notes["asked"]
    assert (
        "Computed by backtesting.py just now; all 30 statistics are as stored." in notes["equity"]
    )
    assert notes["equity ink"] > 0.02
    statistics = stored.table.statistics(notes["number"])
    assert notes["statistics"]["# Trades"] == str(statistics["# Trades"])
    shown = f"{abs(statistics['Return [%]']):.2f}"
    assert notes["statistics"]["Return [%]"].removeprefix("−") == shown
    said, rows = notes["trades"]
    assert rows == statistics["# Trades"]
    assert said.startswith("All ")
    assert "Equity 1" in notes["pointed"] or "Equity 9" in notes["pointed"]


def test_two_are_pinned_and_compared(seen):
    notes = seen["own"].notes
    assert notes["second"] != notes["opened"]
    assert notes["pinned"] == "Compare 2 pinned"
    assert notes["compared"].startswith("1: equity from 10,000.00 on ")
    assert notes["compare ink"] > 0.02
    rows = {name: cells for name, *cells in notes["side by side"]}
    assert {"fast", "slow", "side", "Return [%]", "Kelly Criterion"} <= set(rows)
    assert sum("(best)" in cell for cell in rows["Return [%]"]) == 1
    assert notes["after a reload"] == (notes["opened"], "Compare 2 pinned")


def test_a_pin_is_of_the_row_that_was_just_opened(seen):
    notes = seen["own"].notes
    before, row, after = notes["hasty pins"]
    assert row not in before
    assert after == [*before, row]
    assert notes["hasty button"] == "Unpin"
    assert "all 30 statistics are as stored" in notes["hasty equity"]


def test_all_charts_are_drawn_and_told(seen):
    notes = seen["own"].notes
    for view in ("parallel", "heatmap"):
        assert notes[f"{view} ink"] > 0.02
        assert notes[view]
    assert "evenly" in notes["parallel"] or notes["parallel"].startswith("All ")
    assert notes["heatmap"].startswith("Return [%]: the mean of each cell")
    assert "The robust choice has the best mean" in notes["plateau"]
    assert "Worst neighbour" in notes["plateau table"]
    assert set(notes["brushed"]["p:fast"]) <= {"least", "most"}
    assert "slow: " in notes["cell"]
    assert "Return [%], mean: " in notes["cell"]


def test_an_address_of_nonsense_is_as_none(seen):
    assert set(seen["own"].notes["nonsense"]) == {seen["own"].notes["all"]}


def test_it_fits_a_phone_and_follows_the_colours(seen):
    notes = seen["own"].notes
    assert all(wide <= room for wide, room in notes["narrow"])
    assert notes["light"] != notes["dark"]


def test_nothing_comes_from_outside_and_nothing_complains(seen):
    for name in ("own", "evil"):
        assert seen[name].errors == []
        origin = seen["own"].notes["origin"]
        assert seen[name].requests
        for address in seen[name].requests:
            assert address.startswith((f"{origin}/", "about:blank", "data:")), address


def test_an_evil_store_is_text(seen):
    notes = seen["evil"].notes
    assert f"1 failed, the first for: {EVIL}" in notes["notes"]
    assert notes["values"].split("\n")[0] == EVIL
    assert EVIL in notes["asked"]
    assert notes["title"] == "Explore run 2 · BigBar"
    assert notes["elements"] == 0
    assert "counted in cells" in notes["scatter"]
    assert re.search(r"The line: [\d,]+ results? .*that no other beats in both", notes["scatter"])
