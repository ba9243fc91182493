"""What came of a combination that was run both ways: without an engine, for whoever reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Comparison(NamedTuple):
    """What is to be run of a combination.

    Attributes
    ----------
    number : int
    both : bool
        Compiled as well as by `backtesting.py`.
    as_swept : bool
        The row that the sweep will make is compared, too. Its code takes seconds to compile.
    """

    number: int
    both: bool = True
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
    reference_s, compiled_s : float
        Seconds that each way took; the compiled one with the compiling.
    lines : int
        Of `next` that were translated.
    """

    number: int
    refused: str | None = None
    in_python: str | None = None
    difference: str | None = None
    reference_s: float = 0.0
    compiled_s: float = 0.0
    lines: int = 0
