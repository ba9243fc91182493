"""Neighbouring combinations that have their `init` in common: all else about them is numbers."""

from __future__ import annotations

import numpy as np

from bigbar.compiled.translate.program import Program
from bigbar.engines.general.batch import MOST, Batch
from bigbar.engines.general.points import Points, Slice
from bigbar.engines.general.starts import Start


def alike_after(
    points: Points, number: int, stop: int, start: Start, program: Program
) -> Batch | None:
    """A combination and those right after it that have its `init`.

    Parameters
    ----------
    points : Points
    number : int
    stop : int
        The combination after the last that may be among them.
    start : Start
        Of the first; the others have the same.
    program : Program
        Of the first; of the others as well.

    Returns
    -------
    Batch or None
        None where only the first is known to be of this kind.
    """
    own = [name for name in start.own if name in program.reads or name in program.parameters]
    if not start.own or any(name in program.state or name in program.lists for name in own):
        return None
    here = points.here
    first = number - here.start
    until = min(_end(here, first, start.own), first + MOST, stop - here.start)
    values, until = points.numbers(own, program, first, until)
    return Batch(values) if values and until - first > 1 else None


def _end(here: Slice, first: int, own: frozenset[str]) -> int:
    """Where the combinations with the `init` of one end."""
    ends = here.ends.get(own)
    if ends is None:
        changes = np.zeros(here.stop - here.start, np.bool_)
        changes[-1] = True
        for name, places in here.places.items():
            if name not in own:
                changes[:-1] |= places[1:] != places[:-1]
        ends = here.ends[own] = np.flatnonzero(changes) + 1
    return int(ends[np.searchsorted(ends, first, side="right")])
