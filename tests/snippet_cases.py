"""Snippets of `next` that compile, by what they are about; most of them for a soak.

Each holds what once went wrong, or easily does: the order of evaluation, what is evaluated only
sometimes, int and float, None, names that may have no value, lists, times, errors.
"""

from __future__ import annotations

from snippets import case

COMPILED = (
    case(
        "a_function_inside_reads_names_as_they_are_then",
        """
            level = self.ma[-1]
            def above(x, by=0.5, *, times=1):
                if x > level + by * times:
                    return 1
                return -1 if x < level else 0
            price = self.data.Close[-1]
            first = above(price)
            level = self.mb[-1]
            second = above(price, 0.1, times=2)
            if first > 0 and second > 0 and not self.position:
                self.buy(size=self.k)
            elif first + second < 0:
                self.position.close()
        """,
    ),
    case(
        "a_function_inside_with_effects",
        """
            def enter(size):
                self.cnt += 1
                if self.cnt % 3:
                    self.buy(size=size)
            for n in range(1, 3):
                if self.ma[-n] > self.mb[-n] and self.ma[-n - 1] <= self.mb[-n - 1]:
                    enter(n)
            if self.ma[-1] < self.mb[-1]:
                self.position.close()
        """,
        init="self.cnt = 0",
    ),
    case(
        "a_function_inside_in_a_loop",
        """
            most = 0
            def better(than):
                return self.data.High[-1] * than > self.ma[-1] * most
            while most < 9 and better(self.k):
                most += 1
            if most > 1 and not self.position:
                self.buy(size=most)
            elif most == 1:
                self.position.close()
        """,
    ),
    case(
        "orders_sized_by_the_account",
        """
            broker = self._broker
            price = broker.last_price
            fill = broker._adjusted_price(1, price)
            again = self._broker._adjusted_price(-1)
            fee = broker._commission(10, price) + broker._commission_fixed
            budget = broker.margin_available * broker._leverage - fee
            units = int(budget * 0.4 / (fill + price * broker._commission_relative))
            if self.ma[-1] > self.mb[-1] and units > 0 and len(broker.trades) < 3:
                self.buy(size=units)
            elif broker._cash > 0 and again < fill * 2 and self.ma[-1] < self.mb[-1]:
                broker.position.close()
        """,
    ),
    case(
        "a_large_whole_number_to_compare_with",
        """
            units = min(int(self.data.Volume[-1]) + self.k, MOST)
            if units < MOST and self.ma[-1] > self.mb[-1] and not self.position:
                self.buy(size=math.copysign(2, np.copysign(units, 1.0)))
            elif max(units, 3) > 3 and self.ma[-1] < self.mb[-1]:
                self.position.close()
        """,
        extra="MOST = 2**53",
        soak=True,
    ),
    case(
        "an_effect_behind_and",
        """
            not self.position and self.ma[-1] > self.mb[-1] and self.go()
            if self.ma[-1] < self.mb[-1]:
                self.position.close()
        """,
        init="self.cnt = 0",
        methods="""
            def go(self):
                self.cnt += 1
                self.buy(size=self.cnt % 5 + 1)
                return True
        """,
    ),
    case(
        "a_test_with_an_effect_once",
        """
            x = 1 if self.bump() % 7 == 3 else None
            if x is not None:
                self.buy(size=1)
            if x is None and self.cnt % 5 == 0:
                self.position.close()
        """,
        init="self.cnt = 0",
        methods="""
            def bump(self):
                self.cnt += 1
                return self.cnt
        """,
        soak=True,
    ),
    case(
        "an_effect_before_what_it_changes",
        """
            v = self.bump() * 3 + self.cnt
            if v % 7 == 3:
                self.buy(size=1)
            if v % 11 == 0:
                self.position.close()
        """,
        init="self.cnt = 0",
        methods="""
            def bump(self):
                self.cnt += 1
                return self.cnt
        """,
    ),
    case(
        "an_effect_in_a_chain_of_comparisons",
        """
            if 3 < self.bump() % 9 < 6:
                self.buy(size=1)
            elif self.cnt % 13 == 2:
                self.position.close()
        """,
        init="self.cnt = 0",
        methods="""
            def bump(self):
                self.cnt += 1
                return self.cnt
        """,
        soak=True,
    ),
    case(
        "effects_in_the_value_of_and",
        """
            v = self.ma[-1] > self.mb[-1] and self.bump() % 3 == 1 and (self.bump() % 2 == 0)
            if v:
                self.buy(size=1)
            elif self.cnt % 13 == 2:
                self.position.close()
        """,
        init="self.cnt = 0",
        methods="""
            def bump(self):
                self.cnt += 1
                return self.cnt
        """,
        soak=True,
    ),
    case(
        "a_print_that_raises",
        """
            if self.ma[-1] > self.mb[-1]:
                print(f"{self.trades[-1].pl:.2f}")
            if crossover(self.ma, self.mb):
                self.buy(size=1, tag="x")
            elif crossover(self.mb, self.ma):
                self.position.close()
        """,
        in_python=True,
        soak=True,
    ),
    case(
        "prints",
        """
            if self.trades:
                print(f"{self.trades[-1].pl:.2f} {self.trades[-1].tag} {self.equity:,.0f}")
                print(f"{self.data.index[-1]:%Y}", self.position)
                print("equity " + str(self.equity), "of %s" % self.equity)
            print(self.data.df.tail(1))
            if crossover(self.ma, self.mb):
                self.buy(size=1, tag="x")
            elif crossover(self.mb, self.ma):
                self.position.close()
        """,
        soak=True,
    ),
    case(
        "found_by_break",
        """
            v = None
            for t in self.trades:
                if t.pl > 0:
                    v = t.size
                    break
            if v is not None:
                self.position.close()
            if crossover(self.ma, self.mb):
                self.buy(size=2)
        """,
        soak=True,
    ),
    case(
        "a_range_without_a_step",
        """
            for i in range(0, 5, self.k - 2):
                self.buy(size=1)
            if crossover(self.ma, self.mb):
                self.buy(size=1, tag="x")
            elif crossover(self.mb, self.ma):
                self.position.close()
        """,
        in_python=True,
        soak=True,
    ),
    case(
        "a_comprehension_with_a_name_of_next",
        """
            t = self.data.Close[-2]
            if any((t.pl < 0 for t in self.trades)):
                self.position.close()
            if t < self.ma[-1]:
                self.buy(size=1)
        """,
        soak=True,
    ),
    case(
        "a_parameter_named_as_a_global",
        """
            if self.rising(2):
                self.buy(size=1)
            else:
                self.position.close()
        """,
        methods="""
            def rising(self, period):
                v = np.median(self.data.Close[-period:])
                return bool(v > np.median(self.data.Close[-2 * period:]))
        """,
    ),
    case(
        "tags_of_numbers_and_text",
        """
            if crossover(self.ma, self.mb):
                self.buy(size=1, tag=1)
            if crossover(self.mb, self.ma):
                self.buy(size=2, tag="1")
            for t in self.trades:
                if t.tag == 1 and len(self.data) - t.entry_bar > 20:
                    t.close()
                if t.tag == "1" and len(self.data) - t.entry_bar > 30:
                    t.close()
                if t.tag == 1.5:
                    t.close()
        """,
    ),
    case(
        "columns_by_private_attributes",
        """
            if self.calc() > 0:
                self.buy(size=1)
            else:
                self.position.close()
        """,
        init="self._kk = self.k * 2",
        methods="""
            def calc(self):
                middle = np.percentile(self.data.Close[-10:], 50)
                return float(middle - np.percentile(self.data.Close[-10 - self._kk:], 40))
        """,
        grid="({'n': 10, 'k': 2}, {'n': 10, 'k': 9}, {'n':10, 'k': 5})",
        soak=True,
    ),
    case(
        "a_product_too_large",
        """
            x = self.k
            for i in range(70):
                x = x * 3
            if x > 0:
                self.buy(size=1)
        """,
        in_python=True,
        soak=True,
    ),
    case(
        "float32_is_hoisted",
        """
            if self.f[-1] * 1.1 > self.f[-2] * 1.1:
                self.buy(size=1)
            else:
                self.position.close()
        """,
        init="self.f = self.I(lambda: np.asarray(self.data.Close, np.float32) / 3)",
        soak=True,
    ),
    case(
        "a_power_of_an_array",
        """
            if (self.ma ** 2)[-1] > (self.mb ** 2)[-1] * 1.0:
                self.buy(size=1)
            else:
                self.position.close()
        """,
        soak=True,
    ),
    case(
        "a_cancel_behind_and",
        """
            for o in self.orders:
                o.is_long and self.ma[-1] > self.mb[-1] and o.cancel()
            if not self.orders and (not self.position):
                self.buy(size=1, limit=self.data.Close[-1] * 0.97)
            if len(self.data) % 30 == 0:
                self.position.close()
        """,
    ),
    case(
        "an_order_in_a_conditional_expression",
        """
            (self.buy(size=1) if crossover(self.ma, self.mb)
             else self.position.close() if crossover(self.mb, self.ma) else None)
        """,
        soak=True,
    ),
    case(
        "a_comprehension_as_statement",
        """
            [t.close() for t in self.trades if t.pl_pct > 0.05]
            if crossover(self.ma, self.mb):
                self.buy(size=1)
        """,
        soak=True,
    ),
    case(
        "a_date_compared",
        "if self.data.index[-1] == datetime.datetime(2010, 1, 4): self.buy(size=1)",
        soak=True,
    ),
    case(
        "a_date_kept",
        """
            d = self.data.index[-1].date()
            if self.last != d and d.day == 1:
                self.buy(size=1)
            self.last = d
            if self.last == datetime.date(2010, 1, 29):
                self.position.close()
        """,
        init="self.last = None",
        soak=True,
    ),
    case(
        "lists",
        """
            self.p.append(self.data.Close[-1])
            if len(self.p) > 20:
                self.p = self.p[1:]
            if len(self.p) == 20 and self.p[-1] > max(self.p[:-1]) and (not self.position):
                self.buy(size=1)
            if len(self.p) > 6 and self.p[-1] < sum(self.p[-5:]) / 5 - np.std(self.p) * 0.1:
                self.position.close()
            if len(self.p) > 8 and np.mean(self.p) > np.mean(self.p[-3:]):
                self.q.append(len(self.data))
            for x in self.q:
                if len(self.data) - x > 30:
                    self.q.remove(x)
            if 1000 in self.q:
                self.q.clear()
            self.q.insert(1, 5)
            self.q = self.q[-100:]
            if len(self.q) > 50:
                del self.q[0]
            self.q[0] = self.q[0] + 1
            self.q += [3, 4]
            self.z = [x * 2 for x in self.p if x > 100]
            for x in self.z:
                if x > 1500:
                    self.position.close()
                    break
        """,
        init="self.p = []; self.q = [1, 2]; self.z = []",
    ),
    case(
        "a_local_list",
        """
            xs = []
            for t in self.trades:
                if t.pl > 0:
                    xs.append(t.pl)
            if len(xs) > 2 and sum(xs) > 100 and (xs[0] > 10):
                self.position.close()
            if self.data.Close[-1] > self.ma[-1]:
                self.buy(size=1)
        """,
        plain_sum=True,
    ),
    case(
        "a_local_list_of_prices",
        """
            xs = []
            if self.data.Close[-1] > self.ma[-1]:
                xs.append(1)
            if self.data.Close[-1] > self.mb[-1]:
                xs.append(2)
            if len(xs) == 2 and (not self.position):
                self.buy(size=1)
            if not xs:
                self.position.close()
        """,
        soak=True,
    ),
    case(
        "a_tuple_or_none",
        """
            if self.sw is None or self.data.Close[-1] > self.sw[1]:
                self.sw = (len(self.data), self.data.Close[-1])
            bar, price = self.sw
            if len(self.data) - bar > 20:
                self.sw = None
            if self.sw and len(self.data) - self.sw[0] == 10:
                self.buy(size=1)
            if price > self.data.Close[-1] * 1.1:
                self.position.close()
        """,
        init="self.sw = None",
    ),
    case(
        "none_taken_apart",
        """
            if self.sw[0] > 3:
                self.buy(size=1)
            self.sw = (1, 2)
        """,
        init="self.sw = None",
        in_python=True,
        soak=True,
    ),
    case(
        "times",
        """
            if crossover(self.ma, self.mb):
                self.buy(size=1)
                self.t0 = self.data.index[-1]
            for t in self.trades:
                if self.data.index[-1] - t.entry_time > pd.Timedelta(days=12):
                    t.close()
            long_ago = self.t0 is not None and (self.data.index[-1] - self.t0).days > 40
            if long_ago and not self.position:
                self.sell(size=1)
            now = self.data.index[-1]
            if self.t0 is not None and (now - self.t0).total_seconds() / 3600 > 24 * 50:
                self.position.close()
                self.t0 = None
        """,
        init="self.t0 = None",
    ),
    case(
        "times_of_closed_trades",
        """
            days = datetime.timedelta(days=30)
            if self.closed_trades:
                last = self.closed_trades[-1]
                if last.exit_time > last.entry_time + days:
                    self.buy(size=2)
            if crossover(self.ma, self.mb):
                self.buy(size=1, tag="x")
            elif crossover(self.mb, self.ma):
                self.position.close()
        """,
        soak=True,
    ),
    case(
        "slices_of_trades",
        """
            loss = 0
            for t in self.closed_trades[-3:]:
                if t.pl < 0:
                    loss += 1
            for t in self.trades[1:]:
                t.close()
            for t in self.closed_trades[self.seen:]:
                self.bal += t.pl
            self.seen = len(self.closed_trades)
            if loss < 3 and self.data.Close[-1] > self.ma[-1]:
                self.buy(size=1)
            elif self.data.Close[-1] < self.ma[-1]:
                self.position.close()
        """,
        init="self.seen = 0; self.bal = 0.0",
    ),
    case(
        "numpy_of_single_numbers",
        """
            d = np.where(self.data.Close[-1] > self.ma[-1], 1, -1)
            s = np.sign(self.equity - 10000.0)
            if d > 0 and s >= 0:
                self.buy(size=1)
            elif np.maximum(self.equity, 9990.0) < 10000 or np.minimum(self.equity, 2.0) < 1:
                self.position.close()
        """,
    ),
    case(
        "numpy_rounds",
        """
            x = round(self.data.Close[-1] * self.cnt, 1)
            self.cnt += 0.37
            if round(x, 2) % 2 < 1:
                self.buy(size=1)
            else:
                self.position.close()
        """,
        init="self.cnt = 0.1",
    ),
    case(
        "floor_and_modulo",
        """
            v = int(self.data.Close[-1] - self.ma[-1])
            a = v // 3 + -v % 7 - v % -5
            b = (self.equity - 10010) // 3.3 + (self.equity - 10010) % -2.7
            if a % 3 == 1 or b > 5:
                self.buy(size=1)
            elif a % 5 == 0:
                self.position.close()
        """,
    ),
    case(
        "a_division_by_zero",
        """
            if 5 / self.position.size > 3:
                self.buy()
            if crossover(self.ma, self.mb):
                self.buy(size=1, tag="x")
            elif crossover(self.mb, self.ma):
                self.position.close()
        """,
        in_python=True,
        soak=True,
    ),
    case(
        "numpy_divides_by_zero",
        """
            nothing = self.data.Close[-1] - self.data.Close[-1]
            x = nothing / nothing
            y = 1 / (self.data.Close[-2] - self.data.Close[-2])
            if x != x and y > 100 and (self.equity > 0) and crossover(self.ma, self.mb):
                self.buy(size=1)
        """,
    ),
    case(
        "a_name_without_value",
        """
            if self.data.Close[-1] > self.ma[-1]:
                x = 1
            if x == 1:
                self.buy(size=1)
        """,
        in_python=True,
        soak=True,
    ),
    case(
        "a_name_with_a_value_in_time",
        """
            if self.data.Close[-1] > self.ma[-1]:
                x = 1
            if self.data.Close[-1] > self.ma[-1] and x == 1:
                self.buy(size=1)
            else:
                self.position.close()
        """,
        soak=True,
    ),
    case(
        "a_chain_of_super",
        """
            super().next()
            if self.cnt % 9 == 0:
                self.position.close()
        """,
        init="self.cnt = 0",
        extra="""
            class Base(Strategy):
                def init(self):
                    self.cnt = 0
                def next(self):
                    self.cnt += 1
                    if self.cnt % 7 == 0:
                        self.buy(size=1)
            class Mixin(Base):
                def next(self):
                    super().next()
                    if self.cnt % 11 == 0:
                        self.sell(size=1)
        """,
        base="Mixin",
    ),
    case(
        "is_true",
        "if self.flag is True and crossover(self.ma, self.mb): self.buy(size=1)",
        attrs="flag = True",
        grid="({'flag': True}, {'flag': False})",
        soak=True,
    ),
    case(
        "while_and_break",
        """
            i = 1
            while True:
                if i > 6 or self.data.Close[-i] < self.data.Close[-i - 1]:
                    break
                i += 1
            if i > 3:
                self.buy(size=1)
            if i == 1:
                self.position.close()
        """,
        soak=True,
    ),
    case(
        "text_put_together",
        """
            tag = self.mode + "_x"
            if crossover(self.ma, self.mb):
                self.buy(size=1, tag=tag)
            for t in self.trades:
                if t.tag == "long_x" and t.pl > 0:
                    t.close()
        """,
        attrs="mode = 'long'",
        grid="({'mode': 'long'}, {'mode': 'short'})",
        soak=True,
    ),
    case(
        "raises_on_a_bar_left_out",
        """
            if self.data.Close[-1] > self.mb[-1] * 1.2:
                x = self.trades[-1].pl
                if x > 0:
                    self.position.close()
            if len(self.data) == 1000:
                self.buy(size=1)
        """,
        in_python=True,
    ),
    case(
        "none_on_a_bar_left_out",
        """
            if self.data.Close[-1] > self.mb[-1] * 1.2:
                if self.lvl * 2 > 5:
                    self.buy(size=1)
            if len(self.data) == 2000:
                self.lvl = 3.0
        """,
        init="self.lvl = None",
        in_python=True,
        soak=True,
    ),
    case(
        "caught_on_a_bar_left_out",
        """
            try:
                if self.data.Close[-1] > self.mb[-1] * 1.2:
                    if self.trades[-1].pl > 0:
                        self.position.close()
            except IndexError:
                self.buy(size=1)
        """,
        in_python=True,
        soak=True,
    ),
    case(
        "a_trade_handed_on",
        """
            for t in self.trades:
                self.trail(t, 0.97)
            if crossover(self.ma, self.mb):
                self.buy(size=1)
        """,
        methods="""
            def trail(self, trade, share):
                new = self.data.Close[-1] * share
                if trade.sl is None or new > trade.sl:
                    trade.sl = new
        """,
    ),
    case(
        "several_returned",
        """
            a, b = self.levels()
            if b is not None and self.data.Close[-1] > a:
                self.buy(size=1, sl=b)
            elif b is None:
                self.position.close()
        """,
        methods="""
            def levels(self):
                if self.data.Close[-1] > self.ma[-1]:
                    return (self.ma[-1], self.data.Close[-1] * 0.9)
                return (self.mb[-1], None)
        """,
    ),
    case(
        "enumerated_trades",
        """
            s = 0
            for i, t in enumerate(self.trades):
                s += i * t.size
            if s > 10:
                self.position.close()
            if self.data.Close[-1] > self.ma[-1]:
                self.buy(size=1)
        """,
        soak=True,
    ),
    case(
        "sums_and_extremes_of_comprehensions",
        """
            up = sum((1 for i in range(1, 6) if self.data.Close[-i] > self.data.Close[-i - 1]))
            ex = sum((t.size * t.entry_price for t in self.trades))
            mx = max([t.pl for t in self.trades]) if self.trades else 0
            if up >= 4 and ex < 5000:
                self.buy(size=1)
            if mx > 50:
                self.position.close()
        """,
        soak=True,
    ),
    case(
        "a_truth_value_or_a_number",
        """
            x = self.ma[-1] > self.mb[-1]
            if len(self.data) % 2:
                x = 2
            if x + 1 > 2:
                self.buy(size=1)
            else:
                self.position.close()
        """,
        soak=True,
    ),
    case(
        "truth_values_and_floats_of_or",
        """
            v = self.position.size and 0.5 or self.ma[-1] > self.mb[-1] or 0.25
            if v == 0.25:
                self.buy(size=1)
            elif v == 0.5 and self.ma[-1] < self.mb[-1]:
                self.position.close()
        """,
    ),
    case(
        "none_or_zero",
        """
            self.best = max(self.best or 0, self.data.Close[-1])
            if self.data.Close[-1] < self.best * 0.9:
                self.position.close()
                self.best = None
            elif crossover(self.ma, self.mb):
                self.buy(size=1)
        """,
        init="self.best = None",
        soak=True,
    ),
    case(
        "a_dictionary",
        """
            self.box["n"] += 1
            if self.box["top"] is None or self.data.Close[-1] > self.box["top"]:
                self.box["top"] = self.data.Close[-1]
            if self.box["n"] % 10 == 0:
                self.buy(size=1)
            if self.data.Close[-1] < self.box["top"] * 0.9:
                self.position.close()
                self.box["top"] = None
        """,
        init='self.box = {"n": 0, "top": None}',
        soak=True,
    ),
    case(
        "columns_by_properties",
        """
            if not self.position and self.signal > 0:
                self.buy(size=1)
            elif self.signal < 0:
                self.position.close()
        """,
        methods="""
            @property
            def signal(self):
                if len(self.data) > 2000:
                    return 0.0
                recent = self.data.Close[-10 - self.k:]
                return float(np.median(self.data.Close[-10:]) - np.percentile(recent, 40))
        """,
        grid="({'n': 10, 'k': 2}, {'n': 10, 'k': 9}, {'n': 10, 'k': 5})",
        soak=True,
    ),
    case(
        "parameters_of_several_types",
        """
            if not self.position and self.data.Close[-1] / self.data.Close[-2] - 1 > self.width:
                self.buy(size=self.size, tag=self.mode)
            elif self.flag:
                self.position.close()
        """,
        attrs="""
            size = 1
            flag = True
            mode = None
        """,
        grid="""(
            {'width': 1, 'size': 1, 'flag': True, 'mode': None},
            {'width': 0.01, 'size': 0.5, 'flag': False, 'mode': 'a'},
            {'width': 0.01, 'size': 3.0, 'flag': True, 'mode': 'b'},
        )""",
        soak=True,
    ),
    case(
        "a_product_of_parameters",
        """
            if 1000003 * self.n * 1000003 * self.k % 7 == 3:
                self.buy(size=1)
            elif self.position:
                self.position.close()
        """,
        grid="({'n': 10, 'k': 2}, {'n': 10, 'k': 5})",
        soak=True,
    ),
    case(
        "a_full_list",
        """
            self.prices.append(self.data.Close[-1])
            if len(self.prices) == 500:
                self.buy(size=1)
        """,
        init="self.prices = []",
        in_python=True,
        soak=True,
    ),
    case(
        "martingale",
        """
            if self.closed_trades and len(self.closed_trades) > self.seen:
                lost = self.closed_trades[-1].pl < 0
                self.losses = min(self.losses + 1, 6) if lost else 0
                self.seen = len(self.closed_trades)
            if crossover(self.ma, self.mb):
                self.buy(size=2 ** self.losses)
            elif crossover(self.mb, self.ma):
                self.position.close()
        """,
        init="self.losses = self.seen = 0",
        soak=True,
    ),
)
