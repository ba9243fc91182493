"""Whose code it is: the trader's own, or a library's."""

from __future__ import annotations

import sys
from functools import lru_cache


@lru_cache(maxsize=4096)
def is_library(module: str) -> bool:
    """Whether a module is part of Python or was installed, and so is not the trader's own.

    Parameters
    ----------
    module : str
        Its name, as in `__module__`.
    """
    root = module.partition(".")[0]
    if root == "__main__":
        return False
    if root in sys.stdlib_module_names:
        return True
    file = getattr(sys.modules.get(root), "__file__", None) or getattr(
        sys.modules.get(module), "__file__", None
    )
    return file is not None and any(
        folder in file.replace("\\", "/") for folder in ("/site-packages/", "/dist-packages/")
    )
