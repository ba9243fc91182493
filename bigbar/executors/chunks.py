"""How long a backtest takes, how many to hand out at once, and in which order."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from bigbar import given

#: Workers are kept from idling at the end by handing out about this many chunks to each.
CHUNKS_PER_WORKER = 4

#: Below this many seconds a backtest is fast: handing it out costs more than running it, so
#: chunks double, to at least `FAST_CHUNK`. Above `SLOW_S` it is slow: chunks halve.
FAST_S, SLOW_S = 0.05, 0.5
FAST_CHUNK, SLOW_CHUNK = 100, 10

#: At most this many seconds of estimated work in a chunk: the bar moves twice a second on every
#: worker, a killed worker loses no more than that, and none is left with a long tail.
CHUNK_S = 0.5

#: And at most this share of a worker's estimated work: with four chunks of a worker, which is what
#: short runs would get, the predicted end was off by its own size; with 25 by a few per cent.
STEPS_PER_WORKER = 25

#: One process hands out to all workers: this share of its time may go to that, and no more.
HANDING_OUT = 0.5

#: But a chunk is never cut shorter than this: handing one out takes 30 microseconds.
SHORTEST_CHUNK_S = 0.005

#: A slice is cut up when it takes this many times its estimated work, and longer than a single
#: combination may: neighbours cost alike, and dear ones ten times the grid's mean.
MOST_TIMES_ESTIMATE = 20

#: Pieces of a slice that took too long are cut up after this many seconds already, so that the
#: one combination that does not end is found in seconds.
SUSPECT_S = 1.0

#: What a piece more to run costs, in seconds: handing it out, and what the engine prepares for it.
PIECE_S = 0.0004

#: So many pieces cost a fraction of a second: below it, nothing that is done is run again.
FEW_PIECES = 1000

#: Timing noise of a shared machine is some milliseconds; a sample this long drowns it.
SAMPLE_S = 0.03

#: What was timed is not run again where a backtest takes so many seconds or more. Below, running it
#: again costs less than cutting the slices around it.
KEPT_S = 0.001

#: Slices of the grid in a sample: cheap and dear combinations differ a hundredfold.
LEAST_SLICES = 6

_SECONDS = "a number of seconds, at least 0"

#: So many times the slices that were timed are timed next at most: those may have been cheap ones.
_MORE_AT_ONCE = 16

#: The golden ratio's fraction: its multiples spread over the unit interval more evenly than
#: any shuffle, so that every beginning of the order is a fair sample of the whole.
_GOLDEN = (math.sqrt(5) - 1) / 2

#: Further irrational steps. Each of them, the golden one too, falls in step with costs that
#: repeat at a rhythm of its own: the golden one sorts a sawtooth that repeats every 2.618
#: chunks by height, and the end is then predicted 39 % off (1 % with the best of these steps).
_STEPS = (_GOLDEN, *(math.sqrt(prime) % 1 for prime in (2, 3, 7, 11, 13, 17, 19, 23, 29, 31, 37)))

#: Waves over the grid, and over one period of it, that a good order has in balance.
_WAVES = (1, 2, 3)

#: A prediction is held to account from this share of the grid on.
_JUDGED_FROM = 0.2


def calculate_adaptive_chunk_size(
    total_combinations: int,
    workers: int,
    estimated_duration: float,
    *,
    bound_to_worker: bool = True,
    most_seconds: float | None = None,
) -> int:
    """How many combinations to hand a worker at once.

    Parameters
    ----------
    total_combinations : int
        Size of the grid.
    workers : int
        Worker processes.
    estimated_duration : float
        Seconds per backtest.
    bound_to_worker : bool, optional
        Never more than a worker's equal share, so that none goes without.
    most_seconds : float, optional
        Never more than this much estimated work; the pipeline passes `longest_chunk`.

    Returns
    -------
    int
        At least 1.

    Raises
    ------
    SettingsError
        If a number makes no sense.
    """
    total_combinations = given.whole("total_combinations", total_combinations)
    workers = given.whole("workers", workers, least=1)
    estimated_duration = given.number("estimated_duration", estimated_duration, _SECONDS)
    if not 0 <= estimated_duration < math.inf:
        raise given.refusal("estimated_duration", estimated_duration, _SECONDS)
    if most_seconds is not None:
        most_seconds = given.number("most_seconds", most_seconds, _SECONDS)
    base = max(1, total_combinations // (workers * CHUNKS_PER_WORKER))
    if estimated_duration < FAST_S:
        size = max(base * 2, FAST_CHUNK)
    elif estimated_duration > SLOW_S:
        size = max(base // 2, SLOW_CHUNK)
    else:
        size = base
    if bound_to_worker:
        size = min(size, max(1, total_combinations // workers))
    if most_seconds is not None and estimated_duration > 0:
        size = int(min(size, max(1.0, most_seconds / estimated_duration)))
    return size


def longest_chunk(
    total_combinations: int, workers: int, estimated_duration: float, *, hand_out_s: float = 0.0
) -> float:
    """Seconds of estimated work that a chunk may hold, so that the bar moves and the end holds.

    Parameters
    ----------
    total_combinations, workers : int
    estimated_duration : float
        Seconds per backtest.
    hand_out_s : float, optional
        Of the process that hands out the chunks, for each.

    Returns
    -------
    float
        At most `CHUNK_S`, unless handing out such chunks to so many workers would take more than
        `HANDING_OUT` of the process that does it: then as long as that takes, within a worker's
        share.
    """
    work = total_combinations * estimated_duration / workers
    usual = min(CHUNK_S, max(work / STEPS_PER_WORKER, SHORTEST_CHUNK_S))
    return max(usual, min(workers * hand_out_s / HANDING_OUT, work / CHUNKS_PER_WORKER))


def whole_periods(size: int, period: int) -> int:
    """A chunk size cut to whole periods, where it holds one: what a period needs once, a
    chunk that ends inside it would leave the next one to compute again.

    Parameters
    ----------
    size : int
        Combinations.
    period : int
        Combinations that share a value of the slowest parameter.

    Returns
    -------
    int
    """
    return size - size % period if size >= period else size


def ranges_to_run(done: NDArray[np.bool_], estimated_duration: float) -> list[tuple[int, int]]:
    """The pieces of a grid that are left.

    Parameters
    ----------
    done : ndarray of bool, shape (combinations,)
        What need not be run. Where it is scattered over the grid in very many places, those are
        run again that are quicker run again than left out.
    estimated_duration : float
        Seconds per backtest.

    Returns
    -------
    list of tuple of (int, int)
        First combination and the one after the last, of each piece; ascending.
    """
    pieces = gaps_in(done)
    if len(pieces) <= FEW_PIECES or not estimated_duration:
        return pieces
    return gaps_in(done, least=math.ceil(PIECE_S / estimated_duration))


def gaps_in(done: NDArray[np.bool_], *, least: int = 1) -> list[tuple[int, int]]:
    """Where something is not done, from the first place to the one after the last.

    Parameters
    ----------
    done : ndarray of bool
    least : int, optional
        Fewer neighbours than this that are done do not end a gap.

    Returns
    -------
    list of tuple of (int, int)
        Ascending.
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[True], done, [True]])))
    starts, stops = edges[::2], edges[1::2]
    if not len(starts):
        return []
    apart = starts[1:] - stops[:-1] >= least
    starts, stops = starts[np.r_[True, apart]], stops[np.r_[apart, True]]
    return list(zip(starts.tolist(), stops.tolist(), strict=True))


def chunks_in_order(
    total: int,
    size: int,
    *,
    period: int | None = None,
    ranges: Sequence[tuple[int, int]] | None = None,
) -> list[tuple[int, int]]:
    """Slices of the grid, in a fixed shuffled order.

    The speed seen so far then stands for the rest, and the predicted end holds.

    Parameters
    ----------
    total : int
        Combinations.
    size : int
        Combinations a slice at most: they are cut at its multiples.
    period : int, optional
        After so many combinations their costs look alike again: those that share a value of
        the slowest axis.
    ranges : sequence of tuple of (int, int), optional
        What is to be run, ascending; all of the grid by default.

    Returns
    -------
    list of tuple of (int, int)
        First combination and the one after the last, of each slice.
    """
    cut = [
        np.unique([start, *range(start - start % size + size, stop, size), stop])
        for start, stop in ([(0, total)] if ranges is None else ranges)
    ]
    if not cut:
        return []
    starts = np.concatenate([one[:-1] for one in cut])
    sizes = np.concatenate([np.diff(one) for one in cut])
    places = np.arange(1, len(starts) + 1)
    orders = [np.argsort(places * step % 1, kind="stable") for step in _STEPS]
    waves = _waves(starts, sizes, {total, period or total})
    best = min(orders, key=lambda order: _imbalance(waves[:, order], sizes[order]))
    return [(int(starts[i]), int(starts[i] + sizes[i])) for i in best]


def in_flight(chunks: Sequence[tuple[int, int]], workers: int) -> float:
    """What is done of slices that have not come back, on average, when one of them does.

    Parameters
    ----------
    chunks : sequence of tuple of (int, int)
        All slices.
    workers : int
        That run them; all but the one whose slice it is are at work, half way through on average.

    Returns
    -------
    float
        Combinations.
    """
    if not chunks:
        return 0.0
    mean = sum(stop - start for start, stop in chunks) / len(chunks)
    return (min(workers, len(chunks)) - 1) * mean / 2


def _waves(
    starts: NDArray[np.int64], sizes: NDArray[np.int64], periods: set[int]
) -> NDArray[np.float64]:
    """Costs to try an order on, a row each: of a slice, waves of some lengths summed over it."""
    middles = starts + sizes / 2
    rows = []
    for turns in (wave / period for period in sorted(periods) for wave in _WAVES):
        flattened = sizes * np.sinc(turns * sizes)  # A wave shorter than the slice evens out.
        angle = 2 * np.pi * turns * middles
        rows += [flattened * np.cos(angle), flattened * np.sin(angle)]
    return np.array(rows)


def _imbalance(waves: NDArray[np.float64], sizes: NDArray[np.int64]) -> float:
    """How far the mean cost of a beginning strays from the whole's, at worst, over all waves."""
    done = np.cumsum(sizes)
    judged = done >= _JUDGED_FROM * done[-1]
    strays = np.cumsum(waves, axis=1) / done - waves.sum(axis=1, keepdims=True) / done[-1]
    return float(np.linalg.norm(np.abs(strays[:, judged]).max(axis=1)))


def estimate_duration(
    run: Callable[[Sequence[tuple[int, int]]], float],
    total: int,
    *,
    slice_size: int,
    least: int,
    seed: int,
) -> float:
    """Seconds per backtest, from a seeded sample of slices spread over the grid.

    Parameters
    ----------
    run : callable
        Runs some slices, side by side where it can, and returns the seconds that each took, added
        up; compiled already. After the first it gets what seems to be missing at once.
    total : int
        Combinations of the grid.
    slice_size : int
        Combinations timed together.
    least : int
        Backtests to time at least, where the grid has as many.
    seed : int
        Where in the grid the sample begins.

    Returns
    -------
    float
        Seconds per backtest of one worker.
    """
    offset = np.random.default_rng(seed).random()
    size = min(slice_size, total)
    timed = slices = 0
    seconds = 0.0
    at_once = 1
    while True:
        places = [(offset + (slices + i) * _GOLDEN) % 1 for i in range(at_once)]
        starts = [int(place * (total - size + 1)) for place in places]
        seconds += run([(start, start + size) for start in starts])
        timed += size * at_once
        slices += at_once
        enough = timed >= least and slices >= LEAST_SLICES and seconds >= SAMPLE_S
        if enough or timed >= total or (timed >= least and seconds >= 1.0):
            return seconds / timed
        wanted = max(least - timed, size * (LEAST_SLICES - slices), 1)
        if seconds:
            wanted = max(wanted, math.ceil((SAMPLE_S - seconds) * timed / seconds))
        # Of a small grid no more than there is: what takes long in it would take long again.
        at_once = min(-(-min(wanted, total - timed) // size), _MORE_AT_ONCE * slices)


def without(chunks: Iterable[tuple[int, int]], numbers: Collection[int]) -> list[tuple[int, int]]:
    """Slices of the grid without some combinations: those they are in are cut up around them."""
    if not numbers:
        return list(chunks)
    left = []
    for start, stop in chunks:
        for number in sorted(number for number in numbers if start <= number < stop):
            if start < number:
                left.append((start, number))
            start = number + 1
        if start < stop:
            left.append((start, stop))
    return left


def time_limit(
    timeout: float, estimated_duration: float
) -> Callable[[tuple[int, int], bool], float]:
    """How long a slice may take before it is cut up; a single combination, before it has failed.

    Parameters
    ----------
    timeout : float
        Seconds that a single combination may take.
    estimated_duration : float
        Seconds per backtest; 0 where that is not known yet.

    Returns
    -------
    callable
        Of a slice, and whether it is a piece of one that took too long; returns seconds.
    """

    def limit(chunk: tuple[int, int], suspect: bool) -> float:
        start, stop = chunk
        if stop - start == 1:
            return timeout
        least = min(timeout, SUSPECT_S) if suspect else timeout
        return max(least, MOST_TIMES_ESTIMATE * estimated_duration * (stop - start))

    return limit
