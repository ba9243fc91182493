"""A whole module with a strategy."""

from __future__ import annotations

from collections.abc import Callable

from grammar.statements import Statements

#: Name of the class in every source.
CLASS = "Generated"

#: How many bars back a source looks, at most.
_MOST_BACK = 24

_HEAD = """import math

import numpy as np
import pandas as pd
from backtesting import Strategy
from backtesting.lib import barssince, crossover


def sma(values, n):
    return pd.Series(values).rolling(n).mean()


def ema(values, n):
    return pd.Series(values).ewm(span=n, adjust=False).mean()


def rsi(values, n):
    moves = pd.Series(values).diff()
    up = moves.clip(lower=0).rolling(n).mean()
    down = -moves.clip(upper=0).rolling(n).mean()
    return (100 * up / (up + down)).fillna(50)


def reach(data, n):
    return (pd.Series(data.High) - pd.Series(data.Low)).rolling(n).mean()


def bands(values, n, width):
    rolling = pd.Series(values).rolling(n)
    return rolling.mean() - width * rolling.std(), rolling.mean() + width * rolling.std()


def clip(value, low, high):
    return max(low, min(value, high))


def between(value, low, high=70):
    if value < low:
        return False
    return value <= high
"""


class ModuleWriter(Statements):
    """Writes one source."""

    def source(self) -> str:
        self._make_parameters()
        self._indent = 1
        init = self._part(self._write_init)
        body = self._part(self._write_next)
        helpers = self._part(self._write_helpers)
        first = {name: values[0] for name, values in self._parameters.items()}
        second = {name: values[1] for name, values in self._parameters.items()}
        attributes = [f"    {name} = {value!r}" for name, value in first.items()]
        states = self._part(self._write_states)
        return "\n".join(
            [
                _HEAD, "", f"class {CLASS}(Strategy):", *attributes, "", *init, *states, "", *body,
                *helpers, "", "", f"GRID = ({first!r}, {second!r})", "",
            ]
        )  # fmt: skip

    def _part(self, write: Callable[[], None]) -> list[str]:
        self._lines = []
        write()
        return self._lines

    def _make_parameters(self) -> None:
        number, pick = self._choose.number, self._pick
        self._parameters["n"] = (number(5, 20), number(5, 20))
        self._parameters["k"] = (number(1, 4), number(1, 4))
        self._parameters["width"] = (pick([0.02, 0.01, 0.05]), pick([0.02, 0.005, 1]))
        if self._chance(30):
            self._parameters["mode"] = (pick(["both", "long"]), pick(["short", "long", "both"]))
        if self._chance(30):
            self._parameters["use"] = (True, self._chance(50))
        if self._chance(30):
            self._parameters["portion"] = (pick([0.5, 0.2, 0.9]), pick([3, 0.5, 10]))
        if self._chance(20):
            self._parameters["most"] = (pick([None, 3]), pick([10, None, 2.5]))

    def _write_init(self) -> None:
        with self._block("def init(self):"):
            makers: list[Callable[[], None]] = [
                self._averages, self._swings, self._ranges, self._two_rows, self._lambdas,
            ]  # fmt: skip
            self._averages()
            for _ in range(self._choose.number(0, 2)):
                self._pick(makers)()

    def _attribute(self, kind: str, text: str) -> None:
        name = f"{kind[0]}{sum(map(len, self._indicators.values())) + 1}"
        self._line(f"self.{name} = {text}")
        self._indicators[kind].append(f"self.{name}")

    def _averages(self) -> None:
        function = self._pick(["sma", "ema"])
        column = self._pick(["Close", "High", "Open"])
        length = self._pick(["self.n", "2 * self.n", "7", "self.n + self.k"])
        self._attribute("price", f"self.I({function}, self.data.{column}, {length})")

    def _swings(self) -> None:
        self._attribute("swing", f"self.I(rsi, self.data.Close, {self._pick(['self.n', '6'])})")

    def _ranges(self) -> None:
        self._attribute("range", f"self.I(reach, self.data.df, {self._pick(['self.n', '9'])})")

    def _two_rows(self) -> None:
        call = f"self.I(bands, self.data.Close, self.n, {self._pick([1, 1.5, 0.5])})"
        if self._chance(50):
            self._line(f"self.low, self.high = {call}")
            self._indicators["price"] += ["self.low", "self.high"]
        else:
            self._line(f"self.both = {call}")
            self._pairs.append("self.both")

    def _lambdas(self) -> None:
        what = self._pick(["rolling(self.n).max()", "rolling(5).min()", "shift(1).bfill()"])
        column = self._pick(["High", "Low"])
        self._attribute(
            "price", f'self.I(lambda x: pd.Series(x).{what}, self.data.{column}, name="l")'
        )

    def _write_states(self) -> None:
        starts = {
            "count": "0", "level": "None", "phase": '"idle"', "recent": "[]", "was": "False",
            "place": "(0, 0.0)", "box": '{"n": 0, "top": None}', "best": "0.0",
        }  # fmt: skip
        self._indent = 2
        for name, start in starts.items():
            if name in self._states:
                self._line(f"self.{name} = {start}")

    def _write_helpers(self) -> None:
        self._indent = 1
        bodies = {
            "scaled": ("self, value, factor=1.0", [
                "if self.data.Close[-1] > self.data.Open[-1]:", "    return value * factor",
                "return value"]),
            "rising": ("self, bars", ["return self.data.Close[-1] > self.data.Close[-bars]"]),
            "stop_of": ("self, side, width", [
                'if side == "long":', "    return self.data.Close[-1] * (1 - width)",
                "return self.data.Close[-1] * (1 + width)"]),
            "enter": ("self, *, size=0.3", [
                "if not self.position:", "    self.buy(size=size)"]),
            "leave": ("self", ["self.position.close()"]),
            "brackets": ("self, reach", [
                "low = self.data.Low[-1] - reach", "return low, self.data.High[-1] + reach"]),
        }  # fmt: skip
        for name in sorted(self._helpers):
            arguments, body = bodies[name]
            self._line()
            with self._block(f"def {name}({arguments}):"):
                for line in body:
                    self._line(line)

    def _write_next(self) -> None:
        self._indent = 1
        with self._block("def next(self):"):
            if not self._chance(3):
                with self._block(f"if len(self.data) < {_MOST_BACK + 2}:"):
                    self._line("return")
            self._line("price = self.data.Close[-1]")
            self._locals = {"price": ["price"]}
            for _ in range(self._choose.number(0, 3)):
                self._statement(1)
            self._entry(0)
            for _ in range(self._choose.number(0, 3)):
                self._statement(0)
            if not self._chance(25):
                with self._block(f"if {self._market()}:"):
                    self._close()
            elif self._chance(80):
                age = "len(self.data) - trade.entry_bar > 9"
                with self._block("for trade in self.trades:"), self._block(f"if {age}:"):
                    self._line("trade.close()")
