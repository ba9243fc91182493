"""The dashboard as an application of Tornado: what all its pages share."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any

from tornado.web import Application

from bigbar.dashboard.access import Access
from bigbar.dashboard.changes import Resumed
from bigbar.dashboard.following import Followings
from bigbar.dashboard.reading import Runs

_HERE = Path(__file__).parent

#: Where assets lie. Those of the report page are served too: both look alike.
_FOLDERS = (_HERE / "assets", _HERE.parent / "report" / "page" / "assets")

#: Kinds of assets, by how their names end.
KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}

#: Several pages may read the store at once; the server itself never waits for it.
_THREADS = 4


class Dashboard(Application):
    """Pages over one output folder.

    Parameters
    ----------
    runs : Runs
        The store, as pages read it.
    access : Access
        Who may look.
    routes : sequence of (str, handler)
    **settings
        Of Tornado.

    Attributes
    ----------
    runs : Runs
    access : Access
    followings : Followings
        The runs that pages follow now.
    resumed : Resumed
        What was started from here.
    asked_at : float
        When a page last asked for something, by the clock of `time.monotonic`.
    is_closing : bool
        Whether pages that are kept up to date are to end.
    threads : ThreadPoolExecutor
        Where the store is read.
    """

    def __init__(
        self, runs: Runs, access: Access, routes: Sequence[tuple[str, Any]], **settings: Any
    ) -> None:
        self.runs = runs
        self.access = access
        self.followings = Followings(runs)
        self.resumed = Resumed()
        self.asked_at = time.monotonic()
        self.is_closing = False
        self.threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="bigbar-dashboard")
        super().__init__(
            list(routes),
            template_path=str(_HERE / "pages"),
            log_function=lambda _: None,
            **settings,
        )

    def close(self) -> None:
        """Have every page end that is kept up to date, and read no more."""
        self.is_closing = True
        self.followings.stop()
        self.threads.shutdown(wait=False, cancel_futures=True)

    @staticmethod
    def asset_address(name: str) -> str:
        """Where an asset is had from."""
        return f"/assets/{name}?{hashlib.sha256(assets()[name]).hexdigest()[:12]}"


@lru_cache(maxsize=1)
def assets() -> dict[str, bytes]:
    """All assets by name."""
    return {
        path.name: path.read_bytes()
        for folder in reversed(_FOLDERS)
        for path in sorted(folder.iterdir())
        if path.suffix in KINDS
    }
