"""Any trader's `Strategy`, unchanged, by `backtesting.py`'s own broker, many times in a process.

The answers are those of `Backtest.run`, to the bit. It is faster because bars on which the broker
has nothing to do cost little, indicators are computed once per distinct input, and the statistics
are made without a pandas object per backtest.
"""
