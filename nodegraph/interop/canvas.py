"""ComfyUI's UI format: the graph as its editor draws it, made into the prompt that its editor would send.

Versions 0.4 and 1 differ in how links are written. Subgraphs are laid open (`parent:child`), reroutes, Get and Set and
bypassed nodes are spliced out, primitives give their value to what they feed, and muted nodes are left away with what
cannot run without them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ..problems import Problem
from .classes import CONTROLS, UPLOAD, known_classes
from .drawing import Drawn, place, title_of
from .everywhere import spread
from .prompt import MOST_NODES, Item, Wire
from .scopes import (
    BYPASSED,
    INPUT,
    MUTED,
    NOTES,
    OUTPUT,
    VIRTUAL,
    Scope,
    is_node,
    links_of,
    listed,
    mapping,
    open_scope,
)
from .spelling import BY_PLACE, EDITING, REROUTES


class _Missing:
    """What stands for a value that a muted node would have given."""


_MUTED = _Missing()


def read_canvas(raw: Mapping[str, Any]) -> Drawn:
    """Raises `InvalidWorkflow` where subgraphs contain themselves, or there is too much."""
    drawn = Drawn()
    definitions = mapping(raw.get("definitions")).get("subgraphs")
    subgraphs = {str(g["id"]): g for g in listed(definitions) if isinstance(g, dict) and "id" in g}
    root = open_scope(raw, "", None, {}, subgraphs, 0, [0])
    place(root, (0.0, 0.0), drawn)
    for graph in (raw, *subgraphs.values()):
        lost = sum(not is_node(node) for node in listed(graph.get("nodes")))
        broken = len(listed(graph.get("links"))) - sum(1 for _ in links_of(graph))
        for count, what in ((lost, "nodes have no id and type"), (broken, "links do not say from where to where")):
            if count:
                message = f"{count} of its {what}, so they are left away"
                drawn.problems.append(Problem("unreadable", "", None, message))
    live = list(_live(root))
    for scope, node in live:
        id = scope.name(node["id"])
        drawn.items[id] = Item(str(node["type"]), _inputs(scope, node, drawn), title_of(node))
    spread(drawn.items, live)
    _without_muted(drawn)
    return drawn


def _live(scope: Scope) -> Iterator[tuple[Scope, Mapping[str, Any]]]:
    """The nodes that run, with where they are."""
    for id, node in scope.nodes.items():
        if id in scope.inner:
            yield from _live(scope.inner[id])
        elif _runs(node):
            yield scope, node


def _inputs(scope: Scope, node: Mapping[str, Any], drawn: Drawn) -> dict[str, Any]:
    found = _widgets(node, scope.name(node["id"]), drawn)
    for slot in listed(node.get("inputs")):
        if not isinstance(slot, dict) or not isinstance(slot.get("name"), str):
            continue
        widget = mapping(slot.get("widget")).get("name")
        name = widget if isinstance(widget, str) else slot["name"]
        value = _fed(scope, slot)
        if value is not None:
            found[name] = value
    return found


def _widgets(node: Mapping[str, Any], id: str, drawn: Drawn) -> dict[str, Any]:
    """The values of the widgets by name."""
    named = node.get("widgets_values_named")
    if isinstance(named, dict):
        return dict(named)
    values = node.get("widgets_values")
    if isinstance(values, dict):
        return {k: v for k, v in values.items() if k not in ("videopreview", "audiopreview")}
    values = listed(values)
    known = known_classes().get(str(node["type"]))
    if known is not None:
        ports = [(p.name, p.type, p.control, p.upload) for p in known.widgets]
    else:
        slots = [s for s in listed(node.get("inputs")) if isinstance(s, dict)]
        names = [n for s in slots if isinstance(n := mapping(s.get("widget")).get("name"), str)]
        ports = [(name, "", name in ("seed", "noise_seed"), False) for name in names]
    found: dict[str, Any] = {}
    at = 0
    for (name, _, control, upload), (_, following, *_) in pairwise([*ports, ("", "", False, False)]):
        if at >= len(values):
            break
        found[name] = values[at]
        at += 1
        if at < len(values) and ((control and _controls(values[at], following)) or (upload and values[at] == UPLOAD)):
            at += 1
    left = [v for v in values[at:] if not _controls(v, "") and v not in (UPLOAD, "", None)]
    if left and node["type"] in BY_PLACE:
        found |= {f"widget_{n}": value for n, value in enumerate(values[at:], at) if isinstance(value, dict)}
    elif left:
        message = f"{node['type']}: {len(left)} values of its widgets have no name in the file: {_short(left)}"
        drawn.problems.append(Problem("unnamed_value", id, None, message))
        found |= {f"widget_{n}": value for n, value in enumerate(values[at:], at)}
    return found


def _controls(value: Any, following: str) -> bool:
    """Whether it is what a seed is followed by: what happens to it after a run. The oldest files say only whether."""
    return value in CONTROLS if isinstance(value, str) else isinstance(value, bool) and following not in ("BOOLEAN", "")


def _fed(scope: Scope, slot: Mapping[str, Any]) -> Any:
    """What feeds an input: a `Wire`, a value, `_MUTED`, or None where nothing does."""
    link = slot.get("link")
    if link is None or not isinstance(link, int | str) or link not in scope.links:
        return None
    origin, place, *_ = scope.links[link]
    return _source(scope, origin, place)


def _source(scope: Scope, origin: int | str, place: int) -> Any:
    """Follow an output back to the node that runs, through everything that is only drawn."""
    for _ in range(MOST_NODES):
        if origin == INPUT and scope.parent is not None:
            given = _given(scope, place)
            if not isinstance(given, _Step):
                return given
            scope, origin, place = given.scope, given.origin, given.place
            continue
        node = scope.nodes.get(origin)
        if node is None:
            return None
        if node.get("mode") == MUTED:
            return _MUTED
        if origin in scope.inner:
            found = _leaving(scope.inner[origin], place)
            if found is None:
                return None
            scope, (origin, place) = scope.inner[origin], found
            continue
        if node["type"] == "PrimitiveNode":
            values = listed(node.get("widgets_values"))
            return values[0] if values else None
        back = _behind(scope, node, place)
        if back is None:
            return Wire(scope.name(origin), place) if _runs(node) else None
        scope, origin, place = back.scope, back.origin, back.place
    return None


@dataclass(frozen=True, slots=True)
class _Step:
    scope: Scope
    origin: int | str
    place: int


def _runs(node: Mapping[str, Any]) -> bool:
    drawn = node["type"] in NOTES | VIRTUAL or EDITING.fullmatch(node["type"])
    return not drawn and node.get("mode") not in (MUTED, BYPASSED)


def _behind(scope: Scope, node: Mapping[str, Any], place: int) -> _Step | None:
    """The output that a node which is only drawn passes on; None where it passes none on."""
    slots = [s for s in listed(node.get("inputs")) if isinstance(s, dict)]
    if node["type"] in (*REROUTES, "SetNode"):
        return _link(scope, slots[0]) if slots else None
    if node["type"] == "GetNode":
        return _set(scope, node)
    if node.get("mode") != BYPASSED:
        return None
    outputs = listed(node.get("outputs"))
    kind = mapping(outputs[place]).get("type") if place < len(outputs) else None
    same = [slots[place]] if place < len(slots) and slots[place].get("type") == kind else []
    for slot in [*same, *(s for s in slots if s.get("type") == kind)]:
        return _link(scope, slot)
    return None


def _set(scope: Scope, node: Mapping[str, Any]) -> _Step | None:
    """What the Set of the same name is fed, here or around."""
    name = listed(node.get("widgets_values"))[:1]
    around: Scope | None = scope
    while around is not None:
        for other in around.nodes.values():
            if other["type"] == "SetNode" and listed(other.get("widgets_values"))[:1] == name and name:
                return _behind(around, other, 0)
        around = around.parent
    return None


def _link(scope: Scope, slot: Mapping[str, Any]) -> _Step | None:
    link = slot.get("link")
    if not isinstance(link, int | str) or link not in scope.links:
        return None
    return _Step(scope, scope.links[link][0], scope.links[link][1])


def _leaving(scope: Scope, place: int) -> tuple[int | str, int] | None:
    """The output inside a subgraph that feeds its output number `place`."""
    for origin, slot, target, target_slot in scope.links.values():
        if target == OUTPUT and target_slot == place:
            return origin, slot
    return None


def _given(scope: Scope, place: int) -> Any:
    """What the use of a subgraph gives to its input number `place`: a `_Step`, a value or None."""
    assert scope.parent is not None
    slots = [s for s in listed(scope.instance.get("inputs")) if isinstance(s, dict)]
    ports = listed(scope.raw.get("inputs"))
    name = mapping(ports[place]).get("name") if place < len(ports) else None
    slot = next((s for s in slots if s.get("name") == name), slots[place] if place < len(slots) else None)
    if slot is None:
        return None
    if (step := _link(scope.parent, slot)) is not None:
        return step
    widgets = [s for s in slots if "widget" in s]
    values = listed(scope.instance.get("widgets_values"))
    at = next((i for i, s in enumerate(widgets) if s is slot), None)
    return values[at] if at is not None and at < len(values) else None


def _without_muted(drawn: Drawn) -> None:
    """Take away what a muted node fed: the input where it may be left out, else the node, and so on."""
    gone: set[str] = set()
    while lost := {id: names for id, item in drawn.items.items() if (names := _lost(item, gone))}:
        for id, names in lost.items():
            item = drawn.items[id]
            known = known_classes().get(item.type)
            if known is not None and all(n in known.inputs and known.inputs[n].optional for n in names):
                left = {n: v for n, v in item.inputs.items() if n not in names}
                drawn.items[id] = Item(item.type, left, item.title)
                continue
            del drawn.items[id]
            gone.add(id)
            message = f"{item.type} is left away: what feeds its {', '.join(names)} is muted"
            drawn.problems.append(Problem("muted", id, None, message))


def _lost(item: Item, gone: set[str]) -> list[str]:
    return [n for n, v in item.inputs.items() if v is _MUTED or (isinstance(v, Wire) and v.node in gone)]


def _short(values: list[Any]) -> str:
    text = ", ".join(map(repr, values))
    return text if len(text) <= 80 else text[:77] + "..."
