"""What a canvas of ComfyUI shows beside its prompt: places, looks, notes, groups and uses of subgraphs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..problems import Problem
from .prompt import Item
from .scopes import BYPASSED, INPUT, MUTED, NOTES, OUTPUT, VIRTUAL, Scope, listed, mapping
from .spelling import EDITING

SEEDS = {"fixed": "fixed", "randomize": "random", "increment": "next", "decrement": "next"}
"""How a seed goes on, as our editor calls it."""
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


def place(scope: Scope, offset: Point, drawn: Drawn) -> None:
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
            place(inner, within, drawn)
            drawn.uses.append(_use(inner, scope.name(id), within))
            drawn.places[scope.name(id)] = here
            drawn.looks[scope.name(id)] = _look(node)
        elif node["type"] in NOTES:
            text = next((v for v in listed(node.get("widgets_values")) if isinstance(v, str)), "")
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
    for group in listed(scope.raw.get("groups")):
        bounds = listed(mapping(group).get("bounding"))
        if len(bounds) == 4 and all(_is_number(v) for v in bounds):
            at = (float(bounds[0]) + x, float(bounds[1]) + y)
            title = mapping(group).get("title")
            drawn.groups.append(
                Frame(title if isinstance(title, str) else "", at, (float(bounds[2]), float(bounds[3])), scope.prefix)
            )


def _use(scope: Scope, id: str, offset: Point) -> Use:
    """How a subgraph is used, with the names of its openings."""

    fed: dict[int, list[tuple[str, str]]] = {}
    given: dict[int, tuple[str, int]] = {}
    for origin, place, target, target_place in scope.links.values():
        if origin == INPUT and target in scope.nodes:
            slots = listed(scope.nodes[target].get("inputs"))
            slot = mapping(slots[target_place]) if 0 <= target_place < len(slots) else {}
            name = mapping(slot.get("widget")).get("name") or slot.get("name")
            if target in scope.inner:
                ports = listed(scope.inner[target].raw.get("inputs"))
                name = next((_opening(p) for p in ports if mapping(p).get("name") == slot.get("name")), name)
            fed.setdefault(place, []).append((scope.name(target), str(name)))
        elif target == OUTPUT and origin in scope.nodes:
            given[target_place] = (scope.name(origin), place)
    inputs = tuple(
        (name, tuple(fed.get(place, ()))) for place, name in enumerate(map(_opening, listed(scope.raw.get("inputs"))))
    )
    titles = map(_opening, listed(scope.raw.get("outputs")))
    outputs = tuple((name, *given[place]) for place, name in enumerate(titles) if place in given)
    title = title_of(scope.instance)
    called = scope.raw.get("name")
    return Use(id, title, called if isinstance(called, str) else "", offset, inputs, outputs)


def _opening(port: Any) -> str:
    """What an input or output of a subgraph is called."""
    return str(mapping(port).get("label") or mapping(port).get("name") or "")


def _look(node: Mapping[str, Any]) -> dict[str, Any]:
    """How a node is drawn, and how its seed goes on, as our editor says it."""
    values = listed(node.get("widgets_values"))
    colour, title = node.get("bgcolor"), title_of(node)
    made: dict[str, Any] = {}
    if title and title != node["type"]:
        made["title"] = title
    if isinstance(colour, str) and re.fullmatch(r"#[0-9a-fA-F]{3,8}", colour):
        made["colour"] = colour
    if mapping(node.get("flags")).get("collapsed") is True:
        made["collapsed"] = True
    if mode := next((SEEDS[v] for v in values if isinstance(v, str) and v in SEEDS), None):
        made["seed"] = mode
    return made


def title_of(node: Mapping[str, Any]) -> str:
    """What a node is called by who drew it."""
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


def layout(drawn: Drawn, scope: str, ids: Mapping[str, str], offset: Point = (0.0, 0.0)) -> dict[str, Any]:
    """What is drawn in one graph, named by its prefix; what lies in subgraphs laid open is the whole canvas's."""
    folded = [f"{use.id}:" for use in drawn.uses if "/" not in ids.get(use.id, "/")]
    there = [theirs for theirs in drawn.places if theirs in ids and "/" not in ids[theirs]]

    def frames(frames: list[Frame]) -> list[Frame]:
        return [f for f in frames if (f.scope == scope if scope else not f.scope.startswith(tuple(folded)))]

    nodes = {
        ids[theirs]: [drawn.places[theirs][0] - offset[0], drawn.places[theirs][1] - offset[1]] for theirs in there
    }
    notes = [{"id": f"note_{n}", "text": f.text, **_frame(f, offset)} for n, f in enumerate(frames(drawn.notes), 1)]
    groups = [{"id": f"group_{n}", "title": f.text, **_frame(f, offset)} for n, f in enumerate(frames(drawn.groups), 1)]
    looks = {ids[theirs]: drawn.looks[theirs] for theirs in there if drawn.looks.get(theirs)}
    made = {"nodes": nodes, "looks": looks, "notes": notes, "groups": groups}
    return {name: value for name, value in made.items() if value}


def _frame(frame: Frame, offset: Point) -> dict[str, Any]:
    return {"at": [frame.at[0] - offset[0], frame.at[1] - offset[1]], "size": list(frame.size)}
