"""Subgraphs as definitions: nodes that were laid open go back into the subgraph that they were drawn in.

Converting works on flat prompts. Afterwards each use of a subgraph, the innermost first, is gathered into a definition
with the inputs and outputs that it was drawn with, and uses that come out alike share one. What is linked across the
border in another way, through a node that is no node here, gets an opening of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .drawing import Drawn, Use
from .names import free, node_id, slug
from .prompt import Item

Port = Callable[[str, str], str | None]
"""Our input for an input of one of their nodes."""
Output = Callable[[str, int], str | None]
"""Our output for an output of one of their nodes, by its place."""


@dataclass(slots=True)
class Folding:
    """A flat document whose nodes move into definitions.

    Attributes:
        nodes, outputs: Of the document, as plain values; both are changed.
        ids: Our node for each of theirs; what is moved gets the path of where it is, `instance/node`.
        definitions: What is made of subgraphs, by name.
        layout: Makes the layout of the nodes in one subgraph from their ids.
    """

    nodes: dict[str, Any]
    outputs: dict[str, Any]
    ids: dict[str, str]
    port: Port
    output: Output
    layout: Callable[[Use, Mapping[str, str]], dict[str, Any]]
    definitions: dict[str, Any] = field(default_factory=dict)
    _names: dict[str, dict[str, str]] = field(default_factory=dict)
    _slots: dict[str, dict[int, str]] = field(default_factory=dict)

    def run(self, drawn: Drawn) -> None:
        for use in sorted(drawn.uses, key=lambda each: -each.id.count(":")):
            self._fold(use)

    def _fold(self, use: Use) -> None:
        prefix = f"{use.id}:"
        inner = {ours: theirs for theirs, ours in self.ids.items() if theirs.startswith(prefix) and ours in self.nodes}
        if not inner or any(_mixed(self.nodes[ours], inner) for ours in inner):
            return
        local: dict[str, str] = {}
        for ours, theirs in inner.items():
            step = self.nodes[ours]
            kind = step["type"].removeprefix("#") if step["type"][0] == "#" else _called(ours, theirs)
            local[ours] = node_id(theirs[len(prefix) :], Item(kind), local.values())
        graph = {
            new: {"type": self.nodes[old]["type"], "inputs": _renamed(self.nodes[old]["inputs"], local)}
            for old, new in local.items()
        }
        given, exposed = self._exposed(use, graph, local)
        shown, leaving = self._leaving(use, inner, local)
        made = {"nodes": graph, "inputs": exposed, "outputs": shown}
        made = {name: value for name, value in made.items() if value}
        layout = self.layout(use, {theirs: local[ours] for ours, theirs in inner.items()})
        name = self._define(use, made, layout)
        id = node_id(use.id, Item(name, {}, use.title), self.nodes)
        for ours, theirs in inner.items():
            del self.nodes[ours]
            self.ids[theirs] = f"{id}/{local[ours]}"
        for theirs, ours in list(self.ids.items()):  # what was moved before goes along
            head, _, rest = ours.partition("/")
            if rest and head in local and theirs.startswith(prefix):
                self.ids[theirs] = f"{id}/{local[head]}/{rest}"
        for step in self.nodes.values():
            step["inputs"] = {n: _moved(v, leaving, id) for n, v in step["inputs"].items()}
        for shown_as, link in self.outputs.items():
            self.outputs[shown_as] = _moved(link, leaving, id)
        self.nodes[id] = {"type": f"#{name}", "inputs": given}
        self.ids[use.id] = id

    def _exposed(
        self, use: Use, graph: Mapping[str, Any], local: Mapping[str, str]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """What the use gives to its inputs, and which ports inside they feed. Both are taken out of the nodes."""
        given: dict[str, Any] = {}
        exposed: dict[str, Any] = {}
        names = self._names.setdefault(use.id, {})

        def expose(name: str, title: str, node: str, port: str) -> None:
            value = graph[node]["inputs"].pop(port)
            same = exposed.get(name)
            if same is not None and given[name] != value:
                name = free(name, exposed)
                same = None
            if same is None:
                given[name], exposed[name] = value, {"to": [], "title": title}
            exposed[name]["to"].append(f"{node}.{port}")

        for title, feeds in use.inputs:
            name = free(slug(title) or "input", exposed)
            for theirs, wanted in feeds:
                node = local.get(self.ids.get(theirs, ""))
                port = self._names.get(theirs, {}).get(wanted) or (self.port(theirs, wanted) if node else None)
                if node is None or port is None or port not in graph[node]["inputs"]:
                    continue
                value = graph[node]["inputs"][port]
                if not any(link.partition(".")[0] in graph for link in _links(value)):
                    expose(name, title, node, port)
                    names[title] = name
        for node, step in graph.items():
            for port, value in list(step["inputs"].items()):
                if any(link.partition(".")[0] not in graph for link in _links(value)):
                    same = next((n for n, v in given.items() if v == value), None)
                    expose(same or free(port, exposed), exposed[same]["title"] if same else "", node, port)
        return given, exposed

    def _leaving(
        self, use: Use, inner: Mapping[str, str], local: Mapping[str, str]
    ) -> tuple[dict[str, Any], dict[str, str]]:
        """The outputs of the definition, and their names by the links that lead out of it."""
        shown: dict[str, Any] = {}
        leaving: dict[str, str] = {}
        slots = self._slots.setdefault(use.id, {})
        for place, (title, theirs, slot) in enumerate(use.outputs):
            ours = self.ids.get(theirs)
            port = self._slots.get(theirs, {}).get(slot) or self.output(theirs, slot)
            if ours is not None and ours in inner and port is not None:
                name = leaving.get(f"{ours}.{port}") or free(slug(title) or port, shown)
                shown[name], leaving[f"{ours}.{port}"] = {"$from": f"{local[ours]}.{port}"}, name
                slots[place] = name
        outside = [v for id, step in self.nodes.items() if id not in inner for v in step["inputs"].values()]
        for value in [*outside, *self.outputs.values()]:
            for link in _links(value):
                node, _, port = link.partition(".")
                if node in inner and link not in leaving:
                    leaving[link] = name = free(port, shown)
                    shown[name] = {"$from": f"{local[node]}.{port}"}
        return shown, leaving

    def _define(self, use: Use, made: dict[str, Any], layout: Mapping[str, Any]) -> str:
        """The name of a definition: of one that is alike but for where its nodes lie, or of a new one."""
        name = next(
            (n for n, d in self.definitions.items() if {k: v for k, v in d.items() if k != "layout"} == made), None
        )
        if name is None:
            name = free(slug(use.name) or "subgraph", self.definitions)
            self.definitions[name] = {**made, **({"layout": layout} if layout else {})}
        return name


def _called(ours: str, theirs: str) -> str:
    """What a node is called, without the number of the one it was."""
    return ours.removesuffix(f"_{theirs.replace(':', '_')}")


def _links(value: Any) -> Iterator[str]:
    """The sources of the links that a value is, or is a list of."""
    for each in value if isinstance(value, list) else [value]:
        if isinstance(each, dict) and each.keys() == {"$from"}:
            yield each["$from"]


def _mixed(step: Mapping[str, Any], inner: Mapping[str, str]) -> bool:
    """Whether one input gathers links from both sides of the border, which no opening can give."""
    sides = [{link.partition(".")[0] in inner for link in _links(value)} for value in step["inputs"].values()]
    return any(len(side) > 1 for side in sides)


def _renamed(inputs: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    def renamed(value: Any) -> Any:
        if isinstance(value, list):
            return [renamed(each) for each in value]
        for link in _links(value):
            node, _, port = link.partition(".")
            return {"$from": f"{names.get(node, node)}.{port}"}
        return value

    return {name: renamed(value) for name, value in inputs.items()}


def _moved(value: Any, leaving: Mapping[str, str], id: str) -> Any:
    """A value whose links into a definition lead to its use."""
    if isinstance(value, list):
        return [_moved(each, leaving, id) for each in value]
    for link in _links(value):
        return {"$from": f"{id}.{leaving[link]}"} if link in leaving else value
    return value
