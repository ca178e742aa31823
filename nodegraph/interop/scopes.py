"""The graphs in a file of ComfyUI's UI format: nodes and links of the canvas, and of each use of a subgraph."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..problems import InvalidWorkflow, Problem
from .prompt import MOST_NODES
from .spelling import REROUTES

NOTES = frozenset({"Note", "MarkdownNote"})
VIRTUAL = frozenset({*REROUTES, "PrimitiveNode", "GetNode", "SetNode"})
MUTED, BYPASSED = 2, 4
INPUT, OUTPUT = -10, -20
"""What stands for a subgraph's inputs and outputs inside of it."""
DEEPEST = 30


@dataclass(slots=True)
class Scope:
    """A graph that is being laid open: the whole canvas, or one use of a subgraph."""

    raw: Mapping[str, Any]
    prefix: str
    parent: Scope | None
    instance: Mapping[str, Any]
    nodes: dict[int | str, Mapping[str, Any]]
    links: dict[Any, tuple[Any, int, Any, int]]
    inner: dict[int | str, Scope] = field(default_factory=dict)

    def name(self, id: int | str) -> str:
        return f"{self.prefix}{id}"


def is_canvas(raw: Any) -> bool:
    """Whether plain values look like a document in UI format."""
    return isinstance(raw, dict) and isinstance(raw.get("nodes"), list) and "links" in raw


def open_scope(
    raw: Mapping[str, Any],
    prefix: str,
    parent: Scope | None,
    instance: Mapping[str, Any],
    subgraphs: Mapping[str, Mapping[str, Any]],
    depth: int,
    count: list[int],
) -> Scope:
    """A graph with all that lies in its subgraphs. `count` is how many nodes there are so far.

    Raises:
        InvalidWorkflow: Subgraphs contain themselves, or there is too much.
    """
    if depth > DEEPEST:
        message = f"its subgraphs lie more than {DEEPEST} deep in each other; one may contain itself: break the circle"
        raise InvalidWorkflow([Problem("too_large", "", None, message)])
    nodes: dict[int | str, Mapping[str, Any]] = {}
    for node in listed(raw.get("nodes")):
        if is_node(node):
            nodes[node["id"]] = node
    count[0] += len(nodes)
    if count[0] > MOST_NODES:
        message = f"it has more than {MOST_NODES:,} nodes, counting subgraphs once for each use; make it smaller"
        raise InvalidWorkflow([Problem("too_large", "", None, message)])
    scope = Scope(raw, prefix, parent, instance, nodes, dict(links_of(raw)))
    for id, node in nodes.items():
        if node["type"] in subgraphs and node.get("mode") not in (MUTED, BYPASSED):
            inner = subgraphs[node["type"]]
            scope.inner[id] = open_scope(inner, f"{prefix}{id}:", scope, node, subgraphs, depth + 1, count)
    return scope


def is_node(node: Any) -> bool:
    """Whether a value says what node it is, and of what type."""
    return isinstance(node, dict) and is_id(node.get("id")) and isinstance(node.get("type"), str)


def is_id(value: Any) -> bool:
    """`true` is none, though Python takes it for 1."""
    return isinstance(value, int | str) and not isinstance(value, bool)


def links_of(raw: Mapping[str, Any]) -> Iterator[tuple[Any, tuple[Any, int, Any, int]]]:
    """The links that say from where to where: id, and node and place at both ends."""
    for link in listed(raw.get("links")):
        if isinstance(link, dict):
            values = [link.get(k) for k in ("id", "origin_id", "origin_slot", "target_id", "target_slot")]
        elif isinstance(link, list) and len(link) >= 5:
            values = link[:5]
        else:
            continue
        id, origin, origin_slot, target, target_slot = values
        plain = is_id(id) and is_id(origin) and is_id(target)
        if plain and isinstance(origin_slot, int) and isinstance(target_slot, int):
            yield id, (origin, origin_slot, target, target_slot)


def listed(value: Any) -> list[Any]:
    """A list, or an empty one for what is none."""
    return value if isinstance(value, list) else []


def mapping(value: Any) -> Mapping[str, Any]:
    """An object, or an empty one for what is none."""
    return value if isinstance(value, dict) else {}
