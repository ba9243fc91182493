"""What a command answers, for a person and for machines."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bigbar.quantities import json_number


@dataclass(frozen=True)
class Answer:
    """What a command answers.

    Attributes
    ----------
    text : str
        For a person; without a line break at its end.
    told : Any
        The same for machines: dicts, lists, texts and numbers.
    code : int
        The exit code.
    """

    text: str
    told: Any
    code: int = 0

    def printed(self, *, as_json: bool) -> str:
        """What goes to standard output."""
        if as_json:
            return json.dumps(_plain(self.told), indent=2, allow_nan=False)
        return printable(self.text)


#: Control characters but the line break, and what turns the direction of writing around.
_UNPRINTABLE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    r"""A text with control characters written out, `\x1b` for an escape.

    What is stored may come from anybody; it is not to steer the terminal.
    """
    return _UNPRINTABLE.sub(lambda found: ascii(found[0])[1:-1], text)


def _plain(value: Any) -> Any:
    """Only what JSON holds."""
    if isinstance(value, float):
        return json_number(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    return value
