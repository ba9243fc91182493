"""What a run keeps in a store and takes over from it; the recorder here does neither."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from bigbar.slices import Failure
from bigbar.store.fingerprint import Identity
from bigbar.store.journal import Kind
from bigbar.store.records import Ending, NewRun, Run
from bigbar.store.reuse import KnownRows
from bigbar.store.rows import Slice
from bigbar.store.writer import Snapshot


@dataclass
class Carried:
    """What a run has from earlier ones.

    Attributes
    ----------
    run : int or None
        Its id; None without a store.
    begun : datetime or None
        When a run that is continued was begun.
    done : ndarray of bool, shape (combinations,)
        What an earlier attempt of this run answered, failures among them.
    taken : ndarray of int, shape (combinations,)
        Of which other run a row can be taken; 0 where of none.
    failures : list of Failure
        Of the earlier attempts.
    retry : list of int or None
        The combinations to run again, where that is all there is to do.
    computed : bool
        Whether what is done was computed by this attempt, because what the store had was wrong.
    earlier : Run or None
        The last finished run of the same fingerprint, whose result has to be the same.
    recalls : bool
        Whether what was found out about that result may be taken over.
    asked : ndarray of int64 or None
        Of a search that is continued: the points that it had asked for, by their numbers in the
        product.
    known : KnownRows or None
        Of a search: rows that other runs have of the product.
    reduction : bytes or None
        Of a run of which a part of the rows is kept, and that is continued: what is, by now.
    """

    done: NDArray[np.bool_]
    taken: NDArray[np.int64]
    run: int | None = None
    begun: datetime | None = None
    failures: list[Failure] = field(default_factory=list)
    retry: list[int] | None = None
    computed: bool = False
    earlier: Run | None = None
    recalls: bool = True
    asked: NDArray[np.int64] | None = None
    known: KnownRows | None = None
    reduction: bytes | None = None

    @classmethod
    def nothing(cls, combinations: int = 0) -> Carried:
        """For a run that begins from nothing."""
        return cls(np.zeros(combinations, dtype=bool), np.zeros(combinations, dtype=np.int64))


class Recorder:
    """Keeps a run while it goes on. This one keeps nothing; see `StoreRecorder`."""

    #: Why nothing is kept any more, if that is so.
    problem: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Keep what can be kept."""

    def engine_before(self, identities: Mapping[str, Callable[[], Identity]]) -> str | None:
        """Which of some engines an earlier attempt of this very run was by; None for none.

        Parameters
        ----------
        identities : mapping of str to callable
            Find out the identity of the run by each engine: following its code takes a moment.
        """
        return None

    def begin(self, describe: Callable[[], NewRun], values: NDArray[np.float64]) -> Carried:
        """The run begins.

        Parameters
        ----------
        describe : callable
            Gives what is known of it.
        values : ndarray of float, shape (combinations, statistics)
            Filled in with what there is from earlier runs.

        Returns
        -------
        Carried

        Raises
        ------
        SettingsError
            If the run to be continued cannot be, or is another one.
        StoreError
            If a run is to be continued and the store cannot be used.
        """
        return Carried.nothing(len(values))

    def asked(self, numbers: NDArray[np.int64]) -> None:
        """A search has asked for these points by now, all together; they do not change any more."""

    def add(self, slice_: Slice, rows: NDArray[np.float64], failures: Sequence[Failure]) -> None:
        """A slice is finished; its rows do not change any more.

        Parameters
        ----------
        slice_ : Slice
            Begun by the clock of `time.monotonic`.
        rows : ndarray of float, shape (combinations, statistics)
        failures : sequence of Failure
        """

    def reduced(self, snapshot: Callable[[], Snapshot]) -> None:
        """A part of the rows is kept, and there is more of it by now.

        Parameters
        ----------
        snapshot : callable
            Gives all that there is; is asked for it from time to time.
        """

    def keep(
        self,
        numbers: NDArray[np.int64],
        rows: NDArray[np.float64],
        failures: Sequence[Failure],
        snapshot: Snapshot,
    ) -> None:
        """These rows are kept; no more will come in this attempt.

        Parameters
        ----------
        numbers : ndarray of int64, shape (rows,)
            In the product.
        rows : ndarray of float, shape (rows, statistics)
        failures : sequence of Failure
            By their places among them.
        snapshot : Snapshot
        """

    def note(self, kind: Kind, text: str) -> None:
        """Something happened that whoever watches the run may want to know."""

    def swept(self) -> None:
        """No more slices will come."""

    def distrust(
        self,
        runs: Collection[int],
        why: str,
        *,
        done: NDArray[np.bool_],
        values: NDArray[np.float64],
        failures: Sequence[Failure],
    ) -> None:
        """Rows of these runs are wrong: they are not taken any more, by this run or another.

        Parameters
        ----------
        runs : collection of int
            This one is among them if the rows are of an earlier attempt.
        why : str
        done : ndarray of bool, shape (combinations,)
            What was computed since: all that this run has by now.
        values : ndarray of float, shape (combinations, statistics)
        failures : sequence of Failure
            Of what is done.
        """

    def earlier_trials(self) -> int:
        """Combinations that earlier runs tried on the same bars."""
        return 0

    def count_opening(self, split: str) -> int:
        """Bars held back from this one on are looked at; how often by now, as far as is known."""
        return 1

    def finish(self, ending: Ending) -> None:
        """The run has come to its end."""
