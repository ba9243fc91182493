"""How often the trader's code has run: what it could have changed is looked at anew then."""

from __future__ import annotations


class Ran:
    """A count.

    Attributes
    ----------
    times : int
        How often the trader's code has run, or may have.
    """

    def __init__(self) -> None:
        self.times = 0

    def again(self) -> None:
        """It runs once more."""
        self.times += 1
