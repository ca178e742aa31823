"""Packs of nodes and the registry that is built from them. Nothing is registered by being imported."""

from __future__ import annotations

import difflib
import importlib.util
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from .node import Node
from .types import Coercion, Coercions

ENTRY_POINTS = "nodegraph.packs"


@dataclass(frozen=True, slots=True)
class Pack:
    """What one distribution or file adds.

    Args:
        name: Prefix of its type ids: `name/Invert`. Empty for the standard pack, whose ids are bare.
    """

    name: str
    nodes: tuple[Node[..., Any], ...]
    coercions: tuple[Coercion, ...] = ()

    @classmethod
    def of(cls, name: str, *modules: ModuleType) -> Pack:
        """Collect the nodes and coercions that `modules` define or import by name."""
        values = [v for m in modules for v in vars(m).values()]
        nodes = dict.fromkeys(id(v) for v in values if isinstance(v, Node))
        found = {id(v): v for v in values if isinstance(v, Node)}
        coercions = {id(v): v for v in values if isinstance(v, Coercion)}
        return cls(name, tuple(found[i] for i in nodes), tuple(coercions.values()))

    @classmethod
    def from_file(cls, path: Path) -> Pack:
        """Read a pack from a Python file; its name is the file's. Runs the file: it is code that you trust."""
        spec = importlib.util.spec_from_file_location(path.stem, path)
        if not path.is_file() or spec is None or spec.loader is None:
            raise FileNotFoundError(f"pack {str(path)!r}: needs a Python file, and there is none; check the path")
        module = importlib.util.module_from_spec(spec)
        sys.modules[path.stem] = module
        spec.loader.exec_module(module)
        own = [v for v in vars(module).values() if isinstance(v, Node) and v.fn.__module__ == path.stem]
        return cls(path.stem, tuple(own), tuple(v for v in vars(module).values() if isinstance(v, Coercion)))


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
        unique = {id(c): c for pack in packs for c in pack.coercions}
        self.coercions = Coercions(unique.values())
        self.ids: Mapping[int, str] = {id(node): type_id for type_id, node in self._nodes.items()}

    @classmethod
    def installed(cls, extra: Iterable[Pack] = ()) -> Registry:
        """Every pack that a distribution offers as an entry point in the group `nodegraph.packs`, and `extra`."""
        return cls(*(entry.load() for entry in sorted(entry_points(group=ENTRY_POINTS))), *extra)

    def get(self, type_id: str) -> Node[..., Any] | None:
        return self._nodes.get(type_id)

    def items(self) -> Iterable[tuple[str, Node[..., Any]]]:
        return self._nodes.items()

    def __iter__(self) -> Iterator[str]:
        return iter(self._nodes)

    def __len__(self) -> int:
        return len(self._nodes)

    def classes(self) -> frozenset[type]:
        """Every class that some port names."""
        nodes = self._nodes.values()
        ports = [i.type for n in nodes for i in n.inputs.values()] + [o.type for n in nodes for o in n.outputs.values()]
        return frozenset(member for port in ports for member in port.members)


def nearest(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` for the known name most like `name`, or nothing."""
    known = list(known)
    lower = {k.lower(): k for k in reversed(known)}
    found = difflib.get_close_matches(name.lower(), list(lower), n=1, cutoff=0.5)
    return f"; did you mean {lower[found[0]]!r}?" if found else ""
