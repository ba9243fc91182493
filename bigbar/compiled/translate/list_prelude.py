"""What translated code calls for lists of numbers, which are kept in `S`.

A list is known by the place of its length; its numbers stand behind that. Where there is no room,
or Python would raise, `n[ERR]` is set, and the combination is run by `backtesting.py`.
"""

from __future__ import annotations

import math

from bigbar.compiled.broker.state import E_CAP, E_INDEX, E_VALUE, ERR
from bigbar.compiled.jit import compiled_inner
from bigbar.compiled.translate.kinds import ROOM

#: What a program finds here.
__all__ = [
    "list_append", "list_copy", "list_extend", "list_insert", "list_max", "list_mean",
    "list_min", "list_pop", "list_remove", "list_std", "list_sum", "listed", "numpy_sum",
]  # fmt: skip

#: NumPy halves what is longer.
_BLOCK = 128


@compiled_inner
def list_copy(S, place, start, count):  # type: ignore[no-untyped-def]
    """Make a list of these numbers, which may be a part of it."""
    for k in range(count):
        S[place + 1 + k] = S[start + k]
    S[place] = count


@compiled_inner
def list_append(n, S, place, x):  # type: ignore[no-untyped-def]
    """`numbers.append(x)`."""
    count = int(S[place])
    if count >= ROOM:
        n[ERR] = E_CAP
        return
    S[place + 1 + count] = x
    S[place] = count + 1


@compiled_inner
def list_extend(n, S, place, start, count):  # type: ignore[no-untyped-def]
    """`numbers.extend(others)`."""
    for k in range(count):
        list_append(n, S, place, S[start + k])


@compiled_inner
def list_insert(n, S, place, k, x):  # type: ignore[no-untyped-def]
    """`numbers.insert(k, x)`."""
    count = int(S[place])
    if count >= ROOM:
        n[ERR] = E_CAP
        return
    at = k + count if k < 0 else k
    at = min(max(at, 0), count)
    for j in range(count, at, -1):
        S[place + 1 + j] = S[place + j]
    S[place + 1 + at] = x
    S[place] = count + 1


@compiled_inner
def list_pop(n, S, place, k):  # type: ignore[no-untyped-def]
    """`numbers.pop(k)`."""
    count = int(S[place])
    at = k + count if k < 0 else k
    if at < 0 or at >= count:
        n[ERR] = E_INDEX
        return 0.0
    found = S[place + 1 + at]
    for j in range(at, count - 1):
        S[place + 1 + j] = S[place + 2 + j]
    S[place] = count - 1
    return found


@compiled_inner
def list_remove(n, S, place, x):  # type: ignore[no-untyped-def]
    """`numbers.remove(x)`."""
    for k in range(int(S[place])):
        if S[place + 1 + k] == x:
            list_pop(n, S, place, k)
            return
    n[ERR] = E_VALUE


@compiled_inner
def listed(n, S, start, count, x):  # type: ignore[no-untyped-def]
    """`x in numbers`; NaN may be there as the same object, which only Python knows."""
    if x != x:
        n[ERR] = E_VALUE
    found = False
    for k in range(count):
        found = found or S[start + k] == x
    return found


@compiled_inner
def list_min(n, S, start, count):  # type: ignore[no-untyped-def]
    """`min(numbers)`."""
    if count <= 0:
        n[ERR] = E_VALUE
        return 0.0
    found = S[start]
    for k in range(1, count):
        if S[start + k] < found:
            found = S[start + k]
    return found


@compiled_inner
def list_max(n, S, start, count):  # type: ignore[no-untyped-def]
    """`max(numbers)`."""
    if count <= 0:
        n[ERR] = E_VALUE
        return 0.0
    found = S[start]
    for k in range(1, count):
        if S[start + k] > found:
            found = S[start + k]
    return found


@compiled_inner
def list_sum(S, start, count):  # type: ignore[no-untyped-def]
    """`sum(numbers)`, one after the other."""
    total = 0.0
    for k in range(count):
        total += S[start + k]
    return total


@compiled_inner
def _value(S, k, mean, squared):  # type: ignore[no-untyped-def]
    x = S[k] - mean
    return x * x if squared else S[k]


@compiled_inner
def _block_sum(S, start, count, mean, squared):  # type: ignore[no-untyped-def]
    if count < 8:
        total = 0.0
        for k in range(count):
            total += _value(S, start + k, mean, squared)
        return total
    a = _value(S, start, mean, squared)
    b = _value(S, start + 1, mean, squared)
    c = _value(S, start + 2, mean, squared)
    d = _value(S, start + 3, mean, squared)
    e = _value(S, start + 4, mean, squared)
    f = _value(S, start + 5, mean, squared)
    g = _value(S, start + 6, mean, squared)
    h = _value(S, start + 7, mean, squared)
    whole = count - count % 8
    for k in range(start + 8, start + whole, 8):
        a += _value(S, k, mean, squared)
        b += _value(S, k + 1, mean, squared)
        c += _value(S, k + 2, mean, squared)
        d += _value(S, k + 3, mean, squared)
        e += _value(S, k + 4, mean, squared)
        f += _value(S, k + 5, mean, squared)
        g += _value(S, k + 6, mean, squared)
        h += _value(S, k + 7, mean, squared)
    total = ((a + b) + (c + d)) + ((e + f) + (g + h))
    for k in range(start + whole, start + count):
        total += _value(S, k, mean, squared)
    return total


@compiled_inner
def _half(count):  # type: ignore[no-untyped-def]
    return count // 2 - count // 2 % 8


@compiled_inner
def _later_sum(S, start, count, mean, squared):  # type: ignore[no-untyped-def]
    if count <= _BLOCK:
        return _block_sum(S, start, count, mean, squared)
    half = _half(count)
    return _block_sum(S, start, half, mean, squared) + _block_sum(
        S, start + half, count - half, mean, squared
    )


@compiled_inner
def numpy_sum(S, start, count, mean, squared):  # type: ignore[no-untyped-def]
    """Sum of up to 256 numbers in NumPy's order; of the squared distances from a mean."""
    if count <= _BLOCK:
        return _block_sum(S, start, count, mean, squared)
    half = _half(count)
    return _block_sum(S, start, half, mean, squared) + _later_sum(
        S, start + half, count - half, mean, squared
    )


@compiled_inner
def list_mean(n, S, start, count):  # type: ignore[no-untyped-def]
    """`np.mean(numbers)`."""
    if count <= 0:
        n[ERR] = E_VALUE
        return 0.0
    return numpy_sum(S, start, count, 0.0, False) / count


@compiled_inner
def list_std(n, S, start, count):  # type: ignore[no-untyped-def]
    """`np.std(numbers)`."""
    mean = list_mean(n, S, start, count)
    if count <= 0:
        return mean
    return math.sqrt(numpy_sum(S, start, count, mean, True) / count)
