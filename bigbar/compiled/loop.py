"""A strategy's bars one by one: `Backtest.run` from the first bar on which `next` runs.

`next_` is the strategy's compiled `next`, with the signature `NEXT_SIGNATURE`:

    next_(f, n, M, I, P, S, T, Ti, i)

f, n, T, Ti
    State of the broker, see `bigbar.compiled.broker.state`.
M : ndarray of float, shape (at least 5, bars)
    Open, High, Low, Close, Volume, and further columns of the data.
I : ndarray of float, shape (indicators, bars)
P : ndarray of float
    Parameters.
S : ndarray of float
    The strategy's own state.
i : int
    The bar.

Arrays are contiguous; M, I and P may be read-only. An error leaves its code in `n[ERR]`.

Equity is kept as segments: rows `(from_bar, cash, size, put_in)`, each up to the next one's bar. At
every bar of a segment equity is `cash + (close * size - put_in)`, to the bit; before the first
segment it is that of its first bar, as `Backtest.run` fills it in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numba import types

from bigbar.compiled.broker.fills import broker_next, close_all
from bigbar.compiled.broker.state import BAR, CASH, ERR, NSEG, PINV, PSIZE
from bigbar.compiled.jit import (
    compiled_entry,
    compiled_inner,
    compiled_made,
    compiled_part,
    compiled_within,
)
from bigbar.compiled.pointers import address_of, arrays_at, call_at

# Columns of the segments.
FROM, SEGCASH, SEGSIZE, SEGPUT = range(4)
SEGCOLUMNS = 4

# Types of arrays; those that are given may be read-only.
FLOATS = types.Array(types.float64, 1, "C")
INTS = types.Array(types.int64, 1, "C")
TABLE = types.Array(types.float64, 2, "C")
INT_TABLE = types.Array(types.int64, 2, "C")
GIVEN = types.Array(types.float64, 1, "C", readonly=True)
GIVEN_TABLE = types.Array(types.float64, 2, "C", readonly=True)

NEXT_SIGNATURE = types.void(
    FLOATS, INTS, GIVEN_TABLE, GIVEN_TABLE, GIVEN, FLOATS, TABLE, INT_TABLE, types.int64
)

#: What the loop that leaves bars out reads, but for the bar to begin with: first all that is said
#: in `run`, then `flat` and `inside` from `bigbar.compiled.hop.list_marked`; `tops` and `bottoms`,
#: `bigbar.compiled.ahead.extremes` of the highs and of the lows; the lowest and the highest close.
LOOP = types.Tuple(
    (
        types.int64, FLOATS, INTS, GIVEN_TABLE, GIVEN_TABLE, GIVEN, FLOATS, TABLE, INT_TABLE,
        TABLE, types.int64, types.boolean, INTS, INTS, FLOATS, FLOATS, types.float64, types.float64,
    )
)  # fmt: skip
loop_at = arrays_at(LOOP)

_PLACED_SIGNATURE = types.void(types.int64, types.int64)
_arrays_at = arrays_at(types.Tuple(NEXT_SIGNATURE.args[:-1]))
_marked_at = arrays_at(
    types.Tuple((INTS, GIVEN_TABLE, GIVEN_TABLE, GIVEN, INTS, types.Array(types.uint8, 1, "C")))
)


@compiled_inner
def note_equity(f, n, segments, bar, cash, size, put_in):  # type: ignore[no-untyped-def]
    """Begin a segment at a bar where equity is made of other numbers than before."""
    k = n[NSEG]
    if k > 0:
        last = segments[k - 1]
        if last[SEGCASH] == cash and last[SEGSIZE] == size and last[SEGPUT] == put_in:
            return
        if last[FROM] == bar:
            k -= 1
    segments[k, FROM], segments[k, SEGCASH] = bar, cash
    segments[k, SEGSIZE], segments[k, SEGPUT] = size, put_in
    n[NSEG] = k + 1


@compiled_within
def broker_first(f, n, M, T, Ti, segments, step, stop):  # type: ignore[no-untyped-def]
    """What the broker does on a bar before `next`; whether there is anything left to go on with.

    The step after the last bar is that bar once more, where trades are finalized.
    """
    bar = min(step, stop - 1)
    n[BAR] = bar
    if step == stop:
        close_all(f, n, T, Ti)
    if not broker_next(f, n, M, T, Ti):
        if not n[ERR]:
            note_equity(f, n, segments, bar, 0.0, 0.0, 0.0)
        return False
    note_equity(f, n, segments, bar, f[CASH], f[PSIZE], f[PINV])
    return True


def _loop_with(act: Any) -> Callable[..., None]:
    """The loop, with `act` for `next`."""

    def loop(  # type: ignore[no-untyped-def]
        pointer, f, n, M, I, P, S, T, Ti, segments, start, stop, finalize_trades  # noqa: E741
    ):  # fmt: skip
        if start >= stop:
            note_equity(f, n, segments, 0, f[CASH], 0.0, 0.0)
            return
        place = address_of((f, n, M, I, P, S, T, Ti))
        for step in range(start, stop + finalize_trades):
            if not broker_first(f, n, M, T, Ti, segments, step, stop):
                return
            if step < stop:
                act(pointer, place, f, n, M, I, P, S, T, Ti, step)
                if n[ERR]:
                    return

    return loop


@compiled_inner
def _by_pointer(pointer, place, f, n, M, I, P, S, T, Ti, bar):  # type: ignore[no-untyped-def]  # noqa: E741
    call_at(pointer, place, bar)


#: Run a strategy by the pointer of its `compiled_next`. Compiled once for all of them:
#: `run(pointer, f, n, M, I, P, S, T, Ti, segments, start, stop, finalize_trades)`.
#:
#: segments : ndarray of float, shape (bars, SEGCOLUMNS)
#:     Written: `n[NSEG]` rows.
#: start, stop : int
#:     The first bar on which `next` runs, and the one after the last.
#: finalize_trades : bool
#:
#: The others as for `next`; `bigbar.compiled.broker.state.reset` comes first. Afterwards trades and
#: segments are there, unless `n[ERR]` is set.
run = compiled_entry(_loop_with(_by_pointer))


@dataclass(frozen=True)
class ByPointer:
    """A compiled function that is called by its address.

    Attributes
    ----------
    pointer : int
        As long as this object is there.
    """

    pointer: int
    _function: Any


def compiled_next(function: Callable[..., None], sources: str) -> ByPointer:
    """Compile a strategy's `next`, keeping the machine code between runs.

    Parameters
    ----------
    function : callable
        With the arguments of `NEXT_SIGNATURE`; it makes no arrays.
    sources : str
        A digest of the function's source, and of the sources of all that it calls outside of this
        package: by that, and by the function's name, the machine code is kept.
    """
    inner = compiled_part(function)

    def next_at(place, i):  # type: ignore[no-untyped-def]
        f, n, M, I, P, S, T, Ti = _arrays_at(place)  # noqa: E741
        inner(f, n, M, I, P, S, T, Ti, i)

    return by_its_address(next_at, _name_of(function, sources))


def compiled_marks(function: Callable[..., None], sources: str) -> ByPointer:
    """Compile what marks a strategy's bars, for `bigbar.compiled.many.mark`.

    Parameters
    ----------
    function : callable
        `marks(n, M, I, P, errors, marked, start, stop)`
    sources
        See `compiled_next`.
    """
    inner = compiled_part(function)

    def marks_at(place, start):  # type: ignore[no-untyped-def]
        n, M, I, P, errors, marked = _marked_at(place)  # noqa: E741
        inner(n, M, I, P, errors, marked, start, len(marked))

    return by_its_address(marks_at, f"{_name_of(function, sources)}.marks")


def by_its_address(function: Callable[..., None], name: str) -> ByPointer:
    """Compile a `function(place, i)` of two int64 for `bigbar.compiled.pointers.call_at`.

    Parameters
    ----------
    function, name
        See `bigbar.compiled.jit.compiled_made`.
    """
    made: Any = compiled_made(function, name)
    made.compile(_PLACED_SIGNATURE)
    result = made.overloads[_PLACED_SIGNATURE.args]
    pointer = result.library.get_pointer_to_function(result.fndesc.llvm_func_name)
    return ByPointer(pointer, made)


def inlined_run(function: Callable[..., None], sources: str) -> Callable[..., None]:
    """`run` with a strategy's `next` made part of it.

    It takes the same arguments, and does not look at the pointer. Compiling it takes a second, for
    each strategy anew; worth it where a nanosecond or two a bar are.

    Parameters
    ----------
    function, sources
        See `compiled_next`.
    """
    inner = compiled_part(function)

    def act(pointer, place, f, n, M, I, P, S, T, Ti, bar):  # type: ignore[no-untyped-def]  # noqa: E741
        inner(f, n, M, I, P, S, T, Ti, bar)

    return compiled_made(_loop_with(compiled_part(act)), _name_of(function, sources))


def _name_of(function: Callable[..., None], sources: str) -> str:
    line = function.__code__.co_firstlineno
    return f"{sources}.{function.__module__}.{function.__qualname__}:{line}"


@compiled_entry
def fill_equity(out, segments, count, close):  # type: ignore[no-untyped-def]
    """Equity at each bar, as `Backtest.run` has it.

    Parameters
    ----------
    out : ndarray of float, shape (bars,)
        Written.
    segments : ndarray of float
        From `run`.
    count : int
        How many of them: `n[NSEG]`.
    close : ndarray of float, shape (bars,)
    """
    for k in range(count):
        begin, cash, size, put_in = segments[k]
        first = int(begin)
        end = int(segments[k + 1, FROM]) if k + 1 < count else len(out)
        for i in range(first, end):
            out[i] = cash + (close[i] * size - put_in)
    first = int(segments[0, FROM])
    out[:first] = out[first]
