"""A strategy's `next()`, translated to a function that numba compiles.

The instance is translated after its `init`: attributes that are indicators become rows revealed
bar by bar, numbers become parameters of the compiled function, and what `next` assigns becomes its
state. An expression that reads only bars and parameters, and has no translation of its own, is left
to Python, which evaluates it once per bar: its values become a column. What is not understood is
refused, with file, line and reason; nothing is guessed.
"""
