"""All runs of the folder by strategy and data; two side by side; what a run said at its end."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tornado.web import HTTPError

from bigbar.dashboard import changes
from bigbar.dashboard.handler import NUMBER, Handler, json_text, text_of
from bigbar.dashboard.live import Stream
from bigbar.dashboard.overview import Glance
from bigbar.dashboard.present import duration_text, objective_text, summary_of
from bigbar.errors import InputError
from bigbar.history.tables import parameters_named
from bigbar.history.verdicts import light_of
from bigbar.printable import one_line, printable
from bigbar.report.files import PAGE
from bigbar.report.ownership import is_named, kind_of, receipt_in
from bigbar.store.receipt import RUNS_OF
from bigbar.store.records import Run
from bigbar.units import counted

#: Runs drawn at once; older ones come when they are asked for.
_MOST_RUNS = 300

#: Runs deleted at once.
_MOST_DELETED = 1000

#: A report page stands alone: it may run its own scripts, and reach nothing, not even this server.
_SANDBOX = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; "
    "style-src 'unsafe-inline'; img-src data:; font-src data:; base-uri 'none'; form-action 'none'"
)

#: No report is as large.
_MOST_BYTES = 200_000_000


class Home(Handler):
    """All runs, the newest first, those of a strategy and a price file together."""

    async def get(self) -> None:
        """List them."""
        every = self.get_query_argument("all", None) is not None
        self.page("history.html", **await self.aside(self._values, every))

    def _values(self, every: bool) -> dict[str, Any]:
        runs, damaged = self.application.runs.survey()
        shown = runs if every else runs[:_MOST_RUNS]
        return {
            "groups": grouped(shown),
            "lights": self.application.runs.lights(shown) if shown else {},
            "damaged": [(one.id, one_line(str(one))) for one in damaged],
            "more": len(runs) - len(shown),
            "states": states_text(
                [(run.id, run.state) for run in runs] + [(one.id, "damaged") for one in damaged]
            ),
        }


def grouped(runs: Iterable[Run]) -> list[tuple[str, str, list[dict[str, Any]]]]:
    """Runs in a list, by strategy and price file, in the order of the newest of each."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for run in runs:
        summary = summary_of(run)
        found.setdefault((summary["strategy"], summary["path"]), []).append(summary)
    return [(strategy, path, each) for (strategy, path), each in found.items()]


def states_text(states: Iterable[tuple[int, str]]) -> str:
    """Which runs there are, and how they stand: a page that was drawn for others is drawn anew."""
    return ",".join(f"{number}{state[:1]}" for number, state in sorted(states))


class HomeStream(Stream):
    """Which runs there are, and how far those are that go on."""

    async def get(self) -> None:
        """Send it."""
        with self.application.followings.overview() as following:
            await self.send(following, lambda: _told(following.now))


def _told(now: Any) -> str:
    if not isinstance(now, Glance):
        return json_text({"problem": one_line(str(now))})
    live = [
        {
            "id": run.id,
            "share": run.done / run.combinations,
            "says": f"{100 * run.done // run.combinations}%",
            "left": duration_text(now.left_s.get(run.id)),
        }
        for run in now.running
    ]
    return json_text({"states": states_text(now.states), "live": live})


class Compare(Handler):
    """Two runs side by side."""

    async def get(self) -> None:
        """Compare them, or ask for two."""
        first, second = self.number("a", 0), self.number("b", 0)
        if not (first and second):
            raise InputError("choose two runs to compare, on the page of all runs")
        self.page("compare.html", **await self.aside(self._values, first, second))

    def _values(self, first: int, second: int) -> dict[str, Any]:
        from bigbar.history.compare import compare_runs, moves

        with self.application.runs.open() as store:
            runs = store.run(first), store.run(second)
            found = compare_runs(store, *runs)
            name = found.objective
            winners = [
                None
                if one is None
                else (
                    parameters_named(one.parameters),
                    [
                        (
                            objective_text(name, each.value) if each.in_grid else "not in it",
                            "–" if each.place is None else f"{each.place:,}",
                        )
                        for each in one.standings
                    ],
                )
                for one in found.winners
            ]
            movers = [
                (
                    parameters_named(one.parameters),
                    *(objective_text(name, value) for value in one.values),
                )
                for one in found.movers
            ]
            return {
                "runs": [summary_of(run) for run in runs],
                "found": found,
                "winners": winners,
                "movers": movers,
                "moves": [
                    (name[:1].upper() + name[1:], said)
                    for name, said in moves(found, (f"run {first}", f"run {second}"))
                ],
            }


class Report(Handler):
    """What a run said at its end, and its page where that is there."""

    async def get(self, number: str) -> None:
        """Show it."""
        self.page("report.html", tab="report", **await self.aside(self._values, int(number)))

    def _values(self, number: int) -> dict[str, Any]:
        from bigbar.history.show import show

        with self.application.runs.open() as store:
            run = store.run(number)
            text = printable(show(store, run).text)
            page = report_of(self.application.runs.folder, run)
            return {
                "run": run,
                "now": summary_of(run),
                "light": light_of(store, run),
                "said": text_of(text),
                "page": page,
            }


class ReportPage(Handler):
    """The report page that a run left in the folder, behind a wall."""

    async def get(self, number: str) -> None:
        """Answer with it."""
        content = await self.aside(self._content, int(number))
        if content is None:
            raise HTTPError(404)
        self.set_header("Content-Type", "text/html; charset=UTF-8")
        self.set_header("Content-Security-Policy", _SANDBOX)
        self.finish(content)

    def _content(self, number: int) -> bytes | None:
        runs = self.application.runs
        with runs.open() as store:
            path = report_of(runs.folder, store.run(number))
        try:
            return None if path is None else path.read_bytes()
        except OSError:
            return None


def report_of(folder: Path, run: Run) -> Path | None:
    """The report page of a run in a folder: what it left there, or what `bigbar report` drew."""
    receipt = receipt_in(folder)
    for one in (receipt or {}).get(RUNS_OF, ()):  # Of several files, each in a folder of its own.
        own = (one.get("run"), one.get("fingerprint")) == (run.id, run.fingerprint)
        name = Path(str(one.get("name"))).name
        if own and name not in ("", ".."):
            return report_of(folder / name, run)
    drawn = folder / f"report-{run.id}.html"
    if receipt is None:  # Without one nothing can be held against it.
        return drawn if _is_page(drawn) else None
    own = (receipt.get("run"), receipt.get("fingerprint")) == (run.id, run.fingerprint)
    paths = [folder / PAGE, drawn] if own else [drawn]
    return next((path for path in paths if _is_page(path) and _is_named(path, receipt)), None)


def _is_page(path: Path) -> bool:
    try:
        return kind_of(path) is None and path.stat().st_size <= _MOST_BYTES
    except OSError:
        return False


def _is_named(path: Path, receipt: dict[str, Any]) -> bool:
    try:
        return is_named(path, receipt)
    except OSError:
        return False


class DeleteMany(Handler):
    """Deletes several runs; see `live.Change`."""

    async def post(self) -> None:
        """Do it, and say what was done; `{"ids": [1, 2]}`."""
        numbers = _numbers(self.request.body)
        self.json({"said": await self.aside(changes.delete, self.application.runs, numbers)})


def _numbers(body: bytes) -> list[int]:
    try:
        found = json.loads(body)["ids"]
    except (ValueError, LookupError, TypeError, RecursionError):
        found = None
    if not isinstance(found, list) or not 0 < len(found) <= _MOST_DELETED:
        raise InputError(f"name the runs to delete: 1 to {counted(_MOST_DELETED, 'number')}")
    if not all(type(one) is int and 0 < one < 10**18 for one in found):
        raise InputError("these are no numbers of runs")
    return found


ROUTES: list[tuple[str, Any]] = [
    (r"/", Home),
    (r"/compare", Compare),
    (rf"/runs/{NUMBER}/report", Report),
    (rf"/runs/{NUMBER}/report\.html", ReportPage),
    (r"/api/live", HomeStream),
    (r"/api/delete", DeleteMany),
]
