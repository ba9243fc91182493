"""BigBar by an engine of one's own, in plain Python: run it next to `example.csv`."""

import numpy as np
import pandas as pd
from backtesting._stats import compute_stats

import bigbar
from bigbar.calendar import period_returns
from bigbar.engines.any_strategy.statistics import statistics_row
from bigbar.engines.contract import TRADE_COLUMNS, EngineKind
from bigbar.engines.find import ENGINES
from bigbar.errors import SettingsError
from bigbar.strategies.big_bar.description import BigBar, big_bar_account
from bigbar.strategies.big_bar.indicators import average_true_range


class PlainEngine:
    """BigBar in a plain loop, the statistics by backtesting.py."""

    def __init__(self, file, job):
        if not isinstance(job.spec, BigBar) or job.account != big_bar_account(job.account.cash):
            raise SettingsError("the plain engine knows BigBar only, neither costs nor leverage")
        self.file, self.job = file, job
        self.bars = file.iloc[job.bars]

    def run(self, start, stop):
        return np.stack([statistics_row(self.stats(number)) for number in range(start, stop)])

    def trades(self, number):
        return self.stats(number)["_trades"][list(TRADE_COLUMNS)]

    def equity(self, number):
        return self.stats(number)["_equity_curve"]["Equity"]

    def returns(self, start, stop):
        rows = [period_returns(self.equity(number)) for number in range(start, stop)]
        return np.stack(rows).astype(np.float32)

    def stats(self, number):
        cash = self.job.account.cash
        close = self.bars["Close"].to_numpy()
        equity, trades = np.full(len(close), cash), []
        for entry, leave, side in self.signals(**self.job.space[number]):
            size = side * int(cash / close[entry])
            if size == 0:
                continue
            # Not size * (close - entry): as the broker has it, to the last bit. Whether equity
            # is back at its old peak decides how many drawdowns there were.
            equity[entry + 1 :] = cash + (close[entry + 1 :] * size - close[entry] * size)
            if leave is None:  # still open at the end
                break
            profit = size * (close[leave] - close[entry])
            cash += profit
            equity[leave + 1 :] = cash
            gain = side * (close[leave] / close[entry] - 1)
            trades.append((size, entry, leave, close[entry], close[leave], profit, 0.0, gain))
        listed = pd.DataFrame(trades, columns=list(TRADE_COLUMNS[:8])).astype(
            {"EntryBar": int, "ExitBar": int, "PnL": float, "ReturnPct": float}
        )
        listed["EntryTime"] = self.bars.index[listed["EntryBar"]]
        listed["ExitTime"] = self.bars.index[listed["ExitBar"]]
        listed["Duration"] = listed["ExitTime"] - listed["EntryTime"]
        return compute_stats(listed, equity, self.bars, None)

    def signals(self, atr_period, k_atr, uptail_max_ratio, previous_weight, buffer_ratio):
        """Entry bar, exit bar (None: never) and side of each trade."""
        file, bars = self.file, self.bars
        atr = average_true_range(file["TrueRange"].to_numpy(), atr_period)[self.job.bars]
        # A short is a long in the mirror.
        views = {
            1: [bars[name].to_numpy() for name in ("Open", "High", "Low", "Close")],
            -1: [-bars[name].to_numpy() for name in ("Open", "Low", "High", "Close")],
        }
        momentum, restricted = bars["Momentum"].to_numpy(), bars["Restricted"].to_numpy()
        i, last = 1, len(bars) - 1
        while i < last:  # an order on the last bar is never filled
            side = 1 if views[1][3][i] > views[1][0][i] else -1
            open_, high, low, close = views[side]
            height = high[i] - low[i]
            if (
                not restricted[i]
                and close[i] > open_[i]
                and height >= k_atr * atr[i]
                and side * momentum[i] >= previous_weight
                and high[i] - close[i] < uptail_max_ratio * height
            ):
                leave = self.exit(i, *views[side], restricted, buffer_ratio * height)
                yield i, leave, side
                if leave is None:
                    return
                i = leave
            i += 1

    @staticmethod
    def exit(entry, open_, high, low, close, restricted, room):
        stop = low[entry] - room
        for i in range(entry + 1, len(close) - 1):
            if restricted[i]:
                return i
            if i == entry + 1:
                stop = max(stop, low[i] - room)
                if close[i] <= open_[i] or high[i] <= high[entry]:
                    return i
                continue
            stop = max(stop, min(low[i], low[i - 1]))
            if low[i] <= stop:
                return i
        return None


ENGINES["plain"] = EngineKind(PlainEngine, sample_slice=1)

if __name__ == "__main__":
    found = bigbar.optimize(
        "example.csv",
        engine="plain",
        atr_period=[20, 50],
        k_atr="1:3:1",
        uptail_max_ratio=0.7,
        previous_weight="0.1,0.4",
        verify=5,
        validate=False,
    )
    print(found.best_parameters)
    print(found.verification)
