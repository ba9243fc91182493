"""Imports without the garbage collector.

Nothing that a module makes when it is imported is garbage, and looking for some takes a tenth of
the time that imports take.
"""

from __future__ import annotations

import gc


def pause() -> None:
    """Look for no garbage, until `resume`."""
    gc.disable()


def resume() -> None:
    """Look for garbage again, in what is made from now on.

    Workers that are forked later share the rest, as nothing touches it.
    """
    gc.freeze()
    gc.enable()
