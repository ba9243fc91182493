"""Code that has no file to read: what functions and classes are compiled to, and all they reach."""

from __future__ import annotations

import builtins
import dis
import hashlib
import inspect
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import CodeType, ModuleType
from typing import Any


@dataclass
class Reached:
    """What a walk over code objects came to.

    Attributes
    ----------
    text : str
        Of the code and the values it uses: the same for the same, in any process.
    modules : set of str
        Names of modules that it uses.
    names : set of str
        Every name that its code mentions.
    paths : set of str
        What it uses of modules, `os.path.join`.
    unknown : list of str
        Names whose values cannot be told apart from others.
    """

    text: str = ""
    modules: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    paths: set[str] = field(default_factory=set)
    unknown: list[str] = field(default_factory=list)

    @property
    def sha256(self) -> str:
        """Digest of the text."""
        return hashlib.sha256(self.text.encode("utf-8", "backslashreplace")).hexdigest()


def reached_from(*things: Any, inside: Callable[[str], bool]) -> Reached:
    """Walk from functions and classes to all code and values that they use.

    Parameters
    ----------
    *things : callable
    inside : callable
        Whether code of a module is walked on into; of other modules only the names are noted.

    Returns
    -------
    Reached
    """
    walk = _Walk(inside)
    for thing in things:
        walk.add("", thing)
    return Reached("\n".join(walk.lines), walk.modules, walk.names, walk.paths, walk.unknown)


class _Walk:
    def __init__(self, inside: Callable[[str], bool]) -> None:
        self.inside = inside
        self.lines: list[str] = []
        self.modules: set[str] = set()
        self.names: set[str] = set()
        self.paths: set[str] = set()
        self.unknown: list[str] = []
        self._done: dict[int, int] = {}
        self._kept: list[Any] = []  # An id is one only while its object is there.

    def add(self, name: str, thing: Any) -> None:
        """A value that goes by a name, with whatever it reaches."""
        if isinstance(thing, ModuleType):
            self.modules.add(thing.__name__)
            self.lines.append(f"{name}=module {thing.__name__}")
            return
        if not isinstance(thing, type) and not _is_function(thing):
            try:
                text = value_text(thing)
            except RecursionError:  # A list that holds itself.
                text = None
            if text is None:
                self.unknown.append(name)
            self.lines.append(f"{name}={text}")
            return
        module = getattr(thing, "__module__", None) or ""
        if module and not self.inside(module):
            self.modules.add(module)
            shown = getattr(thing, "__qualname__", getattr(thing, "__name__", ""))
            self.lines.append(f"{name}={module}.{shown}")
            return
        known = self._done.get(id(thing))
        if known is not None:  # Recursion, or the same thing twice.
            self.lines.append(f"{name}=#{known}")
            return
        self._done[id(thing)] = len(self._done)
        self._kept.append(thing)
        self.lines.append(f"{name}:")
        if isinstance(thing, type):
            self._class(thing)
        else:
            self._function(name, thing)

    def _class(self, thing: type) -> None:
        for base in thing.__bases__:
            self.add("base", base)
        for name, value in sorted(vars(thing).items()):
            if name in _OF_CLASSES or name.startswith("_abc_"):
                continue
            for part in _parts(value):
                self.add(name, part)

    def _function(self, name: str, function: Any) -> None:
        code: CodeType | None = getattr(function, "__code__", None)
        if code is None:
            inner = getattr(function, "func", None)  # A partial's.
            if inner is None:
                self.unknown.append(name)
                return
            self.add("func", inner)
            self.add("args", [function.args, function.keywords])
            return
        self.lines.append(code_text(code))
        self.names |= names_in(code)
        paths, imported = paths_in(code, function.__globals__)
        self.paths |= paths
        self.modules |= imported
        self.add("defaults", function.__defaults__)
        self.add("kwdefaults", function.__kwdefaults__)
        for cell_name, cell in zip(code.co_freevars, function.__closure__ or (), strict=False):
            try:
                content = cell.cell_contents
            except ValueError:  # Not bound yet, or never.
                continue
            if cell_name != "__class__":
                self.add(cell_name, content)
        for global_name in sorted(globals_in(code) & function.__globals__.keys()):
            self.add(global_name, function.__globals__[global_name])
        wrapped = getattr(function, "__wrapped__", None)
        if wrapped is not None:
            self.add("wrapped", wrapped)


#: Of a class, made by Python or of no consequence.
_OF_CLASSES = frozenset(
    {
        "__dict__", "__weakref__", "__module__", "__doc__", "__annotations__", "__qualname__",
        "__static_attributes__", "__firstlineno__", "__annotate_func__", "__annotations_cache__",
        "__orig_bases__", "__parameters__", "__abstractmethods__",
    }
)  # fmt: skip


def _is_function(thing: Any) -> bool:
    return callable(thing) and (
        hasattr(thing, "__code__") or (hasattr(thing, "func") and hasattr(thing, "keywords"))
    )


def _parts(value: Any) -> Iterator[Any]:
    """The functions that a member of a class is made of; the member itself where of none."""
    if isinstance(value, property):
        yield from (part for part in (value.fget, value.fset, value.fdel) if part is not None)
    elif isinstance(value, staticmethod | classmethod):
        yield value.__func__
    elif hasattr(value, "func") and not callable(value):  # A cached property's.
        yield value.func
    else:
        yield value


def code_text(code: CodeType) -> str:
    """A code object as text: all of it but for where it stands."""
    constants = [
        code_text(one) if isinstance(one, CodeType) else value_text(one) or repr(one)
        for one in code.co_consts
    ]
    return repr(
        (
            code.co_name, code.co_code.hex(), constants, code.co_names, code.co_varnames,
            code.co_freevars, code.co_cellvars, code.co_flags, code.co_argcount,
            code.co_posonlyargcount, code.co_kwonlyargcount,
            getattr(code, "co_exceptiontable", b"").hex(),
        )
    )  # fmt: skip


def names_in(code: CodeType) -> set[str]:
    """Every name that a code object mentions: globals, attributes, modules."""
    found = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            found |= names_in(constant)
    return found


def globals_in(code: CodeType) -> set[str]:
    """The globals that a code object looks up."""
    found = {
        str(step.argval)
        for step in dis.get_instructions(code)
        if step.opname in ("LOAD_GLOBAL", "LOAD_NAME")
    }
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            found |= globals_in(constant)
    return found


def paths_in(
    code: CodeType, namespace: Mapping[str, Any], local: Mapping[str, str] | None = None
) -> tuple[set[str], set[str]]:
    """What a code object uses of modules, from the module on, and the modules it imports itself.

    Parameters
    ----------
    code : code
    namespace : mapping
        Its globals.
    local : mapping of str to str, optional
        What goes by the names of the functions around it.

    Returns
    -------
    paths, imported : set of str
    """
    paths, imported = set[str](), set[str]()
    known = dict(local or {})
    path, base = None, ""  # Of what is on top of the stack; of the import that is going on.
    for step in dis.get_instructions(code):
        name = step.argval[-1] if isinstance(step.argval, tuple) else step.argval
        if step.opname in _NO_STEP:
            continue
        if step.opname in ("LOAD_ATTR", "LOAD_METHOD"):
            path = path and f"{path}.{name}"
            continue
        if path is not None and step.opname.startswith("STORE_"):
            top = path.partition(".")[0]
            known[name] = top if name == top and path == base else path
            path = None if path in sys.modules else path
        if path is not None and step.opname != "IMPORT_FROM":
            paths.add(path)
        path = None
        if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            path = known.get(name) or _path_of(name, namespace)
        elif step.opname.startswith(("LOAD_FAST", "LOAD_DEREF", "LOAD_CLASSDEREF")):
            path = known.get(name)
        elif step.opname == "IMPORT_NAME":
            path = base = name
            imported.add(name)
        elif step.opname == "IMPORT_FROM":
            path = f"{base}.{name}"
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            more, others = paths_in(constant, namespace, known)
            paths |= more
            imported |= others
    return paths, imported - {""}


#: Instructions between a name and its attributes that change nothing of it.
_NO_STEP = frozenset(
    {"CACHE", "EXTENDED_ARG", "NOP", "PRECALL", "PUSH_NULL", "RESUME", "SWAP", "COPY"}
)


def _path_of(name: str, namespace: Mapping[str, Any]) -> str | None:
    """What goes by the name of a global, from its module on; None where it is of no module."""
    if name not in namespace:
        return f"builtins.{name}" if hasattr(builtins, name) else None
    value = namespace[name]
    if isinstance(value, ModuleType):
        return value.__name__
    if isinstance(value, os.PathLike):
        return "pathlib.Path"
    called = getattr(value, "__qualname__", None)
    home = getattr(value, "__module__", None)
    if not callable(value) or not isinstance(called, str) or not isinstance(home, str):
        return None
    return f"{home}.{called}"


def value_text(value: Any) -> str | None:
    """A value as text that no other value has; None where there is none.

    Numbers, texts, and lists, sets, dicts and arrays of them have one, and whatever else is printed
    without its address in memory.
    """
    if value is None or isinstance(value, bool | int | float | complex | str | bytes):
        return f"{type(value).__name__}:{value!r}"
    if isinstance(value, list | tuple | set | frozenset):
        items = [value_text(item) for item in value]
        if None in items:
            return None
        known = [item for item in items if item is not None]
        if isinstance(value, set | frozenset):  # Their order is another one in each process.
            known.sort()
        return f"{type(value).__name__}:{known}"
    if isinstance(value, dict):
        pairs = [(value_text(key), value_text(item)) for key, item in value.items()]
        return None if any(None in pair for pair in pairs) else f"dict:{pairs}"
    if inspect.isfunction(value) or isinstance(value, type):
        return None
    return _array_text(value)


def _array_text(value: Any) -> str | None:
    """Of an array, a Series or a DataFrame by its bytes; of others as they are printed."""
    numpy, pandas = sys.modules.get("numpy"), sys.modules.get("pandas")
    if numpy is not None and isinstance(value, numpy.ndarray):
        if value.dtype.hasobject:
            return value_text([value.shape, value.ravel().tolist()])
        digest = hashlib.sha256(numpy.ascontiguousarray(value).tobytes()).hexdigest()
        return f"array:{value.dtype.str}:{value.shape}:{digest}"
    if pandas is not None and isinstance(value, pandas.Series | pandas.DataFrame | pandas.Index):
        try:
            rows = pandas.util.hash_pandas_object(value).to_numpy()
        except TypeError:  # Of objects that have no hash.
            return None
        whole = value if isinstance(value, pandas.DataFrame) else value.to_frame()
        columns = [(str(name), str(kind)) for name, kind in whole.dtypes.items()]
        return f"pandas:{columns}:{hashlib.sha256(rows.tobytes()).hexdigest()}"
    text = repr(value)
    # "<Thing object at 0x7f…>" is another one in each process.
    return None if " at 0x" in text else f"{type(value).__module__}.{type(value).__name__}:{text}"
