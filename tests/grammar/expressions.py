"""Prices, numbers and conditions."""

from __future__ import annotations

from collections.abc import Callable

from grammar.page import Page

#: How many bars back a source looks, at most, without a parameter.
_BACK = 6


class Expressions(Page):
    """Expressions are text; those of more than one term are in brackets where that matters."""

    def _price(self, depth: int) -> str:
        """Something near the price."""
        leaves = [
            (4, lambda: self._pick(self._locals.get("price") or ["self.data.Close[-1]"])),
            (4, self._bar),
            (5, self._average),
        ]
        if depth > 2:
            return self._pick_by(*leaves)
        p = lambda: self._price(depth + 1)  # noqa: E731
        return self._pick_by(
            *leaves,
            (3, self._slice),
            (2, lambda: f"{p()} * {self._pick([1.01, 0.99, 1.002, 0.97])}"),
            (1, lambda: f"({p()} + {p()}) / 2"),
            (1, lambda: f"max({p()}, {p()})"),
            (1, lambda: f"min({p()}, {p()}, {p()})"),
            (1, lambda: f"({p()} if {self._truth(depth + 1)} else {p()})"),
            (1, lambda: f"({p()} {self._pick(['+', '-'])} {self._range()})"),
            (1, self._of_state),
            (1, lambda: self._scaled(p())),
            (1, lambda: self._pick([f"round({p()}, 2)", f"float({p()})", f"abs({p()})"])),
            (1, lambda: f"clip({p()}, {p()} * 0.98, price * 1.02)"),
        )

    def _scaled(self, text: str) -> str:
        self._helpers.add("scaled")
        return self._pick([f"self.scaled({text})", f"self.scaled({text}, factor=1.004)"])

    def _of_state(self) -> str:
        name = self._pick(["level", "best", "place", "box", "recent"])
        self._states.add(name)
        return {
            "level": "(self.level or price)",
            "best": "(self.best if self.best else price)",
            "place": "(self.place[1] or price)",
            "box": '(price if self.box["top"] is None else self.box["top"])',
            "recent": "(sum(self.recent) / len(self.recent) if self.recent else price)",
        }[name]

    def _bar(self) -> str:
        column = self._pick(["Close", "High", "Low", "Open"])
        back = self._pick(["-1", "-2", "-self.k", "-3", "-self.k - 1", "-self.n"])
        return f"self.data.{column}[{back}]"

    def _average(self) -> str:
        back = self._pick(["-1", "-1", "-2", "-self.k"])
        if self._pairs and self._chance(50):
            row = self._choose.number(0, 1)
            style = self._pick([f"[{row}][{back}]", f"[{row}, {back}]"])
            return f"{self._pick(self._pairs)}{style}"
        return f"{self._pick(self._indicators['price'])}[{back}]"

    def _slice(self) -> str:
        what = self._pick(
            [f"self.data.{column}" for column in ("Close", "High", "Low")]
            + self._indicators["price"][:1]
        )
        cut = self._pick(["-5:", "-self.n:", "-4:-1", "-self.k - 2:-self.k", f"-{_BACK}:"])
        part = f"{what}[{cut}]"
        return self._pick(
            [
                f"{part}.max()", f"{part}.min()", f"max({part})", f"min({part})",
                f"np.mean({part})", f"{part}.mean()", f"sum({part}) / len({part})",
                f"{part}.sum() / {part}.size", f"np.max({part})", f"np.median({part})",
            ]
        )  # fmt: skip

    def _range(self) -> str:
        """Something about as large as a bar's range, never negative."""
        known = self._indicators["range"]
        if known and self._chance(70):
            return f"{self._pick(known)}[-1]"
        return self._pick(
            [
                "(self.data.High[-1] - self.data.Low[-1])", "abs(price - self.data.Close[-2])",
                "np.std(self.data.Close[-5:])", "0.01 * price",
            ]
        )  # fmt: skip

    def _number(self, depth: int) -> str:
        """A number of no particular size."""
        leaves: list[tuple[int, Callable[[], str]]] = [
            (3, lambda: f"({self._price(3)} / {self._price(3)} - 1)"),
            (2, lambda: self._pick(["self.width", "self.k", "self.n"])),
            (1, lambda: "self.position.pl_pct"),
            (1, lambda: self._pick(["self.position.size", "self.position.pl"])),
            (1, lambda: self._pick(["len(self.trades)", "len(self.orders)"])),
            (1, lambda: "len(self.closed_trades)"),
            (1, lambda: "self.equity / 1000"),
            (1, lambda: "self.data.index[-1].hour"),
            (1, lambda: f"self.data.Volume[{self._pick(['-1', '-2', '-self.k'])}]"),
        ]
        if self._locals.get("number"):
            leaves.append((4, lambda: self._pick(self._locals["number"])))
        if self._indicators["swing"]:
            leaves.append((3, lambda: f"{self._pick(self._indicators['swing'])}[-1]"))
        if depth > 1:
            return self._pick_by(*leaves)
        n = lambda: self._number(depth + 1)  # noqa: E731
        return self._pick_by(
            *leaves,
            (1, lambda: f"({n()} {self._pick(['+', '-', '*'])} {n()})"),
            (1, lambda: f"{self._pick(['abs', 'float', 'np.abs', 'np.sign'])}({n()})"),
            (1, lambda: f"{self._pick(['min', 'max'])}({n()}, {n()})"),
            (1, lambda: f"math.sqrt(abs({n()}))"),
            (1, lambda: f"({self._truth(2)}) + ({self._truth(2)})"),
            (1, lambda: f"({n()} if {self._truth(2)} else {n()})"),
            (1, lambda: f"int({n()} * 10) // {self._pick(['3', 'self.k', '-2'])}"),
            (1, lambda: f"{n()} % {self._pick(['3', '2.5', 'self.n'])}"),
            (1, lambda: f"{n()} ** 2"),
            (1, lambda: self._quotient(n(), n())),
        )

    def _compared(self, depth: int) -> str:
        """Two prices, which are not the same one."""
        one, other = self._price(depth), self._price(depth)
        if one == other:
            other = self._average() if one == "price" else "price"
        return f"{one} {self._pick(['>', '<', '>=', '<='])} {other}"

    def _market(self) -> str:
        """A condition that only prices decide, true now and then."""
        swings = [(3, self._of_swing)] if self._indicators["swing"] else []
        return self._pick_by(
            (4, lambda: self._compared(2)),
            (2, self._cross),
            (1, self._whole_arrays),
            (1, lambda: f"({self._market()} or {self._cross()})"),
            (1, lambda: f"{self._compared(2)} and {self._market()}"),
            (1, self._of_bars),
            *swings,
        )

    def _quotient(self, over: str, under: str) -> str:
        """Mostly by what is not 0; Python's and numpy's numbers differ over that."""
        return f"({over} / {under if self._chance(10) else f'max(abs({under}), 1)'})"

    def _rare(self) -> str:
        return self._pick(
            [
                f"len(self.data) % {self._pick([7, 11, 5])} == {self._pick([0, 3, 4])}",
                f"self.position.pl_pct {self._pick(['< -3', '> 3', '> 1'])}",
                "self.data.Close[-1] < self.data.Close[-2] < self.data.Close[-3]",
                "self.equity < 3000",
                "self.data.index[-1].weekday() == 4",
                "len(self.closed_trades) > 2 and self.closed_trades[-1].pl < 0",
            ]
        )

    def _truth(self, depth: int) -> str:
        compare = self._pick
        p = lambda: self._price(depth + 1)  # noqa: E731
        leaves: list[tuple[int, Callable[[], str]]] = [
            (6, lambda: self._compared(depth + 1)),
            (2, self._cross),
            (2, lambda: compare(["self.position.is_long", "self.position.is_short",
                                 "not self.position", "self.position.size > 0"])),
            (1, self._rare),
            (1, self._whole_arrays),
            (1, lambda: f"{self._number(2)} {compare(['>', '<', '!='])} {self._number(2)}"),
            (1, self._of_phase),
        ]  # fmt: skip
        if self._locals.get("truth"):
            leaves.append((3, lambda: self._pick(self._locals["truth"])))
        if self._locals.get("number"):
            leaves.append((2, lambda: f"{self._pick(self._locals['number'])} > {compare([1, 0])}"))
        if self._indicators["swing"]:
            leaves.append((3, self._of_swing))
        if depth > 1:
            return self._pick_by(*leaves)
        t = lambda: self._truth(depth + 1)  # noqa: E731
        return self._pick_by(
            *leaves,
            (2, lambda: f"{t()} and {t()}"),
            (2, lambda: f"({t()} or {t()})"),
            (1, lambda: f"not ({t()})"),
            (2, lambda: f"{p()} {compare(['<', '>'])} {p()} {compare(['<', '>'])} {p()}"),
            (1, lambda: f"all([{t()}, {t()}])"),
            (1, self._of_bars),
            (1, self._since),
            (1, self._of_helper),
            (1, self._of_most),
        )

    def _cross(self) -> str:
        averages = self._indicators["price"]
        one, other = self._pick(averages), self._pick(["self.data.Close", *averages])
        if one == other:
            other = "self.data.Close"
        return self._pick([f"crossover({one}, {other})", f"crossover({other}, {one})"])

    def _whole_arrays(self) -> str:
        average = self._pick(self._indicators["price"])
        return f"(self.data.Close {self._pick(['>', '<'])} {average})"

    def _of_swing(self) -> str:
        swing = self._pick(self._indicators["swing"])
        bound = self._pick([50, 40, 60.5])
        return self._pick(
            [
                f"{swing}[-1] > {bound}", f"{swing}[-1] < {bound} <= {swing}[-2]",
                f"between({swing}[-1], 30)", f"not between({swing}[-1], {bound}, high=65)",
                f"{swing} < {bound}",
            ]
        )  # fmt: skip

    def _of_phase(self) -> str:
        name = self._pick(["phase", "count", "level", "was"])
        self._states.add(name)
        return {
            "phase": self._pick(
                ['self.phase == "idle"', 'self.phase != "armed"', 'self.phase in ("idle", "done")']
            ),
            "count": self._pick(["self.count > 3", "self.count % 3 == 1", "self.count == 2"]),
            "level": self._pick(
                ["self.level is None", "self.level is not None and price > self.level"]
            ),
            "was": self._pick(["not self.was", "self.was"]),
        }[name]

    def _of_bars(self) -> str:
        column = self._pick(["Close", "Low", "High"])
        return self._pick(
            [
                f"any(self.data.{column}[-i] > self.data.{column}[-i - 1] for i in range(1, 4))",
                f"all(self.data.{column}[-i] < {self._average()} for i in range(1, 3))",
                f"sum(1 for i in range(1, 6) if self.data.{column}[-i] > price) >= 2",
                f"max([self.data.{column}[-i] for i in range(1, self.k + 1)]) > price",
            ]
        )

    def _since(self) -> str:
        average = self._pick(self._indicators["price"])
        return f"barssince(self.data.Close {self._pick(['<', '>'])} {average}) < self.k"

    def _of_helper(self) -> str:
        self._helpers.add("rising")
        return self._pick(["self.rising(3)", "self.rising(self.k + 1)", "not self.rising(bars=2)"])

    def _of_most(self) -> str:
        if "most" not in self._parameters:
            return f"{self._price(2)} > {self._price(2)}"
        return "(self.most is None or len(self.trades) < self.most)"
