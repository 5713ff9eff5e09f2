"""Tables of named things that register themselves: datasets, extractors, methods.

A file of the table's package says `@DATASETS.add("kinetics400")` over its class. The first look-up imports every
module of that package whose name has no leading underscore, so adding a thing is adding a file. Workers get names and plain
configs and look the name up in their own process: nothing unpicklable travels.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from vdata.errors import UnknownNameError

__all__ = ["Table"]

T = TypeVar("T")


class Table(Generic[T]):
    """Names to classes, filled by the modules of one package on the first look-up."""

    def __init__(self, kind: str, package: str) -> None:
        """Makes an empty table; `kind` is the word in its error messages."""
        self.kind = kind
        self._package = package
        self._entries: dict[str, T] = {}
        self._loaded = False

    def add(self, name: str) -> Callable[[T], T]:
        """A decorator that enters its class under `name`.

        Raises:
            ValueError: two things of one name; that is a bug in the package, not a user's mistake.
        """

        def enter(entry: T) -> T:
            if self._entries.setdefault(name, entry) is not entry:
                msg = f"two {self.kind}s are named '{name}'"
                raise ValueError(msg)
            return entry

        return enter

    def __getitem__(self, name: str) -> T:
        """The entry of that name.

        Raises:
            UnknownNameError: no entry has it; the message names the nearest and all.
        """
        self._load()
        if name not in self._entries:
            raise UnknownNameError(self.kind, name, self._entries)
        return self._entries[name]

    def __contains__(self, name: object) -> bool:
        """Whether an entry has that name."""
        self._load()
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        """The names, sorted."""
        self._load()
        return iter(sorted(self._entries))

    def __len__(self) -> int:
        """The number of entries."""
        self._load()
        return len(self._entries)

    def _load(self) -> None:
        if self._loaded:
            return
        # Before the imports: a module of the package may look a name up while it is imported.
        self._loaded = True
        package = importlib.import_module(self._package)
        for module in pkgutil.iter_modules(package.__path__):
            if not module.name.startswith("_"):
                importlib.import_module(f"{self._package}.{module.name}")
