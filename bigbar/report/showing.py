"""A page shown to whoever looks: embedded in a notebook, in the browser elsewhere."""

from __future__ import annotations

import os
import sys
import webbrowser
from html import escape
from pathlib import Path
from typing import Any

#: Of a page in a notebook, in pixels: it scrolls inside.
_HEIGHT = 720

# The page may run its own scripts and open its downloads. Without `allow-same-origin` it is of no
# origin: it reaches neither the notebook around it, nor what the notebook's server holds.
_SANDBOX = "allow-scripts allow-downloads"

#: Any of these says that there is a browser with a window.
_SCREENS = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")


def in_notebook() -> bool:
    """Whether this is the kernel of a notebook, which shows HTML."""
    return getattr(_shell(), "kernel", None) is not None


def _shell() -> Any:
    """IPython's, where this runs in one; it is not imported for that."""
    ipython = sys.modules.get("IPython")
    return None if ipython is None else ipython.get_ipython()


def embedded(page: str) -> str:
    """A whole page as an element of another one, which it cannot disturb.

    Parameters
    ----------
    page : str
        HTML that needs no other file.

    Returns
    -------
    str
        An iframe.
    """
    return (
        f'<iframe srcdoc="{escape(page)}" sandbox="{_SANDBOX}" title="Report" loading="lazy" '
        f'style="width:100%;height:{_HEIGHT}px;border:0"></iframe>'
    )


def show_page(path: Path) -> None:
    """Show a page that needs no other file: in the notebook, or else in the browser.

    Without a screen nothing is opened: a browser of the terminal would take it over.
    """
    if in_notebook():
        page = embedded(path.read_text(encoding="utf-8"))
        _shell().display_pub.publish({"text/html": page, "text/plain": "<the page about it>"})
    elif os.name == "nt" or sys.platform == "darwin" or any(map(os.environ.get, _SCREENS)):
        webbrowser.open(path.resolve().as_uri())
