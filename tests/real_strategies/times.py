"""The time of the bar: hours, days of the week, dates, sessions."""

import datetime
from datetime import time

import pandas as pd
from backtesting import Strategy
from backtesting.test import SMA

from real_strategies.case import case


class HoursOfTrading(Strategy):
    """Trades in some hours only."""

    start_hour = 8
    end_hour = 16

    def init(self):
        self.ma = self.I(SMA, self.data.Close, 20)

    def next(self):
        hour = self.data.index[-1].hour
        if self.start_hour <= hour < self.end_hour:
            if self.data.Close > self.ma and not self.position:
                self.buy()
        elif self.position:
            self.position.close()


class TurnOfWeek(Strategy):
    """In on Mondays, out on Fridays."""

    day_in = 0
    day_out = 4

    def init(self):
        pass

    def next(self):
        weekday = self.data.index[-1].weekday()
        if weekday == self.day_in and not self.position:
            print(f"{self.data.index[-1]:%Y-%m-%d}: in")
            self.buy()
        elif weekday == self.day_out and self.position:
            self.position.close()


class OpeningRange(Strategy):
    """The first half hour's range, kept as state, closed before the end."""

    def init(self):
        self.day = None
        self.range_high = 0
        self.range_low = 0

    def next(self):
        now = self.data.index[-1]
        if now.date() != self.day:
            self.day = now.date()
            self.range_high = self.data.High[-1]
            self.range_low = self.data.Low[-1]
        if now.time() < time(10, 0):
            self.range_high = max(self.range_high, self.data.High[-1])
            self.range_low = min(self.range_low, self.data.Low[-1])
        elif now.time() >= datetime.time(15, 45):
            self.position.close()
        elif not self.position:
            if self.data.Close[-1] > self.range_high:
                self.buy(sl=self.range_low)
            elif self.data.Close[-1] < self.range_low:
                self.sell(sl=self.range_high)


class MonthEnd(Strategy):
    """Bought late in the month, sold early in the next."""

    last_days = 26

    def init(self):
        self.avg = self.I(SMA, self.data.Close, 50)

    def next(self):
        date = self.data.index[-1]
        if date.day >= self.last_days and self.data.Close > self.avg * 0.95:
            if not self.position:
                self.buy()
        elif 3 <= date.day < self.last_days:
            self.position.close()


class OneTradeADay(Strategy):
    """Counts the trades of a day."""

    most = 1
    session = "morning"

    def init(self):
        self.ma = self.I(SMA, self.data.Close, 12)
        self.today = None
        self.count = 0

    def next(self):
        t = self.data.index[-1]
        if self.today is None or t.date() != self.today:
            self.today = t.date()
            self.count = 0
        if t.hour == 15 and t.minute >= 30:
            self.position.close()
            return
        allowed = t.hour < 12 if self.session == "morning" else t.hour >= 12
        if allowed and self.count < self.most and not self.position:
            if self.data.Close > self.ma:
                self.buy(size=0.5, tp=self.data.Close[-1] * 1.004, sl=self.data.Close[-1] * 0.996)
                self.count += 1


class DatedExit(Strategy):
    """Out so many days after the entry, by differences of times."""

    days = 10

    def init(self):
        self.sma = self.I(SMA, self.data.Close, 30)

    def next(self):
        if self.position:
            held = self.data.index[-1] - self.trades[0].entry_time
            if held.days >= self.days:
                self.position.close()
        elif self.data.Close > self.sma:
            self.buy()


class LondonBreakout(Strategy):
    """The night's range is broken in the morning."""

    stop_after = 17

    def init(self):
        self.high8 = self.I(lambda h: pd.Series(h).rolling(8).max(), self.data.High)
        self.low8 = self.I(lambda l: pd.Series(l).rolling(8).min(), self.data.Low)

    def next(self):
        ts = self.data.index[-1]
        if ts.hour in (8, 9, 10) and ts.dayofweek < 5:
            if self.position:
                return
            if self.data.Close[-1] > self.high8[-2]:
                self.buy(sl=self.low8[-2])
            elif self.data.Close[-1] < self.low8[-2]:
                self.sell(sl=self.high8[-2])
        elif ts.hour >= self.stop_after:
            self.position.close()


class AfterADate(Strategy):
    """Nothing before a date; a year's seasons after it."""

    start = "2006-06-01"

    def init(self):
        self.begin = pd.Timestamp(self.start)

    def next(self):
        if self.data.index[-1] < self.begin:
            return
        month = self.data.index[-1].month
        if month in [11, 12, 1, 2, 3, 4]:
            if not self.position:
                self.buy()
        elif self.position:
            self.position.close()


CASES = (
    case(HoursOfTrading, "EURUSD", {"start_hour": 8, "end_hour": 16}, {"start_hour": 0, "end_hour": 5}),
    case(TurnOfWeek, "GOOG", {"day_in": 0, "day_out": 4}, {"day_in": 3, "day_out": 1}),
    case(OpeningRange, "made", commission=0.0001),
    case(MonthEnd, "GOOG", {"last_days": 26}, {"last_days": 20}),
    case(OneTradeADay, "made", {"most": 1, "session": "morning"}, {"most": 3, "session": "late"}),
    case(DatedExit, "GOOG", {"days": 10}, {"days": 21}, compiles=None),
    case(LondonBreakout, "EURUSD", {"stop_after": 17}, {"stop_after": 13}, margin=0.1),
    case(AfterADate, "GOOG", {"start": "2006-06-01"}, {"start": "2005-12-01"}, compiles=None),
)  # fmt: skip
