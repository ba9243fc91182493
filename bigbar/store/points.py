"""Points and account of a run as JSON holds them, to the last bit and with their types."""

from __future__ import annotations

import base64
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bigbar.account import Account
from bigbar.by_value import ByValue
from bigbar.parameter import Parameter
from bigbar.space import MOST_POINTS, Space
from bigbar.store.strategy_code import function_code

#: Below one point kept of so many, steps take less room than a bit a point.
_BITS_A_STEP = 64


class FunctionNotStored(ValueError):
    """A part of a stored run was a function, of which only the digest is known."""


def account_parts(account: Account) -> tuple[dict[str, Any], str | None]:
    """Money, costs and fills, exactly; a commission that is a function by its code.

    Returns
    -------
    parts : dict
    problem : str or None
        Why no other account has the same, for a person: of a function that cannot be followed.
    """
    parts: dict[str, Any] = dict(account.options)
    parts |= {name: float(parts[name]) for name in ("cash", "spread", "margin")}
    if not isinstance(account.commission, ByValue):
        return parts | {"commission": list(account.commission_parts)}, None
    code = function_code(account.commission.function)
    return parts | {"commission": {"function": code.parts}}, code.problem


def account_of(parts: dict[str, Any]) -> Account:
    """The account of an identity's parts.

    Raises
    ------
    FunctionNotStored
        If its commission was a function.
    bigbar.errors.SettingsError, KeyError, TypeError, ValueError
        If they hold none that could be made again.
    """
    found = dict(parts["account"])
    if isinstance(found["commission"], dict):
        raise FunctionNotStored("its commission was a function, which is not stored")
    fixed, relative = found["commission"]
    return Account(**{**found, "commission": (fixed, relative) if fixed else relative})


def grid_parts(
    space: Space,
    search: Mapping[str, Any] | None = None,
    rule: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The points of a space, exactly: parameters in order, their values, and which are kept.

    Of a sample also that it is one; of points that a search asked for, in their order, which one.
    Of a grid of which a part is kept, by what rule, and which points it has; those that are kept
    are known at its end.
    """
    sample: dict[str, Any] = {"is_sample": True} if space.is_sample else {}
    if search is not None:
        sample["search"] = dict(search)
    kept, product = space.kept, space.product
    if rule is not None:
        points = None if kept is None else kept_parts(kept, product, in_order=True)
        sample |= {"is_sample": True, "keep": dict(rule), "tried": points}
        kept = np.empty(0, np.int64)
        search = rule
    return sample | {
        "order": list(space.names),
        "values": {
            each.name: [encoded(value) for value in each.values] for each in space.parameters
        },
        "kept": None if kept is None else kept_parts(kept, product, in_order=search is None),
    }


def kept_parts(kept: NDArray[np.int64], product: int, *, in_order: bool) -> str | dict[str, Any]:
    """A bit a point of the product; the steps from one to the next where few of them are kept, or
    a search put them in an order of its own."""
    if len(kept) * _BITS_A_STEP < product or not in_order:
        return {"count": len(kept), "steps": _text_of(np.diff(kept, prepend=0).astype("<i8"))}
    bits = np.zeros(product, np.bool_)
    bits[kept] = True
    return _text_of(np.packbits(bits))


def _text_of(values: NDArray[Any]) -> str:
    return base64.b64encode(zlib.compress(values.tobytes(), 9)).decode("ascii")


def _bytes_of(text: str, length: int) -> bytes:
    """What `_text_of` was given, if it has this many bytes; no more of it is unpacked."""
    raw = zlib.decompressobj().decompress(base64.b64decode(text, validate=True), length + 1)
    if len(raw) != length:
        raise ValueError(f"it has not {length:,} bytes")
    return raw


def _unpacked(held: Any, space: Space, *, is_search: bool) -> NDArray[np.int64]:
    """What `kept_parts` was given."""
    if isinstance(held, dict):
        count = held["count"]
        if type(count) is not int or not 0 <= count <= min(space.product, MOST_POINTS):
            raise ValueError("no number of points")
        if not (count or is_search):
            raise ValueError("not one of them")
        steps = np.frombuffer(_bytes_of(held["steps"], 8 * count), "<i8").astype(np.int64)
        if is_search:
            return _asked(steps, space.product)
        if steps[0] < 0 or (steps[1:] <= 0).any() or sum(steps.tolist()) >= space.product:
            raise ValueError("no ascending numbers of points")
        return np.cumsum(steps)
    space.check_size()
    raw = _bytes_of(held, -(-space.product // 8))
    kept = np.flatnonzero(np.unpackbits(np.frombuffer(raw, np.uint8), count=space.product))
    if not len(kept):
        raise ValueError("not one of them")
    return kept


def _asked(steps: NDArray[np.int64], product: int) -> NDArray[np.int64]:
    """Points in the order of asking, from the steps from one to the next."""
    kept = np.cumsum(steps)
    if len(kept) and (kept.min() < 0 or kept.max() >= product):
        raise ValueError("numbers of points that there are not")
    if len(np.unique(kept)) < len(kept):
        raise ValueError("a point twice")
    return kept


def grid_of(parts: dict[str, Any]) -> Space:
    """The points of an identity's parts.

    Raises
    ------
    bigbar.errors.SettingsError, ValueError
        If they hold none that could be made again.
    """
    found = parts.get("grid")
    names = {"order", "values", "kept"}
    beside = {"is_sample", "search", "keep", "tried"}
    if not isinstance(found, dict) or set(found) - beside != names:
        raise ValueError("no parameters of a grid")
    is_sample, is_search = bool(found.get("is_sample")), "search" in found or "keep" in found
    order, values, kept = found["order"], found["values"], found["kept"]
    if not isinstance(order, list) or not isinstance(values, dict) or set(order) != set(values):
        raise ValueError("no parameters of a grid")
    if not all(isinstance(listed, list) for listed in values.values()):
        raise ValueError("no values of a parameter")
    space = Space([Parameter(name, tuple(map(decoded, values[name]))) for name in order])
    if kept is None:
        return space
    try:
        numbers = _unpacked(kept, space, is_search=is_search)
        tried = int(found["keep"]["combinations"]) if "keep" in found else None
        return Space(space.parameters, numbers, is_sample=is_sample, tried=tried)
    except (KeyError, TypeError, ValueError, zlib.error) as problem:
        raise ValueError(f"no points of a grid ({problem})") from problem


def tried_of(parts: dict[str, Any]) -> Space:
    """The points of an identity's parts that were tried, where only some of them are kept.

    Raises
    ------
    bigbar.errors.SettingsError, ValueError
        As `grid_of`.
    """
    grid = dict(parts["grid"])
    if grid.pop("keep", None) is None:
        return grid_of(parts)
    return grid_of(parts | {"grid": grid | {"kept": grid.pop("tried")}})


def encoded(value: Any) -> Any:
    """A parameter's value as JSON holds it, its type with it.

    What JSON has no word for goes by its type and text: two of these are equal where they read
    equal, and none can be made again.
    """
    if value is None or type(value) in (bool, int, str):
        return value
    if type(value) is float and math.isfinite(value):
        return value
    if isinstance(value, np.generic) and value.dtype.kind in "biuf":
        return {"numpy": value.dtype.name, "value": repr(value.item())}
    if type(value) is float:
        return {"float": repr(value)}
    return {"type": f"{type(value).__module__}.{type(value).__qualname__}", "text": repr(value)}


def decoded(held: Any) -> Any:
    """What `encoded` was given.

    Raises
    ------
    ValueError
        If it cannot be made again.
    """
    if not isinstance(held, dict):
        if held is None or type(held) in (bool, int, float, str):
            return held
        raise ValueError("no values of a parameter")
    if set(held) == {"float"} and held["float"] in ("nan", "inf", "-inf"):
        return float(held["float"])
    if set(held) == {"numpy", "value"} and held["numpy"] in _NUMPY_TYPES:
        kind = np.dtype(held["numpy"]).type
        text = str(held["value"])
        return kind(text == "True" if held["numpy"] == "bool" else _number(text))
    return Unmade(str(held.get("text")))


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        return float(text)


@dataclass(frozen=True)
class Unmade:
    """A value of a stored run that only its text is known of."""

    text: str

    def __str__(self) -> str:
        return self.text


_NUMPY_TYPES = frozenset(
    {"bool", *(f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)),
     "float16", "float32", "float64"}
)  # fmt: skip
