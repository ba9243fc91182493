"""A module imports only from layers above its own, lazily or not, and never in a circle."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

#: The layer of every room: a module of `bigbar`, or a folder of them. Within a layer a room builds
#: only on those before it in the list.
LAYERS = (
    (
        "errors", "version", "printable", "command_line", "_signals", "_tracker", "_leftovers",
        "_streams", "_chartless", "_heap", "_roomy", "resources",
    ),
    (
        "quantities", "given", "settings", "statistics", "indicators", "periods", "grid",
        "_csv_bytes", "_packed", "_tables", "_csv_names", "_csv_days", "_time_zones",
        "reading", "_csv_clocks", "_csv_epochs", "_csv_times", "_csv_zone_columns",
        "_csv_time_columns", "_csv_layout",
        "_csv_headerless", "_csv_dialect", "_csv_numbers", "_csv_rows", "_bar_checks",
        "_csv_errors", "_csv_quick", "_frame_columns", "_time_agreement", "data",
    ),
    ("strategy", "kernel"),
    (
        "any_strategy", "engines", "_blocks", "_columns", "_objects", "shared_memory", "results",
        "feasibility",
    ),
    ("workers",),
    ("scheduling", "_gate", "_stopwatch", "_worker_side", "_crew", "pool"),
    (
        "conditioning", "verification", "validation", "store", "load", "metrics",
        "sampling", "forecast", "budget", "narrator", "bar", "terminal", "outcome", "stored_rows",
        "fan_out", "replays", "pipeline", "standings", "report", "output", "ownership", "delivery",
        "plots", "page", "options", "api",
    ),
    ("history", "__main__", "bigbar_multiprocessing_optimized"),
)  # fmt: skip

PLACE = {room: place for place, room in enumerate(room for rooms in LAYERS for room in rooms)}
SOURCES = (*sorted((ROOT / "bigbar").rglob("*.py")), ROOT / "bigbar_multiprocessing_optimized.py")


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in SOURCES}


def room_of(module: str) -> str:
    """`bigbar.compiled.jit` stands in the room `kernel`."""
    return module.split(".")[1] if module.startswith("bigbar.") else module


def imports_of(path: Path) -> set[str]:
    """Modules of the project that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                found.add(whole if whole in MODULES else str(node.module))
    return {name for name in found if name in MODULES or name.split(".")[0] == "bigbar"}


IMPORTS = {module: imports_of(path) for module, path in MODULES.items()}


def test_every_module_has_a_layer():
    assert {room_of(module) for module in MODULES} - {"bigbar"} <= set(PLACE)


def test_every_import_is_of_a_module():
    assert set().union(*IMPORTS.values()) <= set(MODULES)


@pytest.mark.parametrize("module", sorted(set(MODULES) - {"bigbar"}))
def test_imports_come_from_above(module):
    room = room_of(module)
    # The package itself, `bigbar`, holds names for users: no module of it builds on them.
    wrong = [
        other
        for other in IMPORTS[module]
        if other == "bigbar" or (room_of(other) != room and PLACE[room_of(other)] > PLACE[room])
    ]
    assert not wrong, f"{module} imports {wrong}, which is not above it"


def test_no_circles():
    """Take away what imports nothing that is left, until nothing is left."""
    left = {module: set(others) for module, others in IMPORTS.items()}
    while free := {module for module, others in left.items() if not others & set(left)}:
        left = {module: others for module, others in left.items() if module not in free}
    assert not left, f"in a circle, or on one: {sorted(left)}"


def test_the_package_shows_the_api_and_the_version_only():
    assert IMPORTS["bigbar"] == {"bigbar.api", "bigbar.version"}


def test_the_reading_of_imports():
    """Lazy ones count, and so does a module imported from its package."""
    assert "bigbar.strategies.big_bar.strategy" in IMPORTS["bigbar.engines.contract"]
    assert "bigbar.strategies.big_bar.engine" in IMPORTS["bigbar.engines.contract"]
    assert "bigbar.strategies.big_bar.indicators" in IMPORTS["bigbar.strategies.big_bar.signals"]
