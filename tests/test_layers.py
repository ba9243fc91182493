"""A module imports only from layers above its own, lazily or not, and never in a circle."""

import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

#: The layer of every room: a module of `bigbar`, a folder of them, or a part of a folder that
#: stands elsewhere. Within a layer a room builds only on those before it in the list.
LAYERS = (
    (
        "errors", "causes", "program", "version", "chance", "printable", "paragraphs", "given",
        "units", "collector", "command_line", "interrupts", "streams", "without_charts",
        "working_folder", "private_cache", "worker_names", "machine.resources",
    ),
    (
        "origin", "equality", "by_value", "account", "statistics", "series", "choice", "calendar",
        "parameter", "space", "constraint", "search", "results", "pareto", "from_source",
        "user_code", "data", "spec", "job",
    ),
    ("compiled", "sharing", "engines", "strategies.big_bar", "strategies"),
    ("slices", "worker", "engine_trials", "keeping", "executors"),
    ("verification", "validation", "store", "machine"),
    (
        "known", "progress", "outcome", "stored_rows", "sweep", "searching", "reducing",
        "verification.replays", "request", "engine_choice", "settled", "with_points",
        "cluster_setup", "worker_setup", "pipeline",
    ),
    (
        "report", "strategy_options", "short_help", "parser", "config", "execution", "options",
        "instead", "explanation", "optimization", "api", "own_run", "grid_search",
        "backtest", "lib",
    ),
    (
        "history", "dashboard", "completion", "file_run", "batch",
        "bigbar_multiprocessing_optimized", "__main__",
    ),
)  # fmt: skip

PLACE = {room: place for place, room in enumerate(room for rooms in LAYERS for room in rooms)}
SOURCES = (*sorted((ROOT / "bigbar").rglob("*.py")), ROOT / "bigbar_multiprocessing_optimized.py")


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in SOURCES}


def room_of(module: str) -> str:
    """`bigbar.machine.watch` stands in `machine`, `bigbar.machine.resources` in a room alone."""
    name = module.removeprefix("bigbar.")
    while name not in PLACE and "." in name:
        name = name.rpartition(".")[0]
    return name


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


@cache
def all_imports() -> dict[str, set[str]]:
    """What each module imports of the project."""
    return {module: imports_of(path) for module, path in MODULES.items()}


def test_every_module_has_a_layer():
    assert {room_of(module) for module in MODULES} - {"bigbar"} <= set(PLACE)


@pytest.mark.slow
def test_every_import_is_of_a_module():
    assert set().union(*all_imports().values()) <= set(MODULES)


@pytest.mark.parametrize("module", sorted(set(MODULES) - {"bigbar"}))
def test_imports_come_from_above(module):
    room = room_of(module)
    # The package itself, `bigbar`, holds names for users: no module of it builds on them.
    wrong = [
        other
        for other in all_imports()[module]
        if other == "bigbar" or (room_of(other) != room and PLACE[room_of(other)] > PLACE[room])
    ]
    assert not wrong, f"{module} imports {wrong}, which is not above it"


def test_no_circles():
    """Take away what imports nothing that is left, until nothing is left."""
    left = {module: set(others) for module, others in all_imports().items()}
    while free := {module for module, others in left.items() if not others & set(left)}:
        left = {module: others for module, others in left.items() if module not in free}
    assert not left, f"in a circle, or on one: {sorted(left)}"


def test_the_package_shows_what_it_says_and_the_version_only():
    assert all_imports()["bigbar"] == {
        *("bigbar.api", "bigbar.backtest", "bigbar.explanation", "bigbar.version"),
        *("bigbar.batch.optimizations", "bigbar.batch.python"),
    }


#: Where BigBar is at home, and the script with the functions that it was first known by.
BIG_BAR = "bigbar.strategies.big_bar"
ITS_SCRIPT = "bigbar_multiprocessing_optimized"


def test_nobody_knows_big_bar_but_the_script_that_is_named_for_it():
    knowing = {
        module
        for module, others in all_imports().items()
        if not module.startswith(BIG_BAR) and any(other.startswith(BIG_BAR) for other in others)
    }
    assert knowing == {ITS_SCRIPT}
    known = {other for other in all_imports()[ITS_SCRIPT] if other.startswith(BIG_BAR)}
    assert known <= {f"{BIG_BAR}.description", f"{BIG_BAR}.parameters"}


@pytest.mark.slow
def test_it_is_named_in_one_place_only():
    """As text, by which a module could import it all the same."""
    naming = {
        module
        for module, path in MODULES.items()
        if not module.startswith(BIG_BAR) and module != ITS_SCRIPT
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and BIG_BAR in str(node.value)
    }
    assert naming == {"bigbar.strategies.find"}


#: What only BigBar knows: its parameters and columns.
ITS_WORDS = (
    "atr_period", "k_atr", "uptail_max_ratio", "previous_weight", "buffer_ratio", "TrueRange",
    "Momentum", "Restricted",
)  # fmt: skip


@pytest.mark.slow
def test_nobody_else_speaks_of_its_parameters_and_columns():
    speaking = {
        (module, word)
        for module, path in MODULES.items()
        if not module.startswith(BIG_BAR) and module != ITS_SCRIPT
        for word in code_of(path).intersection(ITS_WORDS)
    }
    assert not speaking


def code_of(path: Path) -> set[str]:
    """Names, attributes and texts that are one word; docstrings and comments are not code."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.arg | ast.keyword) and node.arg:
            found.add(node.arg)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(node.value)
    return found


def test_the_reading_of_imports():
    """Lazy ones count, those for types only too, and so does a module imported from a package."""
    assert "bigbar.backtest" in all_imports()["bigbar"]
    assert "bigbar.engines.runner" in all_imports()["bigbar.engines.reference"]
    assert "bigbar.data.read" in all_imports()["bigbar.spec"]
    assert "bigbar.given" in all_imports()["bigbar.account"]


def test_a_part_of_a_folder_may_stand_elsewhere():
    assert room_of("bigbar.machine.resources") == "machine.resources"
    assert room_of("bigbar.machine.watch") == room_of("bigbar.machine") == "machine"
    assert room_of("bigbar.strategies.big_bar.kind") == "strategies.big_bar"
    assert room_of("bigbar.strategies.sma_cross") == "strategies"
