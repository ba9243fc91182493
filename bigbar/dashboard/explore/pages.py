"""The page `/runs/ID/explore`, and the addresses of its questions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bigbar.dashboard.explore.asked import question_in
from bigbar.dashboard.explore.combination import combination
from bigbar.dashboard.explore.consent import Needs, may_agree, needs_of
from bigbar.dashboard.explore.heat import heatmap
from bigbar.dashboard.explore.overview import overview, plateau
from bigbar.dashboard.explore.parallel import parallel
from bigbar.dashboard.explore.replaying import Replayer, Subject
from bigbar.dashboard.explore.rows import rows
from bigbar.dashboard.explore.scatter import scatter
from bigbar.dashboard.explore.stored import Shelf, StoredTable
from bigbar.dashboard.handler import NUMBER, Handler, json_text
from bigbar.errors import InputError

#: What can be asked about a run.
QUESTIONS: dict[str, Callable[[StoredTable, dict[str, Any]], dict[str, Any]]] = {
    "rows": rows,
    "scatter": scatter,
    "parallel": parallel,
    "heatmap": heatmap,
    "plateau": plateau,
    "overview": lambda stored, asked: overview(stored),
}

#: Modules of the page's script, by the names that they import each other by.
MODULES = (
    "axes", "charts", "compare", "curves", "detail", "filters", "format", "heatmap", "parallel",
    "scatter", "state", "table",
)  # fmt: skip


class ExploreHandler(Handler):
    """What the page and its questions have in common."""

    @property
    def shelf(self) -> Shelf:
        """The runs in memory."""
        found: Shelf = self.application.settings.setdefault("explore_shelf", Shelf())
        return found

    def about(self, number: str, work: Callable[[StoredTable], Any]) -> Any:
        """What `work` makes of a run; to be called in a thread."""
        with self.application.runs.open() as store:
            return work(self.shelf.table(store, int(number)))

    async def answer(self, number: str, work: Callable[[StoredTable], Any]) -> None:
        """Answer with what `work` makes of a run; a question that makes no sense is a 400."""
        try:
            # As text already: of ten thousand cells that takes its time, too.
            text = await self.aside(lambda: json_text(self.about(number, work)))
        except InputError as problem:
            self.refuse(problem)
            return
        self.set_header("Content-Type", "application/json; charset=UTF-8")
        self.finish(text)

    def refuse(self, problem: InputError) -> None:
        """Say what is wrong with a question."""
        self.set_status(400)
        self.json({"error": str(problem)})


class ExplorePage(ExploreHandler):
    """The page itself."""

    async def get(self, number: str) -> None:
        """The run's frame; everything in it is asked for by its script."""

        def run_of() -> Any:
            with self.application.runs.open() as store:
                return store.run(int(number))

        run = await self.aside(run_of)
        modules = {
            f"explore/{name}": self.application.asset_address(f"explore.{name}.js")
            for name in MODULES
        }
        self.page("explore.html", run=run, tab="explore", modules={"imports": modules})


class Question(ExploreHandler):
    """A question about all combinations, as JSON in `ask`."""

    async def get(self, number: str, name: str) -> None:
        """Answer it."""
        try:
            asked = question_in(self.get_query_argument("ask", None))
        except InputError as problem:
            self.refuse(problem)
            return
        await self.answer(number, lambda stored: QUESTIONS[name](stored, asked))


class Combination(ExploreHandler):
    """What is stored of one combination."""

    async def get(self, number: str, which: str) -> None:
        """Answer with it."""

        def found(stored: StoredTable) -> dict[str, Any]:
            needs = needs_of(stored.run)
            return combination(stored, int(which)) | {
                "needs": {
                    "strategy": needs.strategy,
                    "data": needs.data,
                    "unasked": needs.unasked,
                    "key": needs.key,
                    "may_agree": may_agree(self.application.access),
                }
            }

        await self.answer(number, found)


class Replay(ExploreHandler):
    """Equity and trades of one combination, computed now."""

    @property
    def replayer(self) -> Replayer:
        """Whoever computes."""
        settings = self.application.settings
        if "explore_replayer" not in settings:
            settings["explore_replayer"] = Replayer()
        found: Replayer = settings["explore_replayer"]
        return found

    async def get(self, number: str, which: str) -> None:
        """Compute it, if it may be."""

        def prepared(stored: StoredTable) -> tuple[Subject, list[float]]:
            needs = needs_of(stored.run)
            self._check(needs)
            combination(stored, int(which))  # Refuses what is none.
            folder = str(self.application.runs.folder)
            subject = Subject(folder, stored.run.id, stored.run.fingerprint, needs.key)
            return subject, np.asarray(stored.table.values[int(which)]).tolist()

        try:
            subject, row = await self.aside(self.about, number, prepared)
        except InputError as problem:
            self.refuse(problem)
            return
        self.json(await self.replayer.answer(subject, int(which), row))

    def _check(self, needs: Needs) -> None:
        """Refuse to run code that nobody agreed to; no page of somebody else's sends a header."""
        key = self.request.headers.get("X-BigBar-Agreed")
        if not needs.agreed(key):
            raise InputError(f"computing this runs the code of {needs.strategy}; agree to it first")
        if not needs.unasked and not may_agree(self.application.access):
            raise InputError(
                "other machines may look at this dashboard, so it runs no strategy of yours; start "
                "it with --allow-changes, or without --host"
            )


ROUTES: list[tuple[str, Any]] = [
    (rf"/runs/{NUMBER}/explore", ExplorePage),
    (rf"/api/runs/{NUMBER}/explore/({'|'.join(QUESTIONS)})", Question),
    (rf"/api/runs/{NUMBER}/explore/combinations/{NUMBER}", Combination),
    (rf"/api/runs/{NUMBER}/explore/combinations/{NUMBER}/replay", Replay),
]
