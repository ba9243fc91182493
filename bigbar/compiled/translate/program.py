"""From a strategy to the text of a program, and what has to be filled in before each run."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from backtesting import Strategy

from bigbar.compiled.translate.attributes import ATTRIBUTES, ticks_of
from bigbar.compiled.translate.builder import MOST_ROWS, Builder, Column, Hoist, Row
from bigbar.compiled.translate.calls import CALLS
from bigbar.compiled.translate.expressions import HANDLERS
from bigbar.compiled.translate.functions import text_of
from bigbar.compiled.translate.kinds import Symbols, kind_of
from bigbar.compiled.translate.lists import LISTS
from bigbar.compiled.translate.operators import OPERATORS
from bigbar.compiled.translate.parts import Part
from bigbar.compiled.translate.places import PLACES
from bigbar.compiled.translate.printed import PRINTED
from bigbar.compiled.translate.refusal import CannotCompile, Refusal
from bigbar.compiled.translate.sources import Source, source_of
from bigbar.compiled.translate.statements import block
from bigbar.compiled.translate.states import is_computed, value_at
from bigbar.compiled.translate.unit import Unit
from bigbar.compiled.translate.values import StrategyItself
from bigbar.compiled.translate.wake import marks_of

for _handlers in (ATTRIBUTES, CALLS, LISTS, OPERATORS, PLACES, PRINTED):
    HANDLERS.update(_handlers)  # type: ignore[arg-type]

#: Times that a program is translated until its types are known.
_PASSES = 16

_HEAD = '''"""Translated from {name}."""

import numpy as np

from bigbar.compiled.jit import compiled_part
from bigbar.compiled.translate.list_prelude import *
from bigbar.compiled.translate.prelude import *
'''


@dataclass(frozen=True)
class Program:
    """A translated `next()`.

    Attributes
    ----------
    text : str
        A module with a function `next_`.
    rows : tuple of Row
        In the order in which the program counts them.
    parameters : tuple of str
        Attributes whose values stand at the beginning of `P`.
    constants : tuple of float
        What stands behind them.
    state : tuple of str
        Attributes kept in `S`, two places each.
    lists : tuple of str
        Attributes that are lists, each with room for `bigbar.compiled.translate.kinds.ROOM`
        numbers behind its length.
    kept, room : int
        Places of `S` that are kept from bar to bar, and all.
    symbols : Symbols
    reads : dict of str to str
        Attributes that the program depends on, and what each was.
    hoisted : dict of Hoist to Column
    lines : int
        Lines of the trader's code that were translated.
    file, line : str, int
        Where `next` stands.
    marked_by : tuple of int or None
        Places of the parameters by which a function `marks_` in the text marks the bars on which
        `next` could do something; None where there is no such function.
    parts : tuple of Part
        Functions and global values that it was made of.
    columns : dict of str to str
        Columns of the data that it reads, and the kind of their numbers.
    tick : int
        Nanoseconds of which the bars' times are multiples; 0 where it asks for no times.
    """

    text: str
    rows: tuple[Row, ...]
    parameters: tuple[str, ...]
    constants: tuple[float, ...]
    state: tuple[str, ...]
    lists: tuple[str, ...]
    kept: int
    room: int
    symbols: Symbols
    reads: dict[str, str]
    hoisted: dict[Hoist, Column]
    lines: int
    file: str
    line: int
    marked_by: tuple[int, ...] | None
    parts: tuple[Part, ...]
    columns: dict[str, str]
    tick: int

    def fits(self, strategy: Strategy, only: frozenset[str] | None = None) -> bool:
        """Whether a strategy's attributes are of the kinds that this was translated for.

        Parameters
        ----------
        strategy : Strategy
        only : frozenset of str, optional
            The attributes to look at; all where it is not given.
        """
        for name, kind in self.reads.items():
            if only is not None and name not in only:
                continue
            try:
                value = value_at(strategy, name)
            except (AttributeError, KeyError):
                return False
            if kind_of(value) != kind:
                return False
        if only is not None:  # Of the same strategy object: all else is as it was.
            return True
        return self._is_of(strategy._data)

    def is_stale(self) -> bool:
        """Whether something that it was made of is not what it was."""
        return not all(one.is_there() for one in self.parts)

    def reads_other_data(self) -> bool:
        """Whether a value that it was made of, and that an `init` may exchange, is another now."""
        return not all(one.is_there() for one in self._data)

    @cached_property
    def _data(self) -> tuple[Part, ...]:
        return tuple(one for one in self.parts if one.is_data)

    def _is_of(self, data: Any) -> bool:
        """Whether bars are of the kind that this was translated for."""
        try:
            found = {name: np.asarray(data[name]).dtype.str for name in self.columns}
        except KeyError:
            return False
        if found != self.columns:
            return False
        if not self.tick:
            return True
        return isinstance(data.index, pd.DatetimeIndex) and ticks_of(data.index)[1] == self.tick


def translate_strategy(
    strategy: Strategy,
    column: Callable[[Hoist], Column],
    symbols: Symbols,
    *,
    probe: Callable[[Hoist], Column] | None = None,
    refusals: dict[Refusal, None] | None = None,
) -> Program:
    """Translate the `next` of a strategy.

    Parameters
    ----------
    strategy : Strategy
        After its `init`.
    column : callable
        Evaluates an expression once per bar and says what its values are; raises `NoColumn`.
    symbols : Symbols
        Numbers for values that are no numbers.
    probe : callable, optional
        As `column`, by a few bars only: nothing costly is evaluated for what is refused in the end.
    refusals : dict, optional
        Is filled with every refusal, where the first is not to end it.

    Raises
    ------
    CannotCompile
        If something has no translation.
    """
    kind = type(strategy)
    builder = Builder(strategy, probe or column, symbols, block)
    owner = next(one for one in kind.__mro__ if "next" in vars(one))
    function = vars(owner)["next"]
    source = _source(function, owner)
    _check_attributes(builder, source)
    itself = {source.tree.args.args[0].arg: StrategyItself()}

    def once(refused: dict[Refusal, None] | None) -> str:
        builder.begin_pass()
        builder.refused = refused
        return text_of(builder, function, owner, source, itself, "next_", ("entry",))[0]

    before: Any = None
    learned: dict[Refusal, None] = {}
    for _ in range(_PASSES):
        learned = {}
        once(learned)
        after = builder.signature()
        if after == before and (builder.column_of is column or learned):
            break
        if after == before:
            builder.column_of = column
        before = after
    else:
        raise CannotCompile(
            Refusal(source.file, source.tree.lineno, "def next", "its types do not settle")
        )
    if refusals is not None:
        refusals.clear()
    entry = once(refusals)
    marks = None if refusals else _marks(builder, function, owner, source)
    if len(builder.rows) > MOST_ROWS:
        why = f"it needs {len(builder.rows)} columns, more than {MOST_ROWS}"
        raise CannotCompile(Refusal(source.file, source.tree.lineno, "def next", why))
    body = "\n\n\n".join([*builder.functions.values(), entry])
    text = _HEAD.format(name=kind.__qualname__) + "\n\n" + body + "\n" + (marks[0] if marks else "")
    return Program(
        text=text.replace("{parameters}", str(len(builder.parameters))),
        rows=tuple(builder.rows),
        parameters=tuple(builder.parameters),
        constants=tuple(builder.constants),
        state=builder.state,
        lists=tuple(builder.lists),
        kept=builder.kept,
        room=builder.kept + builder.scratch,
        symbols=builder.symbols,
        reads=dict(builder.reads),
        hoisted=dict(builder.hoisted),
        lines=source.tree.end_lineno - source.tree.lineno if source.tree.end_lineno else 0,
        file=source.file,
        line=source.tree.lineno,
        marked_by=None if marks is None else marks[1],
        parts=tuple(builder.parts),
        columns=dict(builder.columns),
        tick=builder.tick,
    )


#: Methods by which a class makes more of attributes than values.
_OVERRIDES = ("__getattribute__", "__getattr__", "__setattr__", "__delattr__")


def _check_attributes(builder: Builder, source: Source) -> None:
    """Refuse a class whose attributes do more than keep a value.

    Raises
    ------
    CannotCompile
    """
    kind = builder.kind

    def refuse(what: str, why: str) -> CannotCompile:
        return CannotCompile(Refusal(source.file, source.tree.lineno, what, why))

    for one in kind.__mro__:
        for name in _OVERRIDES if one not in (Strategy, object) else ():
            if name in vars(one):
                raise refuse(f"def {name}", "what it makes of attributes is not known")
    for name in (*builder.state, *builder.lists):
        base = name.partition("[")[0]
        if is_computed(kind, base) or isinstance(
            inspect.getattr_static(kind, base, None), property
        ):
            raise refuse(f"self.{base}", "assigning it runs code of its own")


def _marks(
    builder: Builder, function: types.FunctionType, owner: type, source: Source
) -> tuple[str, tuple[int, ...]] | None:
    """Code that tells the bars on which `next` does nothing; None where that is of no use."""
    itself = source.tree.args.args[0].arg
    unit = Unit(builder, function, owner, source.tree, source.file, ("marks",), itself)
    unit.is_entry = True
    return marks_of(unit)


def _source(function: Any, owner: type) -> Source:
    if not isinstance(function, types.FunctionType):
        raise CannotCompile(
            Refusal(owner.__module__, 1, "next", "it is no method written with def")
        )
    return source_of(function, owner.__name__)
