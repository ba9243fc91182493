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


@intrinsic
def keep(typing_context: Any, mask: Any, value: Any) -> Any:
    """The value where all bits of the mask are set, 0.0 where none is.

    What `select` says with a condition, but the compiler cannot know that a mask is one; so it
    never turns a store of the outcome into a store under a mask, which AMD's processors take some
    20 cycles for.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        bits = builder.bitcast(arguments[1], arguments[0].type)
        return builder.bitcast(builder.and_(bits, arguments[0]), arguments[1].type)

    return types.float64(types.int64, types.float64), generate


@intrinsic
def merge(typing_context: Any, mask: Any, yes: Any, no: Any) -> Any:
    """`yes` where all bits of the mask are set, `no` where none is; see `keep`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        mask, yes, no = arguments
        yes_bits, no_bits = builder.bitcast(yes, mask.type), builder.bitcast(no, mask.type)
        chosen = builder.or_(
            builder.and_(yes_bits, mask), builder.and_(no_bits, builder.not_(mask))
        )
        return builder.bitcast(chosen, yes.type)

    return types.float64(types.int64, types.float64, types.float64), generate
