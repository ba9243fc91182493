"""`backtesting.py`'s broker, compiled: the same fills, the same money, to the last bit.

`state` says where everything is, `orders` is the queue, `trades` what is open and closed, `fills`
what happens in a bar, and `calls` what a strategy's `next` may ask.
"""
