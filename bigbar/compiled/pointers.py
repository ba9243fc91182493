"""Calling a function by its address, with arrays that stay the same from call to call.

numba passes an array as seven numbers or more; for a strategy's `next` on every bar that would take
longer than most of what it does. So the arrays are put in one place once, and each call passes
where that is.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic


@intrinsic
def address_of(typing_context: Any, arrays: Any) -> Any:
    """Where a tuple of arrays is kept until the function that calls this returns."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = cgutils.alloca_once_value(builder, arguments[0])
        return builder.ptrtoint(place, ir.IntType(64))

    return types.int64(arrays), generate


@intrinsic
def call_at(typing_context: Any, function: Any, place: Any, i: Any) -> Any:
    """Call a compiled `function(place, i)` of two int64 by its address.

    What it raises is raised here.
    """
    given = (types.int64, types.int64)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        form = context.call_conv.get_function_type(types.void, given)
        pointer = builder.inttoptr(arguments[0], form.as_pointer())
        status, _ = context.call_conv.call_function(
            builder, pointer, types.void, given, arguments[1:]
        )
        with cgutils.if_unlikely(builder, status.is_error):
            context.call_conv.return_status_propagate(builder, status)
        return context.get_dummy_value()

    return types.void(types.int64, *given), generate


def arrays_at(kind: types.BaseTuple) -> Any:
    """A compiled function from the place of arrays to the arrays.

    Parameters
    ----------
    kind : numba.types.BaseTuple
        Type of the tuple that `address_of` was given.
    """

    @intrinsic
    def load(typing_context: Any, place: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            form = context.get_value_type(kind)
            return builder.load(builder.inttoptr(arguments[0], form.as_pointer()))

        return kind(types.int64), generate

    return load
