"""Any strategy whose `next()` can be translated, compiled; the rest is `backtesting.py`'s."""
