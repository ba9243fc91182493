"""Code of a number where it is kept, handed on or made one of several."""

from __future__ import annotations

from bigbar.compiled.translate.values import MOST_WHOLE, Number, Type

#: What a name begins with that may not be bound.
ZERO: dict[str, str] = {
    "bool": "False", "int": "0", "float": "0.0", "symbol": "0.0", "time": "0", "span": "0",
}  # fmt: skip


def fitting(number: Number) -> str:
    """Code of a number that is kept: of a whole one that is too large to be kept an error."""
    if number.type == "int" and number.most > MOST_WHOLE:
        return f"fits(n, {number.code})"
    return number.code


def as_float(number: Number) -> str:
    """Code of a number as a float."""
    return f"float(int({number.code}))" if number.type == "bool" else f"float({number.code})"


def cast(number: Number, type_: Type) -> str:
    """Code of a number as one type for all places where a name is assigned."""
    if type_ == "float":
        return as_float(number)
    return f"int({fitting(number)})" if type_ == "int" else number.code
