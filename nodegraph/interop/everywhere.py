"""Nodes of the pack "Use Everywhere": what feeds them feeds every open input of that type."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .prompt import Item
from .scopes import Scope, listed

ANY = frozenset({"Anything Everywhere", "Anything Everywhere3"})
PROMPTS = "Prompts Everywhere"
"""Gives its first input to what is called positive, its second to what is called negative."""
EVERYWHERE = ANY | {PROMPTS}
Live = Iterable[tuple[Scope, Mapping[str, Any]]]
Open = tuple[str, str]
"""The type of an input, and what its name begins with."""


def spread(items: dict[str, Item], live: Live) -> None:
    """Feed what is open in `items`, and take the nodes away that do so.

    Args:
        live: The nodes that run, with where they are.
    """
    given: dict[Open, Any] = {}
    for scope, node in live:
        if node["type"] not in EVERYWHERE:
            continue
        own = items.pop(scope.name(node["id"]), None)
        for place, (name, type) in enumerate(_slots(node)):
            if own is not None and name in own.inputs:
                begins = ("pos", "neg")[min(place, 1)] if node["type"] == PROMPTS else ""
                given["CONDITIONING" if begins else type, begins] = own.inputs[name]
    for scope, node in live if given else ():
        item = items.get(scope.name(node["id"]))
        if item is None:
            continue
        found = dict(item.inputs)
        for name, type in _slots(node):
            value = given.get((type, "")) or given.get((type, name[:3]))
            if name not in found and value is not None:
                found[name] = value
        items[scope.name(node["id"])] = Item(item.type, found, item.title)


def _slots(node: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Name and type of the inputs that a link feeds alone."""
    for slot in listed(node.get("inputs")):
        if isinstance(slot, dict) and "widget" not in slot:
            name, type = slot.get("name"), slot.get("type")
            if isinstance(name, str) and isinstance(type, str):
                yield name, type
