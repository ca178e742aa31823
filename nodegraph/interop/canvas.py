"""ComfyUI's UI format: the graph as its editor draws it, made into the prompt that its editor would send.

Versions 0.4 and 1 differ in how links are written. Subgraphs are laid open (`parent:child`), reroutes, Get and Set and
bypassed nodes are spliced out, primitives give their value to what they feed, and muted nodes are left away with what
cannot run without them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from ..problems import InvalidWorkflow, Problem
from .classes import CONTROLS, UPLOAD, known_classes
from .prompt import MOST_NODES, Item, Wire
from .spelling import BY_PLACE, EDITING, REROUTES

SEEDS = {"fixed": "fixed", "randomize": "random", "increment": "next", "decrement": "next"}
"""How a seed goes on, as our editor calls it."""
NOTES = frozenset({"Note", "MarkdownNote"})
VIRTUAL = frozenset({*REROUTES, "PrimitiveNode", "GetNode", "SetNode"})
MUTED, BYPASSED = 2, 4
INPUT, OUTPUT = -10, -20
"""What stands for a subgraph's inputs and outputs inside of it."""
DEEPEST = 30

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Frame:
    """A coloured group, or a note with its text."""

    text: str
    at: Point
    size: Point
    scope: str = ""


@dataclass(frozen=True, slots=True)
class Use:
    """One use of a subgraph, whose nodes have ids that begin with `id:`.

    Attributes:
        name: Of the subgraph.
        offset: What was added to the positions inside of it.
        inputs: Each by name, with the nodes and inputs inside that it feeds.
        outputs: Each by name, with the node and the place of the output inside that feeds it.
    """

    id: str
    title: str
    name: str
    offset: Point
    inputs: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    outputs: tuple[tuple[str, str, int], ...]


@dataclass(slots=True)
class Drawn:
    """What a canvas shows: the prompt, and where things are."""

    items: dict[str, Item] = field(default_factory=dict)
    places: dict[str, Point] = field(default_factory=dict)
    looks: dict[str, dict[str, Any]] = field(default_factory=dict)
    notes: list[Frame] = field(default_factory=list)
    groups: list[Frame] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    uses: list[Use] = field(default_factory=list)


@dataclass(slots=True)
class _Scope:
    """A graph that is being laid open: the whole canvas, or one use of a subgraph."""

    raw: Mapping[str, Any]
    prefix: str
    parent: _Scope | None
    instance: Mapping[str, Any]
    nodes: dict[int | str, Mapping[str, Any]]
    links: dict[Any, tuple[Any, int, Any, int]]
    inner: dict[int | str, _Scope] = field(default_factory=dict)

    def name(self, id: int | str) -> str:
        return f"{self.prefix}{id}"


class _Missing:
    """What stands for a value that a muted node would have given."""


_MUTED = _Missing()


def is_canvas(raw: Any) -> bool:
    """Whether plain values look like a document in UI format."""
    return isinstance(raw, dict) and isinstance(raw.get("nodes"), list) and "links" in raw


def read_canvas(raw: Mapping[str, Any]) -> Drawn:
    """Raises `InvalidWorkflow` where subgraphs contain themselves, or there is too much."""
    drawn = Drawn()
    definitions = _mapping(raw.get("definitions")).get("subgraphs")
    subgraphs = {str(g["id"]): g for g in _list(definitions) if isinstance(g, dict) and "id" in g}
    root = _open(raw, "", None, {}, subgraphs, 0, [0])
    _place(root, (0.0, 0.0), drawn)
    for graph in (raw, *subgraphs.values()):
        lost = sum(not _is_node(node) for node in _list(graph.get("nodes")))
        broken = len(_list(graph.get("links"))) - sum(1 for _ in _links(graph))
        for count, what in ((lost, "nodes have no id and type"), (broken, "links do not say from where to where")):
            if count:
                message = f"{count} of its {what}, so they are left away"
                drawn.problems.append(Problem("unreadable", "", None, message))
    live = list(_live(root))
    for scope, node in live:
        id = scope.name(node["id"])
        drawn.items[id] = Item(str(node["type"]), _inputs(scope, node, drawn), _title(node))
    _without_muted(drawn)
    return drawn


def _open(
    raw: Mapping[str, Any],
    prefix: str,
    parent: _Scope | None,
    instance: Mapping[str, Any],
    subgraphs: Mapping[str, Mapping[str, Any]],
    depth: int,
    count: list[int],
) -> _Scope:
    if depth > DEEPEST:
        message = f"its subgraphs lie more than {DEEPEST} deep in each other; one may contain itself: break the circle"
        raise InvalidWorkflow([Problem("too_large", "", None, message)])
    nodes: dict[int | str, Mapping[str, Any]] = {}
    for node in _list(raw.get("nodes")):
        if _is_node(node):
            nodes[node["id"]] = node
    count[0] += len(nodes)
    if count[0] > MOST_NODES:
        message = f"it has more than {MOST_NODES:,} nodes, counting subgraphs once for each use; make it smaller"
        raise InvalidWorkflow([Problem("too_large", "", None, message)])
    scope = _Scope(raw, prefix, parent, instance, nodes, dict(_links(raw)))
    for id, node in nodes.items():
        if node["type"] in subgraphs and node.get("mode") not in (MUTED, BYPASSED):
            inner = subgraphs[node["type"]]
            scope.inner[id] = _open(inner, f"{prefix}{id}:", scope, node, subgraphs, depth + 1, count)
    return scope


def _is_node(node: Any) -> bool:
    return isinstance(node, dict) and _is_id(node.get("id")) and isinstance(node.get("type"), str)


def _is_id(value: Any) -> bool:
    """`true` is none, though Python takes it for 1."""
    return isinstance(value, int | str) and not isinstance(value, bool)


def _links(raw: Mapping[str, Any]) -> Iterator[tuple[Any, tuple[Any, int, Any, int]]]:
    for link in _list(raw.get("links")):
        if isinstance(link, dict):
            values = [link.get(k) for k in ("id", "origin_id", "origin_slot", "target_id", "target_slot")]
        elif isinstance(link, list) and len(link) >= 5:
            values = link[:5]
        else:
            continue
        id, origin, origin_slot, target, target_slot = values
        plain = _is_id(id) and _is_id(origin) and _is_id(target)
        if plain and isinstance(origin_slot, int) and isinstance(target_slot, int):
            yield id, (origin, origin_slot, target, target_slot)


def _live(scope: _Scope) -> Iterator[tuple[_Scope, Mapping[str, Any]]]:
    """The nodes that run, with where they are."""
    for id, node in scope.nodes.items():
        if id in scope.inner:
            yield from _live(scope.inner[id])
        elif _runs(node):
            yield scope, node


def _inputs(scope: _Scope, node: Mapping[str, Any], drawn: Drawn) -> dict[str, Any]:
    found = _widgets(node, scope.name(node["id"]), drawn)
    for slot in _list(node.get("inputs")):
        if not isinstance(slot, dict) or not isinstance(slot.get("name"), str):
            continue
        widget = _mapping(slot.get("widget")).get("name")
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
    values = _list(values)
    known = known_classes().get(str(node["type"]))
    if known is not None:
        ports = [(p.name, p.type, p.control, p.upload) for p in known.widgets]
    else:
        slots = [s for s in _list(node.get("inputs")) if isinstance(s, dict)]
        names = [n for s in slots if isinstance(n := _mapping(s.get("widget")).get("name"), str)]
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


def _fed(scope: _Scope, slot: Mapping[str, Any]) -> Any:
    """What feeds an input: a `Wire`, a value, `_MUTED`, or None where nothing does."""
    link = slot.get("link")
    if link is None or not isinstance(link, int | str) or link not in scope.links:
        return None
    origin, place, *_ = scope.links[link]
    return _source(scope, origin, place)


def _source(scope: _Scope, origin: int | str, place: int) -> Any:
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
            values = _list(node.get("widgets_values"))
            return values[0] if values else None
        back = _behind(scope, node, place)
        if back is None:
            return Wire(scope.name(origin), place) if _runs(node) else None
        scope, origin, place = back.scope, back.origin, back.place
    return None


@dataclass(frozen=True, slots=True)
class _Step:
    scope: _Scope
    origin: int | str
    place: int


def _runs(node: Mapping[str, Any]) -> bool:
    drawn = node["type"] in NOTES | VIRTUAL or EDITING.fullmatch(node["type"])
    return not drawn and node.get("mode") not in (MUTED, BYPASSED)


def _behind(scope: _Scope, node: Mapping[str, Any], place: int) -> _Step | None:
    """The output that a node which is only drawn passes on; None where it passes none on."""
    slots = [s for s in _list(node.get("inputs")) if isinstance(s, dict)]
    if node["type"] in (*REROUTES, "SetNode"):
        return _link(scope, slots[0]) if slots else None
    if node["type"] == "GetNode":
        return _set(scope, node)
    if node.get("mode") != BYPASSED:
        return None
    outputs = _list(node.get("outputs"))
    kind = _mapping(outputs[place]).get("type") if place < len(outputs) else None
    same = [slots[place]] if place < len(slots) and slots[place].get("type") == kind else []
    for slot in [*same, *(s for s in slots if s.get("type") == kind)]:
        return _link(scope, slot)
    return None


def _set(scope: _Scope, node: Mapping[str, Any]) -> _Step | None:
    """What the Set of the same name is fed, here or around."""
    name = _list(node.get("widgets_values"))[:1]
    around: _Scope | None = scope
    while around is not None:
        for other in around.nodes.values():
            if other["type"] == "SetNode" and _list(other.get("widgets_values"))[:1] == name and name:
                return _behind(around, other, 0)
        around = around.parent
    return None


def _link(scope: _Scope, slot: Mapping[str, Any]) -> _Step | None:
    link = slot.get("link")
    if not isinstance(link, int | str) or link not in scope.links:
        return None
    return _Step(scope, scope.links[link][0], scope.links[link][1])


def _leaving(scope: _Scope, place: int) -> tuple[int | str, int] | None:
    """The output inside a subgraph that feeds its output number `place`."""
    for origin, slot, target, target_slot in scope.links.values():
        if target == OUTPUT and target_slot == place:
            return origin, slot
    return None


def _given(scope: _Scope, place: int) -> Any:
    """What the use of a subgraph gives to its input number `place`: a `_Step`, a value or None."""
    assert scope.parent is not None
    slots = [s for s in _list(scope.instance.get("inputs")) if isinstance(s, dict)]
    ports = _list(scope.raw.get("inputs"))
    name = _mapping(ports[place]).get("name") if place < len(ports) else None
    slot = next((s for s in slots if s.get("name") == name), slots[place] if place < len(slots) else None)
    if slot is None:
        return None
    if (step := _link(scope.parent, slot)) is not None:
        return step
    widgets = [s for s in slots if "widget" in s]
    values = _list(scope.instance.get("widgets_values"))
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


def _place(scope: _Scope, offset: Point, drawn: Drawn) -> None:
    """Note positions, groups and notes, those of subgraphs relative to where the subgraph is used."""
    x, y = offset
    for id, node in scope.nodes.items():
        at = _pair(node.get("pos"))
        here = (at[0] + x, at[1] + y)
        if id in scope.inner:
            inner = scope.inner[id]
            corners = [_pair(n.get("pos")) for n in inner.nodes.values()] or [(0.0, 0.0)]
            left, top = min(c[0] for c in corners), min(c[1] for c in corners)
            within = (here[0] - left, here[1] - top)
            _place(inner, within, drawn)
            drawn.uses.append(_use(inner, scope.name(id), within))
            drawn.places[scope.name(id)] = here
            drawn.looks[scope.name(id)] = _look(node)
        elif node["type"] in NOTES:
            text = next((v for v in _list(node.get("widgets_values")) if isinstance(v, str)), "")
            drawn.notes.append(Frame(text, here, _pair(node.get("size")), scope.prefix))
        else:
            drawn.places[scope.name(id)] = here
            drawn.looks[scope.name(id)] = _look(node)
            if EDITING.fullmatch(node["type"]):
                message = f"{node['type']} works in ComfyUI's editor alone, so it is left away"
                drawn.problems.append(Problem("changed", scope.name(id), None, message))
            elif node.get("mode") == MUTED and node["type"] not in VIRTUAL:
                message = f"{node['type']} is muted, so it is left away"
                drawn.problems.append(Problem("muted", scope.name(id), None, message))
            elif node.get("mode") == BYPASSED and node["type"] not in VIRTUAL:
                message = f"{node['type']} is bypassed, so it is left away and what feeds it is passed on"
                drawn.problems.append(Problem("bypassed", scope.name(id), None, message))
    for group in _list(scope.raw.get("groups")):
        bounds = _list(_mapping(group).get("bounding"))
        if len(bounds) == 4 and all(_is_number(v) for v in bounds):
            at = (float(bounds[0]) + x, float(bounds[1]) + y)
            title = _mapping(group).get("title")
            drawn.groups.append(
                Frame(title if isinstance(title, str) else "", at, (float(bounds[2]), float(bounds[3])), scope.prefix)
            )


def _use(scope: _Scope, id: str, offset: Point) -> Use:
    """How a subgraph is used, with the names of its openings."""

    fed: dict[int, list[tuple[str, str]]] = {}
    given: dict[int, tuple[str, int]] = {}
    for origin, place, target, target_place in scope.links.values():
        if origin == INPUT and target in scope.nodes:
            slots = _list(scope.nodes[target].get("inputs"))
            slot = _mapping(slots[target_place]) if 0 <= target_place < len(slots) else {}
            name = _mapping(slot.get("widget")).get("name") or slot.get("name")
            if target in scope.inner:
                ports = _list(scope.inner[target].raw.get("inputs"))
                name = next((_opening(p) for p in ports if _mapping(p).get("name") == slot.get("name")), name)
            fed.setdefault(place, []).append((scope.name(target), str(name)))
        elif target == OUTPUT and origin in scope.nodes:
            given[target_place] = (scope.name(origin), place)
    inputs = tuple(
        (name, tuple(fed.get(place, ()))) for place, name in enumerate(map(_opening, _list(scope.raw.get("inputs"))))
    )
    titles = map(_opening, _list(scope.raw.get("outputs")))
    outputs = tuple((name, *given[place]) for place, name in enumerate(titles) if place in given)
    title = _title(scope.instance)
    called = scope.raw.get("name")
    return Use(id, title, called if isinstance(called, str) else "", offset, inputs, outputs)


def _opening(port: Any) -> str:
    """What an input or output of a subgraph is called."""
    return str(_mapping(port).get("label") or _mapping(port).get("name") or "")


def _look(node: Mapping[str, Any]) -> dict[str, Any]:
    """How a node is drawn, and how its seed goes on, as our editor says it."""
    values = _list(node.get("widgets_values"))
    colour, title = node.get("bgcolor"), _title(node)
    made: dict[str, Any] = {}
    if title and title != node["type"]:
        made["title"] = title
    if isinstance(colour, str) and re.fullmatch(r"#[0-9a-fA-F]{3,8}", colour):
        made["colour"] = colour
    if _mapping(node.get("flags")).get("collapsed") is True:
        made["collapsed"] = True
    if mode := next((SEEDS[v] for v in values if isinstance(v, str) and v in SEEDS), None):
        made["seed"] = mode
    return made


def _title(node: Mapping[str, Any]) -> str:
    title = node.get("title")
    return title if isinstance(title, str) else ""


def _pair(value: Any) -> Point:
    """A position or size: a list, or in old files an object with "0" and "1"."""
    if isinstance(value, dict):
        value = [value.get("0"), value.get("1")]
    if isinstance(value, list) and len(value) >= 2 and _is_number(value[0]) and _is_number(value[1]):
        return float(value[0]), float(value[1])
    return 0.0, 0.0


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e9


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _short(values: list[Any]) -> str:
    text = ", ".join(map(repr, values))
    return text if len(text) <= 80 else text[:77] + "..."
