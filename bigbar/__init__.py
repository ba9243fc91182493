"""The BigBar optimizer: every combination exactly as backtesting.py would answer, in a second.

>>> from bigbar import Backtest  # in place of: from backtesting import Backtest
>>> stats, heatmap = Backtest(data, MyStrategy).optimize(n=range(5, 30, 5), return_heatmap=True)

>>> import bigbar
>>> found = bigbar.optimize("example.csv", workers=2)
>>> found.best_parameters, found.best_statistics, found.table(), found.heatmap()
>>> found.verdict, found.plot(), found.report(), found.save("results")

>>> many = bigbar.optimize_many({"EURUSD": "eurusd.csv", "GOOG": frame}, common="mean rank")
>>> many.table(), many["GOOG"].verdict, many.common.parameters, many.common.verdict

In a notebook `found` shows its light, setting, figures and verdict. Errors are in `bigbar.errors`;
`bigbar.lib` is `backtesting.lib` on top of this `Backtest`.
"""

from typing import TYPE_CHECKING

from bigbar.version import __version__

if TYPE_CHECKING:
    from bigbar.api import Optimization as Optimization
    from bigbar.api import optimize as optimize
    from bigbar.backtest import Backtest as Backtest
    from bigbar.batch.optimizations import Optimizations as Optimizations
    from bigbar.batch.python import optimize_many as optimize_many
    from bigbar.explanation import Explanation as Explanation
    from bigbar.explanation import explain as explain

__all__ = [
    "Backtest",
    "Explanation",
    "Optimization",
    "Optimizations",
    "__version__",
    "explain",
    "optimize",
    "optimize_many",
]


def __getattr__(name: str) -> object:
    # They bring pandas; what needs only the version or an error class does not wait for it.
    if name in ("Optimization", "optimize"):
        from bigbar import api

        return getattr(api, name)
    if name in ("Optimizations", "optimize_many"):
        from bigbar.batch import optimizations, python

        return getattr(optimizations if name == "Optimizations" else python, name)
    if name in ("Explanation", "explain"):
        from bigbar import explanation

        return getattr(explanation, name)
    if name == "Backtest":
        from bigbar.backtest import Backtest

        return Backtest
    raise AttributeError(f"module 'bigbar' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
