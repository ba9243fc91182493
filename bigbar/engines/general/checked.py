"""What came of a combination that was run both ways: without an engine, for whoever reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Comparison(NamedTuple):
    """A combination that is to be run both ways.

    Attributes
    ----------
    number : int
    as_swept : bool
        The row that the sweep will make is compared, too. Its code takes seconds to compile.
    """

    number: int
    as_swept: bool = True


@dataclass(frozen=True)
class Checked:
    """What came of one combination.

    Attributes
    ----------
    number : int
    refused : str or None
        Why the strategy cannot be compiled.
    in_python : str or None
        Why this combination was left to Python, so that nothing could be compared.
    difference : str or None
        The first thing on which the two ways disagree, in words.
    compiled_s : float
        Seconds that the compiled way took, with the compiling.
    lines : int
        Of `next` that were translated.
    """

    number: int
    refused: str | None = None
    in_python: str | None = None
    difference: str | None = None
    compiled_s: float = 0.0
    lines: int = 0
