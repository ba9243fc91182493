"""Logarithms of numbers close to one, without the library's function."""

from __future__ import annotations

import math

from bigbar.compiled.jit import compiled_inner

#: Up to this the area hyperbolic tangent's series is exact to a few last bits with five terms.
SERIES_LIMIT = 0.01


@compiled_inner
def log_ratio(new, old):  # type: ignore[no-untyped-def]
    """Logarithm of new / old, by the series of the area hyperbolic tangent where that is exact."""
    z = (new - old) / (new + old)
    if abs(z) > SERIES_LIMIT:
        return math.log(new / old)
    return log_series(z)


@compiled_inner
def log_series(z):  # type: ignore[no-untyped-def]
    """Logarithm of (1 + z) / (1 - z) for |z| up to `SERIES_LIMIT`."""
    s = z * z
    return 2.0 * z * (1.0 + s * (1 / 3 + s * (1 / 5 + s * (1 / 7 + s * (1 / 9)))))
