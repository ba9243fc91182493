"""The page of a run, kept up to date while it goes on; and what can be done about the run."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tornado.iostream import StreamClosedError

from bigbar.dashboard import changes
from bigbar.dashboard.follower import Moment, RunFollower
from bigbar.dashboard.following import Following
from bigbar.dashboard.handler import NUMBER, Handler, json_text
from bigbar.dashboard.present import facts_of, summary_of, values_of
from bigbar.errors import InputError
from bigbar.history.verdicts import light_of
from bigbar.printable import one_line
from bigbar.store.records import NONSENSE

#: Without news, a sign of life is sent so often, in seconds.
_SIGN_S = 10.0

#: Pages kept up to date at once.
_MOST_PAGES = 100


class RunPage(Handler):
    """A run: how far it is, how fast, what is best so far, a heatmap that fills."""

    async def get(self, number: str) -> None:
        """What is known at once; all that moves comes by `RunStream`."""
        values = await self.aside(self._values, int(number))
        self.page("live.html", tab="run", **values)

    def _values(self, number: int) -> dict[str, Any]:
        with self.application.runs.open() as store:
            run = store.run(number)
            light = light_of(store, run)
            return {"run": run, "now": summary_of(run), "light": light, "facts": facts_of(run)}


class RunNow(Handler):
    """A run at a glance, for a page that is hidden."""

    async def get(self, number: str) -> None:
        """Answer with it."""
        self.json(await self.aside(self._values, int(number)))

    def _values(self, number: int) -> dict[str, Any]:
        with self.application.runs.open() as store:
            return summary_of(store.run(number))


class Alive(Handler):
    """That somebody still has a page open."""

    def get(self) -> None:
        """Answer."""
        self.json({})


class Stream(Handler):
    """Server-Sent Events: what is followed, as often as it changes."""

    _following: Following | None = None
    _is_gone = False

    async def send(self, following: Following, told: Callable[[], str]) -> None:
        """Send until the page goes, or the server ends."""
        self.set_header("Content-Type", "text/event-stream; charset=UTF-8")
        self._following, version = following, 0
        self.write("retry: 1000\n\n")
        while not (self._is_gone or self.application.is_closing):
            if following.version != version:
                version = following.version
                text = await self.aside(told)
                self.write(f"data: {text}\n\n")
            else:
                self.write(": still here\n\n")
            try:
                await self.flush()
            except StreamClosedError:
                return
            await following.change(version, _SIGN_S)

    def prepare(self) -> None:
        """Refuse one page too many."""
        super().prepare()
        if self.application.followings.watched >= _MOST_PAGES:
            raise InputError(f"{_MOST_PAGES} pages are kept up to date already; close some")

    def on_connection_close(self) -> None:
        """The page has gone."""
        self._is_gone = True
        if self._following is not None:
            self._following.wake()


class RunStream(Stream):
    """A run as it is."""

    async def get(self, number: str) -> None:
        """Send it."""
        pair = self.get_query_argument("down", None), self.get_query_argument("across", None)
        with self.application.followings.of(int(number)) as (following, looker):
            resumed = self.application.resumed
            told = _Told(following, looker, pair, lambda: resumed.problem(int(number)))
            await self.send(following, told)


class _Told:
    """What a page is told of a run; the heatmap only where there is more to see of it.

    Parameters
    ----------
    following : Following
    looker : RunFollower
    pair : tuple of two str or None
        The parameters of the heatmap, down and across.
    problem : callable
        What is wrong besides.
    """

    def __init__(
        self,
        following: Following,
        looker: RunFollower,
        pair: tuple[str | None, str | None],
        problem: Callable[[], str | None],
    ) -> None:
        self._following, self._looker = following, looker
        self._pair, self._problem = pair, problem
        self._mark: object = None

    def __call__(self) -> str:
        now = self._following.now
        try:
            if not isinstance(now, Moment):
                return json_text({"problem": one_line(str(now))})
            values = values_of(now)
            if now.run.state != "running" and (wrong := self._problem()) is not None:
                values["problems"] = [one_line(wrong), *values["problems"]]
            heat = self._heat()
            return json_text({**values, **({"heat": heat} if heat else {})})
        except NONSENSE as problem:  # A store may hold anything.
            return json_text({"problem": f"this run holds values that make no sense: {problem}"})

    def _heat(self) -> dict[str, Any] | None:
        """Of the pair asked for, or of the parameters with most values."""
        with self._following.kept() as holds:
            scores = self._looker.scores
            if not holds or scores is None or not (names := scores.axes()):
                return None
            mark = id(scores), scores.filled
            if mark == self._mark:
                return None
            self._mark = mark
            down, across = self._pair
            found = None if across is None else scores.heatmap(down or "", across)
            if found is None:
                first = names[0] if len(names) > 1 else ""
                found = scores.heatmap(first, names[min(1, len(names) - 1)])
            return None if found is None else {**found, "axes": names, "kind": scores.kind.value}


class Change(Handler):
    """Stops, resumes or deletes a run; `Handler` lets only this server's own pages ask."""

    async def post(self, number: str, what: str) -> None:
        """Do it, and say what was done."""
        said = await self.aside(self._done, int(number), what, self.request.body)
        self.json({"said": said})

    def _done(self, number: int, what: str, body: bytes) -> str:
        runs = self.application.runs
        if what == "stop":
            return changes.stop(runs, number)
        if what == "delete":
            return changes.delete(runs, [number])
        plan = changes.plan_to_resume(runs, number)
        if _command_in(body) != one_line(plan.command):  # A store may have changed meanwhile.
            raise InputError(f"the command of run {number} is another than the one that was shown")
        return self.application.resumed.start(plan)

    async def get(self, number: str, what: str) -> None:
        """Say what would be done, where that is worth a question."""
        if what != "resume":
            self.set_header("Allow", "POST")
            self.set_status(405)
            self.json({"error": "this is done by a page that asked first"})
            return
        plan = await self.aside(changes.plan_to_resume, self.application.runs, int(number))
        self.json(
            {
                "command": one_line(plan.command),
                "folder": one_line(str(plan.folder)),
                "log": one_line(str(plan.log)),
            }
        )


def _command_in(body: bytes) -> object:
    """The command that somebody agreed to."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return found.get("command") if isinstance(found, dict) else None


ROUTES: list[tuple[str, Any]] = [
    (rf"/runs/{NUMBER}", RunPage),
    (r"/api/alive", Alive),
    (rf"/api/runs/{NUMBER}", RunNow),
    (rf"/api/runs/{NUMBER}/live", RunStream),
    (rf"/api/runs/{NUMBER}/(stop|resume|delete)", Change),
]
