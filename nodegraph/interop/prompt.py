"""ComfyUI's API format: the nodes that run, by id, with their inputs by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..problems import Problem

MOST_NODES = 10_000
"""Nodes of the largest foreign document that is read; subgraphs count once for each use."""
EXTRAS = ("choose file to upload", "upload")
"""Inputs that old front ends wrote for buttons."""


class Wire(NamedTuple):
    """An output of a node, by its place."""

    node: str
    slot: int


@dataclass(frozen=True, slots=True)
class Item:
    """One node. `inputs` holds literals and `Wire`s."""

    type: str
    inputs: Mapping[str, Any] = field(default_factory=dict)
    title: str = ""

    def wires(self) -> Iterator[tuple[str, Wire]]:
        for name, value in self.inputs.items():
            if isinstance(value, Wire):
                yield name, value


Prompt = Mapping[str, Item]


def is_prompt(raw: Any) -> bool:
    """Whether plain values look like a document in API format."""
    return isinstance(raw, dict) and any(isinstance(v, dict) and "class_type" in v for v in raw.values())


def read_prompt(raw: Mapping[str, Any]) -> tuple[dict[str, Item], list[Problem]]:
    """The nodes of a document in API format, and what in it could not be read."""
    items: dict[str, Item] = {}
    notes: list[Problem] = []
    for id, value in raw.items():
        if not isinstance(value, dict) or not isinstance(value.get("class_type"), str):
            notes.append(
                Problem("unreadable_node", id, None, f"is no node: it needs a class_type, not {_short(value)}")
            )
            continue
        given = value.get("inputs", {})
        if not isinstance(given, dict):
            notes.append(Problem("unreadable_node", id, None, f"its inputs need names, got {_short(given)}"))
            given = {}
        meta = value.get("_meta")
        title = meta.get("title") if isinstance(meta, dict) else None
        inputs = {name: _value(v) for name, v in given.items() if name not in EXTRAS}
        items[id] = Item(value["class_type"], inputs, title if isinstance(title, str) else "")
    return items, notes + cut(items)


def write_prompt(prompt: Prompt) -> dict[str, Any]:
    """The document in API format as plain values."""
    return {
        id: {
            "class_type": item.type,
            "inputs": {name: _plain(value) for name, value in item.inputs.items()},
            **({"_meta": {"title": item.title}} if item.title else {}),
        }
        for id, item in prompt.items()
    }


def _value(value: Any) -> Any:
    if isinstance(value, dict) and value.keys() == {"__value__"}:
        return value["__value__"]
    if isinstance(value, list) and len(value) == 2 and isinstance(value[0], str | int):
        slot = value[1]
        if isinstance(slot, int) and not isinstance(slot, bool) and not isinstance(value[0], bool) and slot >= 0:
            return Wire(str(value[0]), slot)
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, Wire):
        return list(value)
    if isinstance(value, list) and isinstance(_value(value), Wire):
        return {"__value__": value}
    return value


def cut(items: dict[str, Item]) -> list[Problem]:
    """Take links to nodes away that are not there, and tell of each."""
    notes = []
    for id, item in items.items():
        lost = {name: wire for name, wire in item.wires() if wire.node not in items}
        if lost:
            items[id] = Item(item.type, {n: v for n, v in item.inputs.items() if n not in lost}, item.title)
        for name, wire in lost.items():
            notes.append(Problem("dangling_link", id, name, f"links to node {wire.node!r}, which is not there"))
    return notes


def _short(value: Any) -> str:
    text = repr(value) if not isinstance(value, dict | list) else f"{type(value).__name__} of {len(value)}"
    return text if len(text) <= 60 else text[:57] + "..."
