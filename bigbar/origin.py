"""Whose code it is: the trader's own, or a library's."""

from __future__ import annotations

import sys
from functools import lru_cache
from weakref import WeakKeyDictionary


def own_roots(strategy: type) -> frozenset[str]:
    """The packages that a strategy's class and its bases are from, however they were installed.

    Python's own and `backtesting` are not among them.
    """
    known = _roots.get(strategy)
    if known is None:
        roots = {kind.__module__.partition(".")[0] for kind in strategy.__mro__}
        known = _roots[strategy] = frozenset(roots - {"backtesting"} - sys.stdlib_module_names)
    return known


#: Of the classes that were asked about.
_roots: WeakKeyDictionary[type, frozenset[str]] = WeakKeyDictionary()


def is_library(module: str, own: frozenset[str] = frozenset()) -> bool:
    """Whether a module is part of Python or was installed, and so is not the trader's own.

    Parameters
    ----------
    module : str
        Its name, as in `__module__`.
    own : frozenset of str
        Packages that are the trader's all the same.
    """
    return module.partition(".")[0] not in own and _is_installed(module)


@lru_cache(maxsize=4096)
def _is_installed(module: str) -> bool:
    root = module.partition(".")[0]
    if root == "__main__":
        return False
    if root in sys.stdlib_module_names:
        return True
    files = [getattr(sys.modules.get(name), "__file__", None) for name in (root, module)]
    file = (files[0] or files[1] or "").replace("\\", "/")
    return "/site-packages/" in file or "/dist-packages/" in file
