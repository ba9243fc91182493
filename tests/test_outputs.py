"""The outputs shown in the docs are what the commands print, times and sizes apart."""

import importlib.util
from types import ModuleType

import pytest
from test_docs import DOCS


@pytest.fixture(scope="module")
def outputs() -> ModuleType:
    spec = importlib.util.spec_from_file_location("outputs", DOCS / "outputs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def made(outputs: ModuleType) -> dict[str, str]:
    return outputs.made()


@pytest.mark.slow
def test_every_output_is_what_is_printed(outputs, made):
    """If not: `python docs/outputs.py` writes them anew."""
    shown = outputs.shown()
    assert {name for _, name, _ in shown} == set(made)
    for page, name, text in shown:
        assert outputs.masked(text) == outputs.masked(made[name]), (page.name, name)


def test_the_answer_fits_a_terminal_of_24_lines(made):
    """As it is printed into a pipe, at the width that `COLUMNS` says."""
    lines = made["answer"].splitlines()
    assert len(lines) <= 23
    for name, text in made.items():
        assert name == "errors" or max(map(len, text.splitlines())) <= 80
        assert "\x1b" not in text


def test_what_is_masked(outputs):
    a = "Timings load 0.1 s\nMemory 3 kB; 7e-13, result c068e72bdbf4\nForecast about 1,234 s"
    b = "Timings a 0.4 s\n  b\nMemory 91.2\n   kB; 1e-15, result 0123456789ab\nForecast about 2 s"
    assert outputs.masked(a) == outputs.masked(b)
    assert outputs.masked("Return 4.64 %") != outputs.masked("Return 4.65 %")
    assert outputs.masked("Note  odd\nReport x") == "Report x"
