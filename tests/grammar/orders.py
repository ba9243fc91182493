"""Orders, and what is done about open trades and waiting orders."""

from __future__ import annotations

from grammar.expressions import Expressions


class Orders(Expressions):
    """Statements that the broker sees."""

    def _entry(self, depth: int) -> None:
        self._orders += 1
        if self._orders > 4:
            self._line("pass")
            return
        free = self._pick(["not self.position", "len(self.trades) < 3", "not self.trades"])
        condition = self._market() if self._chance(60) else self._truth(min(depth + 1, 2))
        both = self._chance(35)
        waits = self._chance(15)
        if waits:
            free = f"{free} and {self._pick(['not self.orders', 'len(self.orders) < 4'])}"
        head = f"if {free} and {condition}:" if self._chance(75) else f"if {condition} and {free}:"
        with self._block(head):
            long = self._chance(60)
            self._order(long, waits)
        if both:
            with self._block(f"elif {free} and {self._market()}:"):
                self._order(not long, waits)

    def _order(self, long: bool, waits: bool) -> None:
        if "mode" in self._parameters and self._chance(60):
            other = '"short"' if long else '"long"'
            with self._block(f"if self.mode != {other}:"):
                self._line(self._call(long, waits))
        else:
            self._line(self._call(long, waits))

    def _call(self, long: bool, waits: bool) -> str:
        """An order whose stop and target are on their sides, unless prices run far away."""
        side = 1 if long else -1
        chosen: list[str] = []
        base = "price"
        if waits:
            kind = self._choose.number(0, 2)
            if kind in (0, 2):
                base = f"price * {1 - side * self._pick([0.005, 0.002, 0.01])}"
                chosen.append(f"limit={base}")
            if kind in (1, 2):
                stop = f"price * {1 + side * self._pick([0.005, 0.002, 0.01])}"
                chosen.append(f"stop={stop}")
                base = base if kind == 2 else stop
        if self._chance(45):
            chosen.append(f"sl={self._level(base, -side)}")
        if self._chance(40):
            chosen.append(f"tp={self._level(base, side)}")
        if self._chance(55):
            chosen.append(f"size={self._size()}")
        if self._chance(10):
            tag = self._pick(['"a"', '"b"', "1", "None", "self.k"])
            chosen.append(f"tag={tag}")
        if self._chance(20):
            chosen.reverse()
        return f"self.{'buy' if long else 'sell'}({', '.join(chosen)})"

    def _level(self, base: str, side: int) -> str:
        def of_helper() -> str:
            self._helpers.add("stop_of")
            name = '"short"' if side > 0 else '"long"'
            return f"self.stop_of({name}, {self._pick([0.03, 0.05])})"

        shares = [1 + side * share for share in (0.05, 0.03, 0.02, 0.1)]
        sign = "+" if side > 0 else "-"
        optional = [] if "use" not in self._parameters else [
            (2, lambda: f"{base} * {self._pick(shares)} if self.use else None")]  # fmt: skip
        extreme = "max" if side > 0 else "min"
        column = "High" if side > 0 else "Low"
        return self._pick_by(
            (5, lambda: f"{base} * {self._pick(shares)}"),
            (2, lambda: f"{base} {sign} 3 * {self._range()} {sign} {base} * 0.004"),
            (2, lambda: f"{base} * (1 {sign} min(abs(self.width), 0.1))"),
            (1, lambda: f"{extreme}(self.data.{column}[-5:]) * {1 + side * 0.02}"),
            (1, lambda: f"round({base} * {self._pick(shares)}, 4)"),
            (1, of_helper if base == "price" else lambda: f"{base} * {shares[0]}"),
            *optional,
        )

    def _size(self) -> str:
        def wise() -> str:
            share = self._pick([0.2, 0.5, 0.05])
            return f"max(1, int(self.equity * {share} / price))"

        own = [] if "portion" not in self._parameters else [(3, lambda: "self.portion")]
        counted = [] if "count" not in self._states else [
            (1, lambda: "clip(0.1 * self.count, 0.1, 0.8)")]  # fmt: skip
        return self._pick_by(
            (3, lambda: self._pick(["0.5", "0.2", "0.95", "0.1"])),
            (2, lambda: self._pick(["1", "5", "20"])),
            (2, wise),
            (1, lambda: f"0.3 if {self._truth(1)} else 0.6"),
            (1, lambda: "round(0.33333, 2)"),
            (1, lambda: "math.floor(self.equity / price / 4) or 1"),
            *own,
            *counted,
        )

    def _close(self) -> None:
        self._line(
            self._pick_by(
                (6, lambda: "self.position.close()"),
                (1, lambda: f"self.position.close({self._pick([0.5, 0.25, 1])})"),
                (1, lambda: f"self.position.close(portion={self._pick([0.3, 0.75])})"),
            )
        )

    def _cancel(self) -> None:
        with self._block(f"if {self._rare()}:"), self._block("for order in self.orders:"):
            kind = self._choose.number(0, 2)
            if kind == 0:
                self._line("order.cancel()")
            else:
                test = ["not order.is_contingent", "order.is_long and not order.is_contingent"]
                with self._block(f"if {test[kind - 1]}:"):
                    self._line("order.cancel()")

    def _each_trade(self) -> None:
        before, self._in_loop = self._in_loop, True
        with self._block("for trade in self.trades:"):
            self._pick_by(
                (3, self._trailing),
                (2, self._close_trade),
                (2, self._move_one),
                (1, self._by_tag),
            )
        self._in_loop = before

    def _trailing(self) -> None:
        share = self._pick([0.03, 0.02, 0.06])
        with self._block("if trade.is_long:"):
            self._line(
                self._pick(
                    [
                        f"trade.sl = max(trade.sl or 0, price * {1 - share})",
                        f"trade.sl = max(trade.sl or -np.inf, price * {1 - share})",
                        f"trade.sl = price * {1 - share}",
                    ]
                )
            )
        if self._chance(70):
            with self._block("else:"):
                self._line(
                    self._pick(
                        [
                            f"trade.sl = min(trade.sl or 1e9, price * {1 + share})",
                            f'trade.sl = min(trade.sl or float("inf"), price * {1 + share})',
                            f"trade.tp = min(trade.tp or price, price) * {1 - share}",
                        ]
                    )
                )

    def _close_trade(self) -> None:
        test = self._pick(
            [
                "trade.pl_pct < -0.01", "trade.pl > 0", "len(self.data) - trade.entry_bar > 7",
                "trade.pl_pct > self.width", "abs(trade.size) > 3", "trade.value > self.equity / 2",
                "trade.entry_price < price and trade.is_short",
            ]
        )  # fmt: skip
        with self._block(f"if {test}:"):
            self._line(
                self._pick(["trade.close()", "trade.close(0.5)", "trade.close(portion=0.3)"])
            )
            if self._chance(20):
                self._line("break")

    def _move_one(self) -> None:
        with self._block(f"if trade.sl is None{self._pick(['', ' and trade.is_long'])}:"):
            self._line("trade.sl = trade.entry_price * (0.95 if trade.is_long else 1.05)")
        if self._chance(40):
            with self._block(f"elif {self._truth(2)}:"):
                self._line(self._pick(["trade.sl = None", "trade.tp = None"]))
        if self._chance(30):
            with self._block("if trade.is_long and trade.tp is None:"):
                self._line("trade.tp = max(price, trade.entry_price) * 1.04")

    def _by_tag(self) -> None:
        tag = self._pick(['"a"', "1"])
        with self._block(f"if trade.tag {self._pick(['==', '!='])} {tag}:"):
            self._line(self._pick(["trade.close()", "continue"]))
        with self._block(f"if {self._truth(2)}:"):
            self._line("trade.close(0.4)")
