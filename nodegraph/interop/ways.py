"""Which way each node of a prompt is carried: as a node of ours, as part of what reads it, or not at all.

A `Part` is taken apart where everything that reads it can do so. Where something cannot, its twin stands for it, if
there is one, and gives the whole value.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..node import Node
from ..pack import Registry
from .classes import known_classes
from .names import twin_type
from .prompt import Item, Prompt, Wire
from .reasons import reason
from .table import ENTRIES, PARTS, SHOWN, TWINS, Entry, Part


class Ways:
    """The ways of all nodes of `prompt` with the nodes that are installed.

    Attributes:
        refused: Those that become placeholders, each with why.
    """

    def __init__(self, prompt: Prompt, registry: Registry) -> None:
        self._prompt, self._registry = prompt, registry
        self.refused: dict[str, str] = {}
        self._whole: set[str] = set()
        for id, item in prompt.items():
            why = PARTS[item.type].refuse if item.type in PARTS else None
            if item.type in PARTS and why is not None and (said := why(item, prompt)):
                self._settle(id, said)
            elif item.type not in PARTS and item.type not in SHOWN and (said := self._unable(item)):
                self.refused[id] = said
        while found := dict(self._unread()):  # each takes a part or a node away, which others may have needed
            for id, said in found.items():
                self._settle(id, said)

    def part(self, id: str) -> Part | None:
        """What a node that is taken apart says."""
        there = id in self._prompt and id not in self.refused and id not in self._whole
        return PARTS.get(self._prompt[id].type) if there else None

    def twin(self, id: str) -> Node[..., Any] | None:
        """The node of the same name and inputs that stands for one."""
        if id in self.refused or self.part(id) is not None:
            return None
        return self._registry.get(twin_type(self._prompt[id].type))

    def entry(self, id: str) -> Entry | None:
        """How one is written with a node of another name."""
        return ENTRIES.get(self._prompt[id].type) if id not in self.refused and self.twin(id) is None else None

    def outputs(self, id: str) -> tuple[str, ...] | None:
        """Our outputs in the order of theirs; None for what is no node of its own."""
        if (twin := self.twin(id)) is not None:
            return tuple(twin.outputs)
        entry = self.entry(id)
        return None if entry is None else entry.outputs

    def _settle(self, id: str, why: str) -> None:
        """Let the twin of a part that cannot be one stand for it, or else a placeholder."""
        item = self._prompt[id]
        unable = self._unable(item) if self.part(id) is not None else why
        if unable is None:
            self._whole.add(id)
        else:
            self.refused[id] = why if item.type in PARTS and item.type not in TWINS else unable

    def _unable(self, item: Item) -> str | None:
        """Why one cannot be a node of its own, looked at alone."""
        if self._registry.get(twin_type(item.type)) is not None:
            refuse = TWINS.get(item.type)
        elif item.type in ENTRIES:
            entry = ENTRIES[item.type]
            if self._registry.get(entry.type) is None:
                return f"the node {entry.type} is not installed"
            refuse = entry.refuse
        else:
            return reason(item.type, item.type in known_classes())
        return refuse(item, self._prompt) if refuse is not None else None

    def _unread(self) -> Iterator[tuple[str, str]]:
        """Parts that something cannot take apart or that nothing reads, and nodes that lack a part; each with why."""
        read: set[str] = set()
        for id, item in self._prompt.items():
            for name, wire in item.wires():
                part = self.part(wire.node)
                if part is None:
                    continue
                read.add(wire.node)
                if id in self.refused or not self._reads(id, name, part):
                    kept = "is kept as a placeholder too" if id in self.refused else "cannot take it apart"
                    yield wire.node, f"{item.type} reads it, which {kept}"
            entry = self.entry(id)
            if entry is not None and (lost := self._needed(item, entry)):
                yield id, f"what gives its {lost} is not carried"
        for id in self._prompt:
            if id not in read and self.part(id) is not None:
                yield id, "nothing reads it"

    def _reads(self, id: str, name: str, part: Part) -> bool:
        """Whether a node can take a part apart that is linked to its input `name`. What only passes on is no matter."""
        own = self.part(id)
        if own is not None:
            return name == own.passes or name in own.values.values()
        entry = self.entry(id)
        if entry is None or not part.values:
            return not part.values
        return any(path.startswith(f"{name}.") for path in entry.paths)

    def _needed(self, item: Item, entry: Entry) -> str | None:
        """An input whose part an entry needs and does not have."""
        for first in sorted(entry.apart):
            wire = item.inputs.get(first)
            if not isinstance(wire, Wire) or self.part(wire.node) is None:
                return first
        return None
