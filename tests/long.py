"""Values of a parametrized test that only a soak takes, see `--soak`."""

from __future__ import annotations

import pytest


def in_a_soak(*values: object) -> list[object]:
    """These values, marked."""
    return [pytest.param(value, marks=pytest.mark.soak) for value in values]
