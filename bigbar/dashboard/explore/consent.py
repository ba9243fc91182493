"""Whether computing a combination again may run what a store names, or somebody has to agree first.

A store may come from anybody, and names files: whose code would be run, and whose prices read. What
comes along with the program is run unasked. For all else a person agrees on the page, having seen
the names; the page then sends the key of just these names with every question, so a store that
changes meanwhile has to be agreed to anew. Where other machines may look, somebody who looks may
not decide that: only a dashboard that may change things takes it there.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

from bigbar.dashboard.access import LOOPBACK, Access
from bigbar.errors import InputError
from bigbar.store.records import Run
from bigbar.strategies.find import BUILT_IN

#: Parts of a description of a strategy that say whose code it is. No run stores them; one that
#: does would have another code run than the one that it names.
_WHOSE_CODE = frozenset({"path", "by_value"})


@dataclass(frozen=True)
class Needs:
    """What computing a combination of a run needs.

    Attributes
    ----------
    strategy, data : str
        As the run names them.
    unasked : bool
        Whether it may be done without asking anybody.
    """

    strategy: str
    data: str
    unasked: bool

    @property
    def key(self) -> str:
        """Stands for these names."""
        text = f"{self.strategy}\0{self.data}".encode("utf-8", "surrogateescape")
        return hashlib.sha256(text).hexdigest()

    def agreed(self, key: str | None) -> bool:
        """Whether it may be done for somebody who sends this key."""
        return self.unasked or hmac.compare_digest((key or "").encode(), self.key.encode())


def needs_of(run: Run) -> Needs:
    """What computing a combination of a run needs.

    Raises
    ------
    InputError
        If the run is not one that this program wrote.
    """
    settings = run.identity.parts["settings"]
    if not isinstance(settings, dict) or _WHOSE_CODE & set(settings):
        raise InputError(
            f"run {run.id} names another code than its strategy's: nothing of it is run"
        )
    strategy = str(run.settings.get("strategy", run.identity.strategy_name))
    data = str(run.data.get("path", ""))
    # Opening a file on another machine already tells that machine who asks.
    is_elsewhere = data.startswith(("\\\\", "//"))
    return Needs(strategy, data, strategy in BUILT_IN and not is_elsewhere)


def may_agree(access: Access) -> bool:
    """Whether those who look may have a strategy's code run by agreeing to it."""
    return access.allow_changes or (not access.any_address and access.names <= LOOPBACK)
