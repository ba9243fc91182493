"""What earlier runs came to, at a glance: the light of each one's verdict, and its sentence."""

from __future__ import annotations

from dataclasses import dataclass

from bigbar.printable import one_line
from bigbar.report.console import MARKS
from bigbar.store.records import Run
from bigbar.store.runs import RunStore
from bigbar.store.schema import StoreError

#: What each light means, in few words.
MEANINGS = {
    "red": "cannot be told from luck",
    "amber": "not proven",
    "green": "unlikely to be luck alone",
}


@dataclass(frozen=True)
class Light:
    """The verdict of a run.

    Attributes
    ----------
    light : {"red", "amber", "green", "none"}
        "none" where it was not held against luck, or has not come to its end.
    headline : str
        The verdict in a sentence; empty without one.
    """

    light: str = "none"
    headline: str = ""

    @property
    def mark(self) -> str:
        """What stands before it; empty without a light."""
        return MARKS.get(self.light, "")

    @property
    def meaning(self) -> str:
        """In few words; empty without a light."""
        return MEANINGS.get(self.light, "")


def light_of(store: RunStore, run: Run) -> Light:
    """The light of a run; none where what the run said at its end is damaged."""
    if run.ended is None:  # One that is continued has what the attempt before said.
        return Light()
    try:
        said = (store.output(run).summary or {}).get("verdict")
    except StoreError:
        return Light()
    if not isinstance(said, dict) or said.get("light") not in MEANINGS:
        return Light()
    return Light(said["light"], one_line(str(said.get("headline", ""))))
