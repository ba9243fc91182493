"""Whether the numbers are backtesting.py's."""
