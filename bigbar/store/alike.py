"""What must be the same on two machines whose rows stand in one table."""

from __future__ import annotations

import contextlib
import hashlib
import platform
from pathlib import Path

from bigbar.store.fingerprint import package_versions
from bigbar.version import __version__

_HERE = Path(__file__).resolve().parents[1]


def versions_here(packages: tuple[str, ...]) -> dict[str, str]:
    """What decides numbers on this machine besides job and data, by names for a person.

    Parameters
    ----------
    packages : tuple of str
        Further distributions that count: those that a strategy imports.

    Returns
    -------
    dict of str to str
        Of the program itself with a digest of its sources; what is not installed is left out.
    """
    import importlib.metadata

    digest = hashlib.sha256()
    for file in sorted(_HERE.rglob("*.py")):
        digest.update(file.read_bytes())
    found = {
        "Python": platform.python_version(),
        "processors": platform.machine(),
        "bigbar": f"{__version__} ({digest.hexdigest()[:8]})",
        **package_versions(),
    }
    for name in packages:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found
