"""Indices that are taken for unsigned: never one that is negative, and who would be told."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bigbar.compiled.jit import compiled_entry, compiled_inner
from bigbar.compiled.loop import by_its_address
from bigbar.compiled.pointers import address_of, arrays_at, call_at

ROOT = Path(__file__).resolve().parents[1]

#: Compiled code is looked after there, and kept apart.
CHECKING = {"NUMBA_BOUNDSCHECK": "1", "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}


@compiled_inner
def item(values, k):
    return values[k]


@compiled_entry
def last_and(values, k):
    return values[-1] + item(values, k)


@compiled_entry
def cell(table, i, k):
    table[i, 0] += 1.0
    return table[i, k]


def test_constants_may_count_from_the_end():
    assert last_and(np.arange(5.0), 2) == 4.0 + 2.0


def test_a_table_is_read_and_written_where_it_is_said():
    table = np.arange(6.0).reshape(3, 2)
    assert cell(table, 1, 1) == 3.0
    assert table.tolist() == [[0, 1], [3, 3], [4, 5]]


@pytest.mark.slow
def test_a_negative_variable_is_told_where_indices_are_checked(tmp_path):
    """In a process of its own, where everything is compiled anew."""
    calls = {
        "last_and(np.arange(5.0), 2)": "6.0",
        "last_and(np.arange(5.0), -1)": "IndexError",
        "last_and(np.arange(5.0), 5)": "IndexError",
        "cell(np.zeros((3, 2)), -1, 0)": "IndexError",
        "cell(np.zeros((3, 2)), 0, -1)": "IndexError",
        "by_pointer()": "IndexError",
    }
    lines = ["import numpy as np", "from test_indices import *"]
    for call in calls:
        lines += ["try:", f"    print({call})", "except IndexError:", "    print('IndexError')"]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)],
        env={**os.environ, **CHECKING, "NUMBA_CACHE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == list(calls.values()), done.stderr


def by_pointer() -> float:
    """Of a function that is called by its address, what is raised comes through."""
    from numba import types

    load = arrays_at(types.Tuple((types.Array(types.float64, 1, "C"),)))

    def read_at(place, k):
        (values,) = load(place)
        values[0] = values[k]

    made = by_its_address(read_at, "a test's")

    @compiled_entry
    def call(pointer, values, k):
        call_at(pointer, address_of((values,)), k)
        return values[0]

    return float(call(made.pointer, np.arange(5.0), -1))


@pytest.mark.soak
def test_no_index_of_the_broker_or_the_statistics_is_negative(tmp_path):
    files = ("compiled_broker", "compiled_broker_rules", "kernel", "real_strategies", "translate")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider",
         *(f"tests/test_{one}.py" for one in files)],
        cwd=ROOT,
        env={**os.environ, **CHECKING, "NUMBA_CACHE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:]
