"""The BigBar optimizer: every combination exactly as backtesting.py would answer, in a second.

>>> import bigbar
>>> found = bigbar.optimize("example.csv", workers=2)
>>> found.best_parameters, found.best_statistics, found.table(), found.heatmap()
"""

from bigbar.version import __version__

__all__ = ["Optimization", "__version__", "optimize"]


def __getattr__(name: str) -> object:
    # The API brings pandas; what needs only the version or an error class does not wait for it.
    if name in ("Optimization", "optimize"):
        from bigbar import api

        return getattr(api, name)
    raise AttributeError(f"module 'bigbar' has no attribute {name!r}")
