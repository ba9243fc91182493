"""A trader's own modules on their way to other machines: by their sources, not by their places."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import linecache
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import CodeType, ModuleType
from typing import Any

from bigbar.spec import StrategySpec, remember


@dataclass(frozen=True)
class Source:
    """A module.

    Attributes
    ----------
    file : str
        Where it lies on the machine that it comes from; errors name it.
    text : bytes
    package : bool
        Whether modules are below it.
    """

    file: str
    text: bytes
    package: bool


@dataclass(frozen=True)
class Travelling:
    """What a job needs of a trader's project.

    Attributes
    ----------
    sources : mapping of str to Source
        By the names of the modules.
    spec : StrategySpec or None
        The strategy where its class is in one of them; elsewhere it is known by itself.
    module, name : str
        Where the class is.
    """

    sources: Mapping[str, Source] = field(default_factory=dict)
    spec: StrategySpec | None = None
    module: str = ""
    name: str = ""

    def unpack(self) -> None:
        """Have this process import these modules, and take the class for the strategy's."""
        for known in [one for one in sys.meta_path if isinstance(one, _Finder)]:
            for name, source in known.sources.items():
                if self.sources.get(name) != source:
                    sys.modules.pop(name, None)
            sys.meta_path.remove(known)
        if self.sources:
            sys.meta_path.insert(0, _Finder(self.sources))
        if self.spec is None:
            return
        found: Any = importlib.import_module(self.module)
        for part in self.name.split("."):
            found = getattr(found, part)
        remember(self.spec, found)


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Finds and loads modules by the sources that came along, before any file is looked at."""

    def __init__(self, sources: Mapping[str, Source]) -> None:
        self.sources = sources

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Where a module is: here, or nowhere that is known of."""
        source = self.sources.get(fullname)
        if source is None:
            return None
        spec = importlib.machinery.ModuleSpec(
            fullname, self, origin=source.file, is_package=source.package
        )
        spec.has_location = True
        return spec

    def get_source(self, fullname: str) -> str:
        """The text of a module."""
        return importlib.util.decode_source(self.sources[fullname].text)

    def get_code(self, fullname: str) -> CodeType:
        """The code of a module, which says that it is from where it lay."""
        source = self.sources[fullname]
        return compile(source.text, source.file, "exec", dont_inherit=True)

    def exec_module(self, module: ModuleType) -> None:
        """Run it; its text is there for whoever looks for it: tracebacks, the translator."""
        source = self.sources[module.__name__]
        text = self.get_source(module.__name__)
        linecache.cache[source.file] = (len(text), None, text.splitlines(True), source.file)
        exec(self.get_code(module.__name__), vars(module))
