"""The progress bar, whose predicted end knows of the slices under way; or lines in its place."""

from __future__ import annotations

import io
import sys
import warnings
from collections.abc import Callable
from typing import Any

from bigbar.units import as_seconds, as_share

if "ipykernel.zmqshell" in sys.modules:
    with warnings.catch_warnings():
        # Without ipywidgets a notebook gets the bar as text, which is no reason to warn.
        warnings.simplefilter("ignore")
        from tqdm.auto import tqdm
else:
    from tqdm import tqdm

#: In narrower terminals the speed is left out, for the best so far to have room.
_NARROW = 110
_NARROW_FORMAT = (
    "{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}{postfix}]"
)

#: Seconds before the first line in place of a bar, and between two at least. The next is told when
#: another tenth is done, or after so many seconds.
LINE_S, STILL_THERE_S = 10.0, 60.0


class Bar(tqdm):
    """A bar that counts what has come back, and predicts by what is done.

    A slice counts when it comes back; until then it is half done on average. Without those halves
    the end would be predicted late by a tenth when a fifth is done, however many workers there
    are. When the last slice comes back the other workers have been idle for half a slice on
    average, so the same halves belong to the whole, and drop out of the prediction at the end.

    Parameters
    ----------
    in_flight : float
        What is done but has not come back, on average.
    **options
        Of tqdm.
    """

    def __init__(self, *, in_flight: float, **options: Any) -> None:
        self._in_flight = in_flight  # first: tqdm draws while it is being made
        self._end_s: float | None = None
        super().__init__(**options)

    def expect(self, seconds: float) -> None:
        """Predict the end by this, in so many seconds, until it is told anew."""
        self._end_s = float(super().format_dict["elapsed"]) + seconds

    @property
    def format_dict(self) -> dict[str, Any]:
        """What is drawn, with the speed that predicts the end."""
        drawn: dict[str, Any] = super().format_dict
        if (drawn["ncols"] or _NARROW) < _NARROW and drawn["postfix"]:
            drawn["bar_format"] = _NARROW_FORMAT
        done = drawn["n"] - drawn["initial"]
        if done and drawn["elapsed"] and drawn["n"] < drawn["total"]:
            drawn["rate"] = (done + self._in_flight) / drawn["elapsed"]
            if self._end_s is not None and self._end_s > drawn["elapsed"]:
                drawn["rate"] = (drawn["total"] - drawn["n"]) / (self._end_s - drawn["elapsed"])
        return drawn


class Lines(Bar):
    """In place of a bar, a plain line now and then; none where it is done before the first is due.

    Parameters
    ----------
    tell : callable
        Is given the text of a line.
    **options
        As of `Bar`.
    """

    def __init__(self, tell: Callable[[str], None], **options: Any) -> None:
        self._tell = tell
        self._told_s, self._told_tenth = 0.0, -1
        # Its own plain text goes nowhere.
        super().__init__(file=io.StringIO(), miniters=1, smoothing=0, **options)

    def display(self, msg: str | None = None, pos: int | None = None) -> None:
        """Tell a line, where one is due: what tqdm calls to draw."""
        now = self.format_dict
        done, total, elapsed = now["n"], now["total"], now["elapsed"]
        since = elapsed - self._told_s
        if done >= total or since < LINE_S:
            return
        tenth = 10 * done // total
        if tenth == self._told_tenth and since < STILL_THERE_S:
            return
        self._told_s, self._told_tenth = elapsed, tenth
        parts = [f"{done:,} of {total:,} ({as_share(done / total)})"]
        if now["rate"]:
            left_s = (total - done) / now["rate"]
            parts.append(f"about {as_seconds(max(1, round(left_s)))} left")
        if now["postfix"]:
            parts.append(now["postfix"])
        self._tell(", ".join(parts))
