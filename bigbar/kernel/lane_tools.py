"""What keeps loops over lanes vectorizable."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic

#: An index cast to this is not checked for counting from the end, and the loop is vectorized.
unsigned = np.uint64


@intrinsic
def select(typing_context: Any, condition: Any, yes: Any, no: Any) -> Any:
    """`yes if condition else no`, both evaluated, as one instruction of the processor.

    The conditional expression becomes a branch first, and where a store follows, the compiler
    stores under a mask; reading that back for the next candidate has to wait for the cache. (The
    processor's back end does the same to a plain store of `select(condition, new, old)`, so the
    loops take a maximum, minimum or sum with a neutral value instead.)
    """
    if not isinstance(condition, types.Boolean) or yes != no:
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.select(*arguments)

    return yes(condition, yes, no), generate
