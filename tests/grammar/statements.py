"""Branches, loops, state, and whatever else makes up a method."""

from __future__ import annotations

from collections.abc import Callable

from grammar.orders import Orders


class Statements(Orders):
    """Any statement, nested to a depth."""

    def _statement(self, depth: int) -> None:
        self._pick_by(
            (4, lambda: self._local(depth)),
            (5, lambda: self._branch(depth)),
            (4, lambda: self._state(depth)),
            (3, self._each_trade),
            (2, lambda: self._entry(depth)),
            (2, self._cancel),
            (2, self._count),
            (2, lambda: self._try(depth)),
            (1, self._return),
            (1, self._loop_while),
            (1, lambda: self._state_of_list(depth)),
            (1, self._action),
            (1, self._print),
        )

    def _local(self, depth: int) -> None:
        self._pick_by(
            (3, lambda: self._new("price", self._price(depth + 1))),
            (2, lambda: self._new("number", self._number(depth + 1))),
            (2, lambda: self._new("truth", self._truth(depth + 1))),
            (1, self._several),
        )

    def _several(self) -> str:
        """Two variables at once, one of them by a helper that returns a tuple."""
        self._names += 2
        one, two = f"p{self._names - 1}", f"p{self._names}"
        if self._chance(40):
            self._helpers.add("brackets")
            self._line(f"{one}, {two} = self.brackets({self._range()})")
        else:
            self._line(f"{one}, {two} = {self._price(1)}, {self._price(1)}")
        self._locals.setdefault("price", []).extend([one, two])
        return one

    def _branch(self, depth: int) -> None:
        with self._block(f"if {self._truth(1)}:"):
            self._few(depth)
        if self._chance(40):
            with self._block(f"elif {self._truth(1)}:"):
                self._few(depth)
        if self._chance(40):
            with self._block("else:"):
                self._few(depth)

    def _few(self, depth: int) -> None:
        for _ in range(self._choose.number(1, 2)):
            if depth < 2 and self._chance(60):
                self._statement(depth + 1)
            else:
                self._act()

    def _act(self) -> None:
        self._pick_by(
            (3, self._close),
            (2, lambda: self._state(2)),
            (2, self._action),
            (2, lambda: self._entry(2)),
            (1, lambda: self._line("pass")),
        )

    def _return(self) -> None:
        with self._block(f"if {self._rare()}:"):
            self._line("return" if not self._in_loop else "pass")

    def _try(self, depth: int) -> None:
        if self._orders > 3:
            self._close()
            return
        errors = self._pick(["Exception", "ValueError", "(ValueError, AssertionError)"])
        self._orders += 1
        with self._block(f"if not self.position and {self._truth(1)}:"):
            with self._block("try:"):
                long = self._chance(60)
                stop = f"{self._price(2)} * {0.99 if long else 1.01}"
                self._line(f"self.{'buy' if long else 'sell'}(sl={stop}, size={self._size()})")
            with self._block(f"except {errors}:"):
                self._act() if depth else self._line("pass")

    def _print(self) -> None:
        with self._block(f"if len(self.data) % {self._pick([151, 211])} == 3:"):
            self._line(
                self._pick(
                    [
                        'print(f"{price:.2f}")', 'print("equity", self.equity, len(self.trades))',
                        "print(self.data.index[-1], self.position)",
                    ]
                )
            )  # fmt: skip

    def _action(self) -> None:
        name = self._pick(["leave", "enter"])
        self._helpers.add(name)
        if name == "leave" or self._orders > 3:
            self._helpers.add("leave")
            self._line("self.leave()")
        else:
            self._orders += 1
            self._line(self._pick(["self.enter()", "self.enter(size=0.7)", "self.enter(size=2)"]))

    # -------------------------------------------------------------------------------------- state

    def _state(self, depth: int) -> None:
        kinds: dict[str, Callable[[], None]] = {
            "count": self._counter, "level": lambda: self._level_state(depth),
            "phase": self._phase, "was": lambda: self._was(depth),
            "place": lambda: self._place(depth), "box": lambda: self._box(depth),
            "best": self._best,
        }  # fmt: skip
        name = self._pick(["count", "level", "phase", "was", "best", "place", "box"])
        self._states.add(name)
        kinds[name]()

    def _counter(self) -> None:
        kind = self._choose.number(0, 3)
        if kind == 0:
            self._line("self.count += 1")
        elif kind == 1:
            with self._block(f"if {self._truth(1)}:"):
                self._line("self.count = 0")
            with self._block("else:"):
                self._line(f"self.count += {self._pick(['1', '2', 'self.k'])}")
        elif kind == 2:
            self._line("self.count = (self.count + 1) % 7")
        else:
            self._line("self.count -= 1 if self.count > 0 else -5")

    def _level_state(self, depth: int) -> None:
        if self._chance(50):
            with self._block("if self.level is None:"):
                self._line(f"self.level = {self._price(depth + 1)}")
            with self._block(f"elif {self._truth(1)}:"):
                self._line("self.level = None")
        else:
            with self._block(f"if {self._truth(1)}:"):
                self._line(f"self.level = {self._price(depth + 1)}")
            if self._chance(50):
                with self._block("elif self.level is not None and price < self.level * 0.97:"):
                    self._line("self.level = None")

    def _phase(self) -> None:
        with self._block('if self.phase == "idle":'), self._block(f"if {self._truth(1)}:"):
            self._line('self.phase = "armed"')
        with self._block(f'elif self.phase == "armed" and {self._truth(1)}:'):
            self._line('self.phase = "done"')
        with self._block(f"elif {self._truth(2)}:"):
            self._line('self.phase = "idle"')

    def _was(self, depth: int) -> None:
        self._line(f"self.was = {self._truth(depth + 1)}")

    def _best(self) -> None:
        self._line(
            self._pick(
                [
                    "self.best = max(self.best, price) if self.position else 0.0",
                    "self.best = max(self.best, self.equity)",
                    "self.best = price if not self.best else 0.9 * self.best + 0.1 * price",
                ]
            )
        )

    def _place(self, depth: int) -> None:
        with self._block(f"if self.place[0] == 0 or {self._truth(1)}:"):
            self._line(f"self.place = (len(self.data), {self._price(depth + 1)})")

    def _box(self, depth: int) -> None:
        with self._block(f"if {self._truth(1)}:"):
            self._line(f'self.box["top"] = {self._price(depth + 1)}')
            self._line('self.box["n"] += 1')
        if self._chance(50):
            with self._block('elif self.box["n"] > 4:'):
                self._line('self.box["top"] = None')
                self._line('self.box["n"] = 0')

    def _state_of_list(self, depth: int) -> None:
        self._states.add("recent")
        self._line(f"self.recent.append({self._price(depth + 1)})")
        with self._block(f"if len(self.recent) > {self._pick([5, 3, 8])}:"):
            self._line(self._pick(["self.recent.pop(0)", "self.recent = self.recent[1:]"]))

    # -------------------------------------------------------------------------------------- loops

    def _count(self) -> None:
        """A loop over bars that adds something up."""
        self._names += 1
        name = f"n{self._names}"
        self._line(f"{name} = {self._pick(['0', '0.0'])}")
        stop = self._pick(["5", "self.k + 1", "4", "self.n // 2"])
        before, self._in_loop = self._in_loop, True
        with self._block(f"for i in range(1, {stop}):"):
            kind = self._choose.number(0, 3)
            column = self._pick(["Close", "High", "Low"])
            if kind == 0:
                with self._block(f"if self.data.{column}[-i] > self.data.{column}[-i - 1]:"):
                    self._line(f"{name} += 1")
            elif kind == 1:
                self._line(f"{name} += self.data.{column}[-i] / price - 1")
            elif kind == 2:
                with self._block(f"if self.data.{column}[-i] < {self._price(2)}:"):
                    self._line(self._pick(["break", "continue"]))
                self._line(f"{name} += 1")
            else:
                self._line(f"{name} = max({name}, abs(self.data.{column}[-i] - price) / price)")
        self._in_loop = before
        self._locals.setdefault("number", []).append(name)

    def _loop_while(self) -> None:
        self._names += 1
        name = f"n{self._names}"
        self._line(f"{name} = 1")
        with self._block(f"while {name} < 5 and self.data.Close[-{name}] > {self._price(2)}:"):
            self._line(f"{name} += 1")
        self._locals.setdefault("number", []).append(name)
