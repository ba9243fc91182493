"""What to write in place of code that cannot be compiled, for the refusals that are most common."""

from __future__ import annotations

import re

#: By what the refusal says, and what it says it of; the first that fits is told.
_INSTEAD = (
    (r"is an order", r"", "orders cannot be kept: ask self.orders again on each bar, as in "
     "`for order in self.orders: order.cancel()`"),
    (r"is a trade", r"", "trades cannot be kept under a name: ask self.trades again where one is "
     "needed, as in `if self.trades: self.trades[0].close()`"),
    (r"is text or a date", r"_time", "count bars in place of times, as in "
     "`len(self.data) - self.trades[-1].entry_bar`"),
    (r"is text or a date", r"", "compare numbers: of a date its .hour, .weekday() or .day"),
    (r"slice with a step", r"", "take all of it, or a loop with a condition"),
    (r"^NamedExpr", r"", "assign on a line of its own, before it is used"),
    (r"^Match", r"", "write if and elif"),
    (r"^With", r"", "read files in init, and keep what they hold in an attribute"),
    (r"over a set", r"", "loop over a tuple or a list"),
    (r"(eval|exec)\(\)", r"", "write out what it evaluates"),
    (r"has no translation", r"^(np\.)?random|rand", "draw in init with a seed, and keep it as an "
     "indicator: self.I"),
    (r"'(time|datetime|date)' is not known", r"", "ask the bar for its time: self.data.index[-1]"),
    (r"^ClassDef", r"", "define it at the top of the file, and make it in init"),
    (r"^(Global|Nonlocal)", r"", "keep it in an attribute of self, set in init"),
    (r"^sort\(\) of a list", r"", "assign sorted(…) of it"),
    (r"taken apart", r"", "name each part: first = values[0]"),
    (r"assignment to a place", r"", "keep it in attributes of self, or in one dictionary or list"),
    (r"^del of", r"", "set it to another value"),
    (r"no attribute", r"", "set it in init"),
    (r"is not known here", r"", "import or define it at the top of the strategy's file"),
    (r"has no translation", r"", "if it depends on prices alone, compute it in init as an "
     "indicator: self.I"),
)  # fmt: skip


def instead_of(code: str, why: str) -> str:
    """What to write in place of some code.

    Parameters
    ----------
    code : str
        What is refused.
    why : str
        Why.

    Returns
    -------
    str
        Empty where nothing is known.
    """
    for reason, what, instead in _INSTEAD:
        if re.search(reason, why) and re.search(what, code):
            return instead
    return ""
