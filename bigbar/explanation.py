"""What of a strategy is compiled, line by line, and what is in the way."""

from __future__ import annotations

import argparse
import inspect
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bigbar.causes import cause_in
from bigbar.command_line import Parser
from bigbar.data.read import read_bars
from bigbar.errors import BigBarError, SettingsError
from bigbar.instead import instead_of
from bigbar.paragraphs import paragraph
from bigbar.printable import one_line, printable
from bigbar.streams import Listened, any_encoding, let_go, open_missing_streams, say
from bigbar.user_code import checked_class, load_class
from bigbar.without_charts import import_backtesting

if TYPE_CHECKING:
    from backtesting import Strategy

    from bigbar.compiled.translate.refusal import Refusal

#: Made bars that a strategy is looked at with where none are given.
_MADE_BARS = 2000

#: Narrower than that no reason is broken, however narrow the terminal is.
_LEAST_ROOM = 60

#: What a line of code may be.
COMPILED, HOISTED, IN_THE_WAY = "compiled", "once a bar", "in the way"


@dataclass(frozen=True)
class ExplainedLine:
    """A line of `next`, or of what it calls.

    Attributes
    ----------
    file : str
    line : int
    code : str
    what : str
        "compiled", "once a bar" (Python evaluates a part of it once for each bar, for all
        combinations) or "in the way"; empty for a comment or a blank line.
    why : str
        Why it is in the way, and what to write instead.
    """

    file: str
    line: int
    code: str
    what: str
    why: str = ""


@dataclass(frozen=True)
class Explanation:
    """What of a strategy is compiled.

    Attributes
    ----------
    title : str
    lines : tuple of ExplainedLine
    reason : str
        Why it cannot be compiled, beginning with `file:line:`; empty where it can.
    hops : bool
        Whether bars on which nothing can happen are left out.
    """

    title: str
    lines: tuple[ExplainedLine, ...]
    reason: str
    hops: bool

    @property
    def compiles(self) -> bool:
        """Whether the whole of it does."""
        return not self.reason

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        if not self.compiles:
            head = f"{self.title} cannot be compiled; backtesting.py runs it"
        else:
            head = f"{self.title} compiles" + (
                "; bars on which nothing can happen are left out" if self.hops else ""
            )
        room = max(_LEAST_ROOM, shutil.get_terminal_size().columns)
        width = max((len(str(one.line)) for one in self.lines), default=1)
        told = [head]
        for one in self.lines:
            told.append(f"{one.line:>{width}}  {one.what:<10}  {one.code}".rstrip())
            if one.why:
                # Below where the code begins.
                before = " " * (width + 14 + len(one.code) - len(one.code.lstrip()))
                told.append(paragraph(one.why, room, first=f"{before}^ ", indent=f"{before}  "))
        if self.reason and not any(one.why for one in self.lines):
            told.append(self.reason)
        return "\n".join(told)


def explain(
    strategy: type[Strategy] | str, data: pd.DataFrame | str | Path | None = None
) -> Explanation:
    """Say what of a strategy is compiled, and what is in the way.

    Parameters
    ----------
    strategy : type or str
        A `backtesting.Strategy`, or where it is: `file.py:Class`, `package.module:Class`.
    data : DataFrame or path, optional
        Bars to look at it with; made ones by default. A strategy that reads columns of its own
        needs a file that has them.

    Returns
    -------
    Explanation
        Printed, it shows each line with what becomes of it.

    Raises
    ------
    SettingsError
        If there is no such strategy, or its `init` raises.
    DataError
        If the bars cannot be used.
    """
    import_backtesting()
    kind = load_class(strategy) if isinstance(strategy, str) else checked_class(
        strategy, getattr(strategy, "__qualname__", repr(strategy))
    )  # fmt: skip
    if data is None:
        bars = _made_bars()
    elif isinstance(data, pd.DataFrame):
        bars = data
    else:
        bars = read_bars(data, others=True).frame
    from bigbar.engines.any_strategy.class_attributes import ClassAttributes

    attributes = ClassAttributes(kind)
    try:
        return _explained(kind, bars)
    finally:
        attributes.restore()


def _explained(kind: type[Strategy], bars: pd.DataFrame) -> Explanation:
    from bigbar.compiled.translate.builder import Column, Hoist
    from bigbar.compiled.translate.kinds import Symbols
    from bigbar.compiled.translate.program import translate_strategy
    from bigbar.compiled.translate.refusal import CannotCompile
    from bigbar.engines.any_strategy.run import StrategyRunner
    from bigbar.engines.general.columns import Columns
    from bigbar.engines.general.ran import Ran

    try:
        strategy, _, _, _ = StrategyRunner(bars, kind).ready({})
    except Exception as problem:
        raise SettingsError(
            f"{kind.__name__} cannot be looked at: its init raises {cause_in(problem)}; "
            f"give it bars that it can be run with"
        ) from problem
    symbols = Symbols()
    columns = Columns(symbols, Ran())
    refusals: dict[Refusal, None] = {}

    def column(hoist: Hoist) -> Column:
        return columns.probe(hoist, strategy)

    hoisted: set[int] = set()
    hops = False
    try:
        program = translate_strategy(strategy, column, symbols, refusals=refusals)
        hoisted = {hoist.line for hoist in program.hoisted}
        hops = program.marked_by is not None
    except CannotCompile as problem:
        refusals[problem.refusal] = None
    lines = _lines_of(kind, list(refusals), hoisted)
    reason = str(next(iter(refusals))) if refusals else ""
    return Explanation(kind.__qualname__, lines, reason, hops and not refusals)


def _lines_of(
    kind: type[Strategy], refusals: Sequence[Refusal], hoisted: set[int]
) -> tuple[ExplainedLine, ...]:
    """The lines of `next`, and those elsewhere that are in the way."""
    found: list[ExplainedLine] = []
    in_the_way = {(one.file, one.line): one for one in refusals}
    try:
        file = inspect.getsourcefile(kind.next) or ""
        source, first = inspect.getsourcelines(kind.next)
    except (OSError, TypeError):
        file, source, first = "", [], 0
    for place, text in enumerate(source):
        line = first + place
        refusal = in_the_way.pop((file, line), None)
        code = printable(text.rstrip())
        is_code = bool(code.strip()) and not code.strip().startswith(("#", '"""', "def ", "@"))
        what = COMPILED if is_code else ""
        if line in hoisted:
            what = HOISTED
        if refusal is not None:
            found.append(ExplainedLine(file, line, code, IN_THE_WAY, _why(refusal)))
        else:
            found.append(ExplainedLine(file, line, code, what))
    for (other, line), refusal in in_the_way.items():
        code = f"{Path(other).name}: {refusal.code}" if other != file else refusal.code
        found.append(ExplainedLine(other, line, code, IN_THE_WAY, _why(refusal)))
    return tuple(found)


def _why(refusal: Refusal) -> str:
    said = f"`{refusal.code}`: {refusal.why}"
    instead = refusal.instead or instead_of(refusal.code, refusal.why)
    return f"{said}; {instead}" if instead else said


def _made_bars() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, _MADE_BARS)))
    open_ = np.append(100.0, close[:-1])
    prices: dict[str, Any] = {
        "Open": open_,
        "High": np.maximum(open_, close) * 1.002,
        "Low": np.minimum(open_, close) * 0.998,
        "Close": close,
        "Volume": rng.integers(100, 10_000, _MADE_BARS),
    }
    return pd.DataFrame(prices, index=pd.date_range("2016-01-04", periods=_MADE_BARS, freq="D"))


def make_parser() -> argparse.ArgumentParser:
    """The parser of the command."""
    parser = Parser(
        prog="bigbar explain",
        description="Say line by line what of a strategy is compiled, what Python evaluates once "
        "a bar, and what is in the way. Exit code 1 where something is.",
    )
    parser.add_argument("strategy", metavar="STRATEGY", help="file.py:Class or package:Class")
    parser.add_argument(
        "file", metavar="FILE", nargs="?", help="bars to look at it with; made ones by default"
    )
    return parser


def main(arguments: Sequence[str]) -> int:
    """The command `bigbar explain`.

    Returns
    -------
    int
        0 where the strategy compiles, 1 where it does not, 2 for an error.
    """
    open_missing_streams()
    any_encoding()
    try:
        given = make_parser().parse_args(list(arguments))
        found = explain(given.strategy, given.file)
        listened = Listened(sys.stdout)
        listened.write(f"{found}\n")
        listened.flush()
    except BigBarError as problem:
        say(f"error: {one_line(str(problem))}")
        return problem.exit_code
    finally:
        let_go()
    return 0 if found.compiles else 1
