"""How code comes by what is not in the bars: files, networks, clocks, and chance."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator

#: Functions and methods that read from a file, a network, a database, or the surroundings.
_READERS = frozenset(
    {
        "open", "urlopen", "urlretrieve", "read_text", "read_bytes", "fromfile", "genfromtxt",
        "loadtxt", "memmap", "connect", "load_model", "getenv", "environ", "open_dataset",
        "read_csv", "read_parquet", "read_excel", "read_json", "read_pickle", "read_feather",
        "read_sql", "read_hdf", "read_table", "read_html", "read_xml",
    }
)  # fmt: skip

#: Modules that are there for nothing else.
_READING_MODULES = frozenset(
    {
        "aiohttp", "ccxt", "ftplib", "http", "httpx", "pymongo", "redis", "requests", "socket",
        "sqlalchemy", "sqlite3", "subprocess", "urllib", "urllib3", "yfinance",
    }
)  # fmt: skip

#: By module or class, functions that answer differently each time.
_CHANGING = {
    "time": ("time", "time_ns", "localtime", "gmtime", "monotonic", "perf_counter"),
    "datetime": ("now", "utcnow", "today"),
    "date": ("today",),
    "Timestamp": ("now", "utcnow", "today"),
    "os": ("getpid", "urandom", "times"),
    "uuid": ("uuid1", "uuid4"),
    "secrets": ("token_bytes", "token_hex", "randbelow", "choice"),
    "json": ("load",), "pickle": ("load",), "joblib": ("load",), "np": ("load",),
    "numpy": ("load",), "torch": ("load",), "toml": ("load",), "tomllib": ("load",),
    "yaml": ("load", "safe_load"),
}  # fmt: skip

#: Of a module `random`: they make a source of chance, which a seed makes the same each time.
_SOURCES_OF_CHANCE = ("default_rng", "RandomState", "Random", "Generator", "SeedSequence")


def reads_outside(names: Collection[str]) -> str | None:
    """What of some names reads what is not in the bars, in words; None where none does."""
    found = sorted(name for name in names if name in _READERS or name in _READING_MODULES)
    return f"reads what is not in the bars ({found[0]})" if found else None


def outside_calls(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Lines of a source that come by what is not in the bars, each with what they do."""
    seeded = any(
        isinstance(node, ast.Call) and _dotted(node.func)[-1:] == ["seed"] and node.args
        for node in ast.walk(tree)
    )
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names]
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for name in names:
                if name.partition(".")[0] in _READING_MODULES and name != "urllib.parse":
                    yield node.lineno, f"reads what is not in the bars ({name})"
        elif isinstance(node, ast.Attribute) and node.attr == "environ":
            yield node.lineno, "reads what is not in the bars (environ)"
        elif isinstance(node, ast.Call):
            said = _of_call(_dotted(node.func), node, seeded=seeded)
            if said is not None:
                yield node.lineno, said


def _of_call(dotted: list[str], call: ast.Call, *, seeded: bool) -> str | None:
    if not dotted:
        return None
    name, owner = dotted[-1], dotted[-2] if len(dotted) > 1 else ""
    shown = ".".join(dotted)
    if name in _READERS:
        return f"reads what is not in the bars ({shown})"
    if name in _CHANGING.get(owner, ()):
        what = "reads what is not in the bars" if "load" in name else "asks for what changes"
        return f"{what} ({shown})"
    if name in _SOURCES_OF_CHANCE and not (call.args or call.keywords):
        return f"draws numbers by chance, without a seed ({shown})"
    if owner == "random" and not seeded and name not in (*_SOURCES_OF_CHANCE, "seed"):
        return f"draws numbers by chance, without a seed ({shown})"
    return None


def _dotted(node: ast.AST) -> list[str]:
    """`a.b.c` as its parts; what stands before a call or an index is left out."""
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Attribute):
        return [*_dotted(node.value), node.attr]
    return []
