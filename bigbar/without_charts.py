"""`backtesting.py` imported without Bokeh, which takes longer than everything else of it.

A replay draws nothing. The charts are imported when one is asked for.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from functools import partial
from types import ModuleType
from typing import Any

_CHARTS = "backtesting._plotting"

#: What the other modules of the package take from that one.
_NAMES = ("plot", "plot_heatmaps", "set_bokeh_output")


def import_backtesting() -> None:
    """Import the package, its charts deferred; nothing happens where it is imported already."""
    if "backtesting" in sys.modules:
        return
    deferred = ModuleType(_CHARTS)
    for name in _NAMES:
        setattr(deferred, name, partial(_chart, name))
    sys.modules[_CHARTS] = deferred
    try:
        with warnings.catch_warnings():
            # In a notebook without ipywidgets: bars are drawn as text then.
            warnings.filterwarnings("ignore", "IProgress not found")
            importlib.import_module("backtesting")
    except ImportError:  # A version that takes more from it: whoever imports it next gets it all.
        for module in [one for one in sys.modules if one.split(".")[0] == "backtesting"]:
            del sys.modules[module]
    finally:
        sys.modules.pop(_CHARTS, None)


def _chart(name: str, *arguments: Any, **options: Any) -> Any:
    return getattr(importlib.import_module(_CHARTS), name)(*arguments, **options)
