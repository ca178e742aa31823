"""Packs of nodes and the registry that is built from them. Nothing is registered by being imported."""

from __future__ import annotations

import difflib
import importlib.util
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from .context import Folders
from .node import ChoiceList, Node
from .types import Coercion, Coercions

ENTRY_POINTS = "nodegraph.packs"


@dataclass(frozen=True, slots=True)
class Pack:
    """What one distribution or file adds.

    Args:
        name: Prefix of its type ids: `name/Invert`. Empty for the standard pack, whose ids are bare.
        prepare: Sets up a process that is about to run nodes of this pack, before any thread of the engine starts.
    """

    name: str
    nodes: tuple[Node[..., Any], ...]
    coercions: tuple[Coercion, ...] = ()
    choices: tuple[ChoiceList, ...] = ()
    prepare: Callable[[], object] | None = None

    @classmethod
    def of(cls, name: str, *modules: ModuleType, prepare: Callable[[], object] | None = None) -> Pack:
        """Collect the nodes, coercions and choice lists that `modules` define or import by name."""
        values = [v for m in modules for v in vars(m).values()]
        return cls(name, *_collect(values), prepare)

    @classmethod
    def from_file(cls, path: Path) -> Pack:
        """Read a pack from a Python file; its name is the file's. Runs the file: it is code that you trust.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It raised something; which, and in which of its lines.
        """
        # Not the file's own name, which may be that of a module: a pack `queue.py` must not take queue's place.
        name = f"nodegraph.packs.{path.stem}"
        spec = importlib.util.spec_from_file_location(name, path)
        if not path.is_file() or spec is None or spec.loader is None:
            raise FileNotFoundError(f"pack {str(path)!r}: needs a Python file, and there is none; check the path")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # Where dataclasses and pickle look for it.
        try:
            spec.loader.exec_module(module)
        except Exception as error:
            own = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == spec.origin]
            line = f", line {own[-1]}" if own else ""
            raise ValueError(f"pack {str(path)!r}{line}: {type(error).__name__}: {error}") from error
        nodes, coercions, choices = _collect(vars(module).values())
        return cls(path.stem, tuple(n for n in nodes if n.fn.__module__ == name), coercions, choices)


def _collect(
    values: Iterable[Any],
) -> tuple[tuple[Node[..., Any], ...], tuple[Coercion, ...], tuple[ChoiceList, ...]]:
    """The nodes, coercions and choice lists among `values`, each once."""
    unique = list({id(v): v for v in values}.values())
    return (
        tuple(v for v in unique if isinstance(v, Node)),
        tuple(v for v in unique if isinstance(v, Coercion)),
        tuple(v for v in unique if isinstance(v, ChoiceList)),
    )


class Registry:
    """Every node type that documents may use, by type id."""

    def __init__(self, *packs: Pack) -> None:
        self.packs = packs
        self._nodes: dict[str, Node[..., Any]] = {}
        for pack in packs:
            for node in pack.nodes:
                type_id = f"{pack.name}/{node.name}" if pack.name else node.name
                if self._nodes.setdefault(type_id, node) is not node:
                    raise ValueError(f"node type {type_id!r} is declared twice; rename one function or pack")
        self.broken: Mapping[str, str] = {}
        """Installed packs that could not be imported, and why."""
        unique = {id(c): c for pack in packs for c in pack.coercions}
        self.coercions = Coercions(unique.values())
        self.ids: Mapping[int, str] = {id(node): type_id for type_id, node in self._nodes.items()}

    @classmethod
    def installed(cls, extra: Iterable[Pack] = ()) -> Registry:
        """Every pack that a distribution offers as an entry point in the group `nodegraph.packs`, and `extra`.

        A pack that cannot be imported does not take the others down: it is named in `broken`, and documents that use
        its nodes say so.
        """
        packs, broken = [], {}
        for entry in sorted(entry_points(group=ENTRY_POINTS)):
            try:
                packs.append(entry.load())
            except Exception as error:
                broken[entry.name] = f"{type(error).__name__}: {error}"
        made = cls(*packs, *extra)
        made.broken = broken
        return made

    def get(self, type_id: str) -> Node[..., Any] | None:
        return self._nodes.get(type_id)

    def items(self) -> Iterable[tuple[str, Node[..., Any]]]:
        return self._nodes.items()

    def __iter__(self) -> Iterator[str]:
        return iter(self._nodes)

    def __len__(self) -> int:
        return len(self._nodes)

    def choices(self, name: str, folders: Folders) -> dict[str, str]:
        """The values behind `Choices(name)`, of all packs, each with a few words about it."""
        found: dict[str, str] = {}
        for pack in self.packs:
            for offered in pack.choices:
                if offered.name == name:
                    found |= offered.fn(folders)
        return found

    def classes(self) -> frozenset[type]:
        """Every class that some port names."""
        nodes = self._nodes.values()
        ports = [i.type for n in nodes for i in n.inputs.values()] + [o.type for n in nodes for o in n.outputs.values()]
        return frozenset(member for port in ports for member in port.members)


def closest(name: str, known: Iterable[str]) -> str | None:
    """The known name most like `name`, if one is."""
    lower = {k.lower(): k for k in reversed(list(known))}
    found = difflib.get_close_matches(name.lower(), list(lower), n=1, cutoff=0.5)
    return lower[found[0]] if found else None


def nearest(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` for the known name most like `name`, or nothing."""
    found = closest(name, known)
    return f"; did you mean {found!r}?" if found else ""
