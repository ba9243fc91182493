"""The compiled twin of the strategy: signals, trades and statistics in numba."""
