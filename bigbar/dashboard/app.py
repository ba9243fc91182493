"""All pages of the dashboard, and its assets."""

from __future__ import annotations

from pathlib import Path

from tornado.web import HTTPError

from bigbar.dashboard import explore, history, live
from bigbar.dashboard.access import Access
from bigbar.dashboard.application import KINDS, Dashboard, assets
from bigbar.dashboard.handler import Handler, NotFound
from bigbar.dashboard.reading import Runs


class Asset(Handler):
    """A file of the dashboard's own."""

    def get(self, name: str) -> None:
        """Answer with it; its address changes with what it holds, so browsers may keep it."""
        content = assets().get(name)
        if content is None:
            raise HTTPError(404)
        self.set_header("Content-Type", f"{KINDS[Path(name).suffix]}; charset=UTF-8")
        self.set_header("Cache-Control", "private, max-age=86400")
        self.finish(content)


#: Every page: its address, and what answers.
ROUTES = (
    *history.ROUTES,
    *live.ROUTES,
    *explore.ROUTES,
    (r"/assets/([a-z_.-]{1,40})", Asset),
)


def make_dashboard(folder: Path, access: Access) -> Dashboard:
    """The dashboard of an output folder."""
    return Dashboard(Runs(folder), access, ROUTES, default_handler_class=NotFound)
