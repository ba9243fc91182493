"""What a command answers, for a person and for machines."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bigbar.printable import printable
from bigbar.units import json_number


@dataclass(frozen=True)
class Answer:
    """What a command answers.

    Attributes
    ----------
    text : str
        For a person; without a line break at its end.
    values : Any
        The same for machines: dicts, lists, texts and numbers.
    code : int
        The exit code.
    """

    text: str
    values: Any
    code: int = 0

    def printed(self, *, as_json: bool) -> str:
        """What goes to standard output."""
        if as_json:
            return json.dumps(_plain(self.values), indent=2, allow_nan=False)
        return printable(self.text)


def _plain(value: Any) -> Any:
    """Only what JSON holds."""
    if isinstance(value, float):
        return json_number(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    return value
