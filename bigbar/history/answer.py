"""What a command answers, for a person and for machines."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from bigbar.printable import printable
from bigbar.units import json_values


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
            return json.dumps(json_values(self.values), indent=2, allow_nan=False)
        return printable(self.text)
