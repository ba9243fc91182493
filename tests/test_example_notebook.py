"""docs/notebook.ipynb: it runs, and what is stored in it is what comes of it."""

from __future__ import annotations

import importlib.util
import os
import re
from pathlib import Path
from typing import Any

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not all(map(importlib.util.find_spec, ("nbclient", "nbformat", "ipykernel"))),
        reason="needs nbclient, nbformat and ipykernel: pip install -r requirements-dev.txt",
    ),
]

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK = ROOT / "docs" / "notebook.ipynb"

#: Whole numbers and decimals; what stands around them is laid out by pandas.
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def read() -> Any:
    import nbformat

    found = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(found)
    return found


def code_cells(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def told(cell: Any) -> list[str]:
    """What a cell printed and gave, as text; bars and what they leave are not kept."""
    return [
        output.text if output.output_type == "stream" else output.data["text/plain"]
        for output in cell.outputs
        if output.get("name") == "stdout" or output.output_type == "execute_result"
    ]


@pytest.fixture(scope="module")
def executed(tmp_path_factory) -> tuple[Any, Path]:
    from nbclient import NotebookClient

    folder = tmp_path_factory.mktemp("example")
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "IPYTHONDIR": str(folder / ".ipython"),
    }
    notebook = read()
    client = NotebookClient(
        notebook, timeout=240, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    client.execute(env=environment)
    return notebook, folder


def test_it_gives_what_is_stored(executed):
    stored, fresh = code_cells(read()), code_cells(executed[0])
    assert sum(bool(told(cell)) for cell in stored) >= 8
    for before, now in zip(stored, fresh, strict=True):
        for text, again in zip(told(before), told(now), strict=True):
            assert NUMBER.findall(text) == NUMBER.findall(again), before.source
            assert text.split()[:2] == again.split()[:2]


def test_it_saves_what_it_says(executed):
    notebook, folder = executed
    (saved,) = (text for cell in code_cells(notebook) for text in told(cell) if "Path(" in text)
    names = re.findall(r"'sma_cross/([^']+)'", saved)
    assert "report.html" in names
    assert all((folder / "sma_cross" / name).is_file() for name in names)


def test_it_shows_two_cards_and_no_machine():
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert not re.search(r"/(?:tmp|home|root|Users|work|usr)/|[A-Z]:\\\\|site-packages", text)
    cards = [
        output.data["text/html"]
        for cell in code_cells(read())
        for output in cell.outputs
        if "<polyline" in str(output.get("data", {}).get("text/html"))
    ]
    assert len(cards) == 2
    assert not any(
        output.output_type == "error" for cell in code_cells(read()) for output in cell.outputs
    )
