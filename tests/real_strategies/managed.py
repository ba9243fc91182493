"""Open trades and waiting orders, looked after bar by bar."""

import pandas as pd
from backtesting import Strategy
from backtesting.lib import crossover
from backtesting.test import SMA

from real_strategies.case import case


def average_range(df, n):
    return (df.High - df.Low).rolling(n).mean()


class TrailByAtr(Strategy):
    """A trailing stop by hand, both sides."""

    n_atr = 14
    mult = 2.5

    def init(self):
        self.atr = self.I(average_range, self.data.df, self.n_atr)
        self.ma = self.I(SMA, self.data.Close, 20)

    def next(self):
        price = self.data.Close[-1]
        for trade in self.trades:
            if trade.is_long:
                trade.sl = max(trade.sl or 0, price - self.mult * self.atr[-1])
            else:
                trade.sl = min(trade.sl or float("inf"), price + self.mult * self.atr[-1])
        if not self.trades:
            if crossover(self.data.Close, self.ma):
                self.buy()
            elif crossover(self.ma, self.data.Close):
                print("short", len(self.trades))
                self.sell()


class BreakEven(Strategy):
    """The stop goes to the entry when there is some profit."""

    trigger = 0.02
    stop = 0.03

    def init(self):
        self.ma = self.I(SMA, self.data.Close, 15)

    def next(self):
        price = self.data.Close[-1]
        for trade in self.trades:
            if trade.is_long and trade.pl_pct > self.trigger:
                if trade.sl is None or trade.sl < trade.entry_price:
                    print(f"{trade} to break even")
                    trade.sl = trade.entry_price
        if not self.position and price > self.ma[-1] and self.data.Close[-2] < self.ma[-2]:
            self.buy(sl=price * (1 - self.stop), tp=price * (1 + 3 * self.stop))


class CloseOldTrades(Strategy):
    """Each trade has so many bars."""

    most_bars = 12
    n = 5

    def init(self):
        self.mom = self.I(lambda x: pd.Series(x).diff(self.n).fillna(0), self.data.Close)

    def next(self):
        for trade in self.trades:
            if len(self.data) - trade.entry_bar > self.most_bars:
                trade.close()
        if len(self.trades) < 3 and self.mom > 0:
            self.buy(size=0.3)


class CutLosers(Strategy):
    """Losing trades are closed, winners reduced, by profit of the trade."""

    cut = -0.02
    take = 0.03

    def init(self):
        self.ma = self.I(SMA, self.data.Close, 10)

    def next(self):
        for trade in list(self.trades):
            if trade.pl_pct < self.cut:
                trade.close()
            elif trade.pl_pct > self.take and trade.size > 3:
                trade.close(0.5)
        if self.data.Close > self.ma and len(self.trades) < 2:
            self.buy(size=int(0.4 * self.equity / self.data.Close[-1]))


class MoveTarget(Strategy):
    """The target comes nearer as time passes."""

    first = 0.06

    def init(self):
        self.low10 = self.I(lambda x: pd.Series(x).rolling(10).min(), self.data.Low, name="low10")

    def next(self):
        for trade in self.trades:
            age = len(self.data) - trade.entry_bar
            target = trade.entry_price * (1 + self.first / (1 + age / 4))
            if target > self.data.Close[-1]:
                trade.tp = target
        if not self.position and self.data.Low <= self.low10:
            self.buy(sl=0.94 * self.data.Close[-1], tp=(1 + self.first) * self.data.Close[-1])


class HedgedPair(Strategy):
    """Long and short at the same time, told apart by tag."""

    width = 0.01

    def init(self):
        self.ma = self.I(SMA, self.data.Close, 20)

    def next(self):
        price = self.data.Close[-1]
        if price > self.ma[-1] * (1 + self.width):
            for t in self.trades:
                if t.tag == "long":
                    t.close()
            if not any(t.tag == "short" for t in self.trades):
                self.sell(size=0.2, tag="short")
        elif price < self.ma[-1] * (1 - self.width):
            for t in self.trades:
                if t.tag == "short":
                    t.close()
            if not any(t.tag == "long" for t in self.trades):
                self.buy(size=0.2, tag="long")


class OcoBreakout(Strategy):
    """Two stop orders around a range; the other one goes when one is filled."""

    n = 12

    def init(self):
        self.hi = self.I(lambda x: pd.Series(x).rolling(self.n).max(), self.data.High)
        self.lo = self.I(lambda x: pd.Series(x).rolling(self.n).min(), self.data.Low)

    def next(self):
        if self.position:
            for order in self.orders:
                if not order.is_contingent:
                    order.cancel()
            if len(self.data) - self.trades[0].entry_bar > 10:
                self.position.close()
            return
        for order in self.orders:
            order.cancel()
        if self.hi[-1] > self.data.Close[-1] > self.lo[-1]:
            self.buy(stop=self.hi[-1], size=0.5)
            self.sell(stop=self.lo[-1], size=0.5)


class LadderOfLimits(Strategy):
    """Three limit orders under the price, put anew every so many bars."""

    every = 15
    gap = 0.008

    def init(self):
        pass

    def next(self):
        if len(self.data) % self.every == 0:
            for order in self.orders:
                order.cancel()
            price = self.data.Close[-1]
            for k in range(1, 4):
                self.buy(limit=price * (1 - k * self.gap), size=int(self.equity / price / 4))
        if self.position.pl_pct > 1.0 or self.position.pl_pct < -4:
            self.position.close()


class StopLimitEntry(Strategy):
    """Stop-limit orders, which few use."""

    over = 0.002

    def init(self):
        self.ma = self.I(SMA, self.data.Close, 25)

    def next(self):
        if len(self.orders) > 4:
            self.orders[0].cancel()
        if self.position:
            if self.data.Close < self.ma:
                self.position.close()
        elif self.data.Close > self.ma:
            stop = self.data.High[-1]
            self.buy(size=0.4, stop=stop, limit=stop * (1 + self.over), sl=stop * 0.96)


class WinStreak(Strategy):
    """Size by the last three closed trades."""

    def init(self):
        self.a = self.I(SMA, self.data.Close, 4)
        self.b = self.I(SMA, self.data.Close, 12)

    def next(self):
        if crossover(self.b, self.a):
            self.position.close()
        if crossover(self.a, self.b):
            last = self.closed_trades[-3:]
            wins = sum(1 for t in last if t.pl > 0)
            self.buy(size=0.3 + 0.2 * wins)


CASES = (
    case(TrailByAtr, "GOOG", {"mult": 2.5}, {"mult": 1.5}, commission=0.001),
    case(BreakEven, "GOOG", {"trigger": 0.02, "stop": 0.03}, {"trigger": 0.01, "stop": 0.05}),
    case(CloseOldTrades, "made", {"most_bars": 12}, {"most_bars": 5}),
    case(CutLosers, "GOOG", {"cut": -0.02, "take": 0.03}, {"cut": -0.05, "take": 0.02}, cash=50_000),
    case(MoveTarget, "GOOG", {"first": 0.06}, {"first": 0.12}),
    case(HedgedPair, "made", {"width": 0.01}, {"width": 0.004}, hedging=True),
    case(OcoBreakout, "EURUSD", {"n": 12}, {"n": 30}, margin=0.2, spread=0.0001),
    case(LadderOfLimits, "made", {"every": 15, "gap": 0.008}, {"every": 30, "gap": 0.003}),
    case(StopLimitEntry, "GOOG", {"over": 0.002}, {"over": 0.01}, commission=0.0005),
    case(WinStreak, "GOOG", cash=80_000, commission=(2.0, 0.0005)),
)  # fmt: skip
