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
import os
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
    strategy : str
        As the run names it.
    data : str
        The price file; one that was named without its folder is looked for where the run's
        command was given.
    folder : str or None
        Where that was, as far as it is known.
    unasked : bool
        Whether it may be done without asking anybody.
    """

    strategy: str
    data: str
    folder: str | None
    unasked: bool

    @property
    def key(self) -> str:
        """Stands for these names."""
        text = "\0".join((self.strategy, self.data, self.folder or ""))
        return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()

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
    folder = run.machine.get("folder")
    folder = folder if isinstance(folder, str) else None
    path = str(run.data.get("path", ""))
    data = os.path.join(folder or "", path)
    # Opening a file on another machine already tells that machine who asks.
    is_elsewhere = any(name.startswith(("\\\\", "//")) for name in (path, data))
    return Needs(strategy, data, folder, strategy in BUILT_IN and not is_elsewhere)


def may_agree(access: Access) -> bool:
    """Whether those who look may have a strategy's code run by agreeing to it."""
    return access.allow_changes or (not access.any_address and access.names <= LOOPBACK)
