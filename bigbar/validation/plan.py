"""What of the validation is asked for."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import pandas as pd

from bigbar.errors import DataError, SettingsError
from bigbar.given import flag, number, text, whole
from bigbar.job import Job
from bigbar.spec import StrategySpec
from bigbar.validation.splits import Span, holdout_split, walk_forward_splits

#: Which setting is judged, and shown as the answer.
CHOICES = ("peak", "robust")

#: The test window of a walk-forward step is this share of training and test window together.
TEST_SHARE = 0.25

#: What a walk-forward matrix goes over.
MATRIX_WINDOWS = (4, 6, 8, 10, 12)
MATRIX_SHARES = (0.15, 0.2, 0.25, 0.3, 0.4)


#: The options' names of what is asked for or not.
_NAMES = {
    "assess": "validate",
    "thorough": "--thorough",
    "anchored": "--anchored",
    "matrix": "--walk-forward-matrix",
}


@dataclass(frozen=True)
class Plan:
    """What of the validation is asked for.

    Attributes
    ----------
    assess : bool
        Hold the result against luck, look for the plateau, find how far costs can rise, and put
        it into a verdict. Everything below can be had without.
    holdout : float or None
        Share of the bars to put away before anything is optimized.
    choose : {"peak", "robust"}
        Which setting is the answer.
    thorough : bool
        Cut the days into more blocks for the probability of overfitting, which takes longer.
    walk_forward : int
        Windows; 0 for none.
    anchored : bool
        Whether every training window begins with the file.
    matrix : bool
        Walk forward over several numbers of windows and shares, too.

    Raises
    ------
    SettingsError
        If a value makes no sense.
    """

    assess: bool = True
    holdout: float | None = None
    choose: str = CHOICES[0]
    thorough: bool = False
    walk_forward: int = 0
    anchored: bool = False
    matrix: bool = False

    def __post_init__(self) -> None:
        for name in ("assess", "thorough", "anchored", "matrix"):
            object.__setattr__(self, name, flag(_NAMES[name], getattr(self, name)))
        windows = whole("--walk-forward", self.walk_forward)
        object.__setattr__(self, "walk_forward", windows)
        if self.holdout is not None:
            object.__setattr__(self, "holdout", number("--holdout", self.holdout))
        if text("--choose", self.choose) not in CHOICES:
            raise SettingsError(f"--choose is {self.choose!r}; it can be {' or '.join(CHOICES)}")
        if self.anchored and not (self.walk_forward or self.matrix):
            raise SettingsError(
                "--anchored says how to walk forward: it needs --walk-forward N or "
                "--walk-forward-matrix"
            )
        if self.holdout is not None and not 0 < self.holdout < 1:
            raise SettingsError(
                f"--holdout is {self.holdout:g}, but must be a share between 0 and 1, such as 0.2"
            )

    def span(self, index: pd.DatetimeIndex, job: Job) -> Span | None:
        """The bars to optimize on, where some are held back; also checks the windows.

        Parameters
        ----------
        index : DatetimeIndex
            Times of the whole file.
        job : Job
            On the whole file.

        Raises
        ------
        DataError
            If there are too few bars to hold any back, or for the windows; or if they have no
            dates.
        """
        spec = job.spec
        self._check_dates(index)
        whole = job.first_bar, len(index)
        optimized = whole
        if self.holdout is not None:
            optimized = job.first_bar, holdout_split(spec, index, whole, self.holdout)
        if self.walk_forward:
            try:
                self._windows(spec, index, optimized, self.walk_forward)
            except DataError as problem:
                advice = self._fewer_windows(spec, index, whole, optimized)
                raise DataError(f"{problem}; {advice}") from problem
        return None if optimized == whole else optimized

    def _check_dates(self, index: pd.Index) -> None:
        """Refuse what was asked for by name and means nothing for bars that are only numbered."""
        asked = {
            "--holdout": self.holdout is not None,
            "--walk-forward": self.walk_forward > 0,
            _NAMES["matrix"]: self.matrix,
        }
        named = [option for option, wanted in asked.items() if wanted]
        if named and not isinstance(index, pd.DatetimeIndex):
            raise DataError(
                f"the bars have no dates, which {' and '.join(named)} "
                f"{'needs' if len(named) == 1 else 'need'}: give the frame a DatetimeIndex"
            )

    def _windows(
        self, spec: StrategySpec, index: pd.DatetimeIndex, span: Span, windows: int
    ) -> None:
        walk_forward_splits(
            spec, index, span, windows=windows, share=TEST_SHARE, anchored=self.anchored
        )

    def _fewer_windows(
        self, spec: StrategySpec, index: pd.DatetimeIndex, whole: Span, optimized: Span
    ) -> str:
        """What can be done about too many windows: each way does."""
        ways = ["use a longer file"]
        if optimized != whole and self._most_windows(spec, index, whole) >= self.walk_forward:
            ways.insert(0, "leave out --holdout")
        if most := self._most_windows(spec, index, optimized):
            ways.insert(0, f"use --walk-forward {most}" + (" or fewer" if most > 1 else ""))
        return ", or ".join(filter(None, (", ".join(ways[:-1]), ways[-1])))

    def _most_windows(self, spec: StrategySpec, index: pd.DatetimeIndex, span: Span) -> int:
        """As many as fit, up to those that are asked for; 0 where not even one does."""
        for windows in range(min(self.walk_forward, len(spec.cuts(index, span))), 0, -1):
            with contextlib.suppress(DataError):
                self._windows(spec, index, span, windows)
                return windows
        return 0
