"""Calls with room for their frames: nothing else about them is different."""

import sys

import pytest

from bigbar.engines.stack_room import with_room


def deep(depth: int) -> int:
    return depth if depth == 0 else 1 + deep(depth - 1)


def test_answers_and_errors_come_through():
    assert with_room(lambda: deep(500)) == 500
    with pytest.raises(ZeroDivisionError):
        with_room(lambda: 1 / 0)


def test_within_another_one():
    assert with_room(lambda: with_room(lambda: deep(100))) == 100


@pytest.mark.skipif(
    sys.version_info >= (3, 12) or not sys.platform.startswith("linux"),
    reason="the interpreter keeps a piece of its stack, or the system does not count",
)
def test_no_memory_is_taken_and_given_back_at_every_call():
    """At whatever depth of the stack: each page that is taken anew is a fault."""
    import resource  # Not on Windows.

    def faults_at(depth: int) -> int:
        if depth:
            return faults_at(depth - 1)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(300):
            deep(3)
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    assert max(faults_at(depth) for depth in range(300)) > 250
    assert max(with_room(lambda depth=depth: faults_at(depth)) for depth in range(300)) < 100
