"""The program that fits a strategy: one made before, or a new one, translated and compiled."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from backtesting import Strategy

from bigbar.compiled.translate.builder import Column, Hoist, NoColumn
from bigbar.compiled.translate.kinds import Symbols
from bigbar.compiled.translate.program import Program, translate_strategy
from bigbar.compiled.translate.refusal import CannotCompile, Refusal
from bigbar.engines.any_strategy.warned import Warned, keeping
from bigbar.engines.general.columns import Columns
from bigbar.engines.general.programs import Loaded, load
from bigbar.engines.general.ran import Ran
from bigbar.engines.general.starts import Start

#: Programs for parameters of different kinds.
_MOST_PROGRAMS = 64


@dataclass(frozen=True)
class Prepared:
    """A program, and its machine code."""

    program: Program
    code: Loaded


@dataclass(frozen=True)
class Shared:
    """What the engines of one strategy in this process have in common."""

    symbols: Symbols = field(default_factory=Symbols)
    programs: list[Prepared] = field(default_factory=list)

    @property
    def lines(self) -> int:
        """Lines of the trader's `next` that were translated."""
        return max((one.program.lines for one in self.programs), default=0)


#: By the class; with those of a notebook's earlier cells, a class is gone when nobody has it.
_of_classes: WeakKeyDictionary[type, Shared] = WeakKeyDictionary()


def shared_by(strategy: type[Strategy]) -> Shared:
    return _of_classes.setdefault(strategy, Shared())


class Preparer:
    """Finds or makes the program for strategies of one class.

    Parameters
    ----------
    shared : Shared
    columns : Columns
        Of the bars that the programs are to run on.
    ran : Ran
        What programs were made of is looked at again only once the trader's code has run.

    Attributes
    ----------
    seconds : float
        Spent on translating and compiling so far.
    """

    def __init__(self, shared: Shared, columns: Columns, ran: Ran) -> None:
        self._shared, self._columns, self._ran = shared, columns, ran
        #: Programs that were found to be made of what is there, and when, by what was looked at.
        self._looked: dict[tuple[int, bool], tuple[Program, int]] = {}
        self.seconds = 0.0

    def reads_other_data(self, start: Start) -> bool:
        """Whether data outside of a strategy is not what its program was made of."""
        known: Prepared | None = start.more.get("prepared")
        return known is not None and not self._is_there(known.program, only_data=True)

    def _is_there(self, program: Program, *, only_data: bool = False) -> bool:
        """Whether what a program was made of is there as it was; of late, or now."""
        key, now = (id(program), only_data), self._ran.times
        if self._looked.get(key, (None, None))[1] == now:
            return True
        if program.reads_other_data() if only_data else program.is_stale():
            return False
        self._looked[key] = program, now
        return True

    def program_for(self, start: Start) -> Prepared:
        """The program that fits a strategy, made where there is none so far.

        Raises
        ------
        CannotCompile
        """
        known: Prepared | None = start.more.get("prepared")
        if known is not None and self._fits(known.program, start, start.own):
            return known
        programs = self._shared.programs
        with keeping(Warned()):  # Hoisted expressions are evaluated, which may warn.
            found = next((one for one in programs if self._fits(one.program, start)), None)
            if found is None and any(one.program.is_stale() for one in programs):
                # Something that they read has changed, and so may have what columns were made of.
                programs[:] = [one for one in programs if not one.program.is_stale()]
                self._columns.forget()
            prepared = found or self._translated(start.strategy)
        start.more = {"prepared": prepared}
        return prepared

    def _fits(self, program: Program, start: Start, only: frozenset[str] | None = None) -> bool:
        """Whether a program is for attributes and columns as this strategy has them."""
        if not program.fits(start.strategy, only):
            return False
        if only is None and not self._is_there(program):
            return False
        try:
            return all(
                self._columns.of(hoist, start.strategy).column == column
                for hoist, column in program.hoisted.items()
                if only is None or self._columns.varies(hoist, start.strategy, only)
            )
        except NoColumn:
            return False

    def is_all_of_numbers(self, program: Program, start: Start) -> bool:
        """Whether combinations with a strategy's `init` differ in numbers alone, for a program."""
        return not any(
            self._columns.varies(hoist, start.strategy, start.own) for hoist in program.hoisted
        )

    def _translated(self, strategy: Strategy) -> Prepared:
        if len(self._shared.programs) >= _MOST_PROGRAMS:
            raise CannotCompile(
                Refusal("", 0, "", "its parameters are of too many different kinds")
            )
        begun = time.perf_counter()

        def column(hoist: Hoist) -> Column:
            return self._columns.of(hoist, strategy).column

        def probe(hoist: Hoist) -> Column:
            return self._columns.probe(hoist, strategy)

        program = translate_strategy(strategy, column, self._shared.symbols, probe=probe)
        try:
            found = Prepared(program, load(program.text))
        except Exception as problem:
            # What the translation took for a program is none.
            why = f"the compiler does not take it ({type(problem).__name__})"
            raise CannotCompile(Refusal(program.file, program.line, "def next", why)) from problem
        self._shared.programs.append(found)
        self.seconds += time.perf_counter() - begun
        return found
