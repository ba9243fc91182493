"""A strategy, described: nothing else of the program knows what is in here."""

from __future__ import annotations

import difflib
import pickle
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bigbar.account import Account
from bigbar.by_value import pickled_by_value
from bigbar.errors import SettingsError
from bigbar.from_source import was_edited
from bigbar.parameter import Parameter, several
from bigbar.printable import shown
from bigbar.space import Space
from bigbar.user_code import checked_class, importable_path, load_class
from bigbar.without_charts import import_backtesting

if TYPE_CHECKING:
    from backtesting import Backtest, Strategy

    from bigbar.choice import Choice
    from bigbar.data.read import Bars

#: Attributes that every strategy has: none of them is a parameter.
_NOT_PARAMETERS = frozenset({"closed_trades", "data", "equity", "orders", "position", "trades"})


class Task(Protocol):
    """What a strategy is told of a `bigbar.job.Job` when it is asked about one."""

    @property
    def space(self) -> Space:
        """The points."""
        ...

    @property
    def account(self) -> Account:
        """Money, costs and fills."""
        ...

    @property
    def stop_bar(self) -> int | None:
        """The bar after the last that takes part; None for the end of the file."""
        ...

    @property
    def bars(self) -> slice:
        """The bars of the file that take part."""
        ...


@dataclass(frozen=True)
class StrategySpec:
    """Any `backtesting.py` strategy. Those that come along with more are subclasses.

    Attributes
    ----------
    path : str
        `file.py:Class` or `package.module:Class`; where `by_value` is given, a name to show.
    by_value : bytes or None
        The class itself, pickled, where no other process could import it (a notebook's).
    """

    path: str
    by_value: bytes | None = field(default=None, repr=False)

    #: Engines of its own, by name: "module:KIND", imported when asked for.
    engines: ClassVar[Mapping[str, str]] = {}

    #: What runs it where nothing was said.
    default_engine: ClassVar[str] = "auto"

    #: Parameters that have options of their own on the command line, with the grid that is run
    #: where nothing was said; and what they and the settings mean.
    default_grid: ClassVar[Mapping[str, str]] = {}
    help: ClassVar[Mapping[str, str]] = {}

    #: Whether it is the program's own: then nobody need look at how it behaves.
    comes_along: ClassVar[bool] = False

    #: What of the account can be chosen.
    account_options: ClassVar[tuple[str, ...]] = tuple(each.name for each in fields(Account))

    #: Whether it sees the columns of a file besides prices and volume.
    sees_other_columns: ClassVar[bool] = True

    #: What a file is cut into, in words, and where they begin and end; see `cuts`.
    cut_unit: ClassVar[str] = "bars"
    cut_unit_means: ClassVar[str] = ""

    @classmethod
    def of(cls, strategy: type[Strategy]) -> StrategySpec:
        """The description of a class.

        Raises
        ------
        SettingsError
            If it is no strategy, or can be had by no other process.
        """
        checked = checked_class(strategy, getattr(strategy, "__qualname__", shown(strategy)))
        path = importable_path(checked)
        name = path or f"{checked.__module__}:{checked.__qualname__}"
        by_value = None
        if path is None:
            edited = sys.modules.get(checked.__module__) if was_edited(checked) else None
            by_value = pickled_by_value(checked, edited=edited)
        spec = cls(name, by_value)
        _known[spec] = checked
        return spec

    @property
    def strategy(self) -> type[Strategy]:
        """The class, in whichever process this is."""
        found = _known.get(self)
        if found is None:
            import_backtesting()  # What was sent by value imports it, with its charts.
            found = pickle.loads(self.by_value) if self.by_value else load_class(self.path)
            _known[self] = found
        return found

    @property
    def title(self) -> str:
        """What a person calls it."""
        return self.path.rpartition(":")[2].rpartition(".")[2] or self.path

    @property
    def settings(self) -> Mapping[str, Any]:
        """What decides its numbers besides parameters and account."""
        return {}

    @property
    def attributes(self) -> dict[str, Any]:
        """What can be a parameter: the class's plain attributes, with their values."""
        found: dict[str, Any] = {}
        for base in reversed(self.strategy.__mro__):
            for name, value in vars(base).items():
                if name.startswith("_") or name in _NOT_PARAMETERS:
                    continue
                if callable(value) or isinstance(value, property | classmethod | staticmethod):
                    found.pop(name, None)
                    continue
                found[name] = value
        return found

    def default_account(self) -> Account:
        """Money and costs where nothing was said."""
        return Account()

    def columns(self, bars: pd.DataFrame) -> pd.DataFrame:
        """The bars with what no parameter changes beside them; computed on the whole file."""
        return bars

    def warm_up(self, space: Space) -> int:
        """The first bar that takes part in a run over the whole file."""
        return 0

    def warm_up_text(self, space: Space) -> str:
        """The same, as half a sentence."""
        return f"they are from bar {self.warm_up(space)} on"

    def cuts(self, index: pd.DatetimeIndex, span: tuple[int, int]) -> NDArray[np.int64]:
        """Where a span may be cut into windows, its beginning and its end among them."""
        return np.arange(span[0], span[1] + 1)

    def check(self, space: Space, account: Account) -> None:
        """Refuse parameters or an account that the strategy cannot be run with.

        Raises
        ------
        SettingsError
            With the nearest name for a parameter that the class does not have.
        """
        known = self.attributes
        for name in space.names:
            if name not in known and _is_machinery(name):
                raise SettingsError(self._unknown(name, known))
            if name not in known and not hasattr(self.strategy, name):
                raise SettingsError(self._unknown(name, known))

    def _unknown(self, name: str, known: Mapping[str, Any]) -> str:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        there = ", ".join(known) if known else "none"
        hint = f"did you mean {near[0]}?" if near else f"it has {there}"
        part = " (that is a part of every strategy)" if _is_machinery(name) else ""
        return f"{self.title} has no parameter {name!r}{part}; {hint}"

    def check_bars(self, bars: Bars, space: Space) -> None:
        """Refuse bars that no run could be made of, before any work.

        Raises
        ------
        DataError
            What is wrong with them.
        """

    def check_feasible(self, bars: Bars, job: Task, choice: Choice) -> None:
        """Refuse what no combination could trade on, or not often enough.

        Raises
        ------
        DataError, SettingsError
            Why, and what to do.
        """

    def note(self, bars: Bars, job: Task) -> str | None:
        """What to tell about these bars, in a line."""
        return None

    def parameter(self, name: str, text: str) -> Parameter:
        """A parameter as typed on the command line.

        Raises
        ------
        SettingsError
            If it cannot be read.
        """
        own = self.attributes.get(name)
        found = Parameter.parse(name, text, as_text=isinstance(own, str))
        texts = [value for value in found.values if isinstance(value, str)]
        if texts and isinstance(own, int | float):
            raise SettingsError(
                f"{name} {texts[0]!r} is no number, and the strategy has {own!r} there; write "
                "start:stop:step, a list a,b,c or one value"
            )
        return found

    def grid(self, texts: Mapping[str, str]) -> Space:
        """The points of parameters as typed; those not named keep the class's value.

        Raises
        ------
        SettingsError
            If one cannot be read; if none was named, with the class's attributes and a line to
            start from.
        """
        if not texts:
            raise SettingsError(self._how_to_begin())
        private = [name for name in texts if name.startswith("_")]
        if private:
            raise SettingsError(self._unknown(private[0], self.attributes))
        return Space([self.parameter(name, text) for name, text in texts.items()])

    def space(self, values: Mapping[str, Any]) -> Space:
        """The points of parameters from Python: one value, several, or text as typed.

        Raises
        ------
        SettingsError
            If one cannot be had; if none was named, see `grid`.
        """
        if not values:
            return self.grid({})
        return Space(
            [
                self.parameter(name, given)
                if isinstance(given, str)
                else Parameter(name, several(given))
                for name, given in values.items()
            ]
        )

    def single(self, texts: Mapping[str, str]) -> Space:
        """The one point of parameters as typed; those not named keep the class's value.

        Raises
        ------
        SettingsError
            If one cannot be read.
        """
        return Space([self.parameter(name, text) for name, text in texts.items()])

    def _how_to_begin(self) -> str:
        known = self.attributes
        if not known:
            return (
                f"{self.title} has no class attribute, so there is nothing to optimize; give it "
                "one (fast = 10), or run it once with --no-optimize"
            )
        shown = ", ".join(f"{name} = {value!r}" for name, value in known.items())
        ranges = {name: range_around(value) for name, value in known.items()}
        options = " ".join(f"--param {name}={text}" for name, text in ranges.items() if text)
        return (
            f"{self.title} needs --param, once for each parameter to optimize. Its attributes: "
            f"{shown}. To start from: --strategy {self.path} "
            f"{options or f'--param {next(iter(known))}=…'}"
        )

    def why_no_trade(self, bars: Bars, job: Task) -> str:
        """Why no combination traded at all, and what to do about it."""
        return "see whether its conditions can be met on these bars, and one unit be paid"

    #: Whether it has a way of its own to a Backtest; see `own_backtest`.
    has_own_backtest: ClassVar[bool] = False

    def own_backtest(
        self, bars: pd.DataFrame, account: Account, span: tuple[int, int]
    ) -> Backtest | None:
        """Its own way to `backtesting.py`'s backtest on some bars; None for the usual one.

        Parameters
        ----------
        bars : DataFrame
            The whole file.
        account : Account
        span : tuple of (int, int)
            The first bar that takes part, and the one after the last.
        """
        return None


def _is_machinery(name: str) -> bool:
    """Whether every strategy has it: an order's method, the data, the position."""
    from backtesting import Strategy

    return hasattr(Strategy, name)


def range_around(value: object) -> str | None:
    """Values to try around one, as typed; None where there is no telling."""
    if isinstance(value, bool):
        return "True,False"
    if isinstance(value, int) and value > 0:
        low, high = max(1, value // 2), 2 * value
        return f"{low}:{high}:{max(1, (high - low) // 6)}"
    if isinstance(value, float) and value > 0:
        return ",".join(f"{value * share:.4g}" for share in (0.5, 0.75, 1, 1.5, 2))
    return None


#: Classes by their description, in this process.
_known: dict[StrategySpec, type[Strategy]] = {}


def remember(spec: StrategySpec, strategy: type[Strategy]) -> None:
    """Take a class for a description's from now on, in this process: it was brought here."""
    _known[spec] = strategy
