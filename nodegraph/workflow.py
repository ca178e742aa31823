"""The workflow document: one JSON format for the editor, the server, the command line and the pictures' metadata."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property, partial
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Discriminator, Field, JsonValue, Tag

FORMAT: Literal["nodegraph/1"] = "nodegraph/1"
RECEIPT = "receipt"
"""Where a document in a picture says how it was made. It is told, and no part of the document."""
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=100)]
TYPE = r"^(([a-z][a-z0-9_]*/)?[A-Z][A-Za-z0-9]*@[1-9][0-9]{0,5}|#[a-z][a-z0-9_]*)$"
FOREIGN = "comfyui"
"""The pack of nodes that stand for ComfyUI's. One that is not installed is a placeholder: documents keep it."""
PLAIN = frozenset((str, int, float, bool, type(None)))
PORT = r"^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$"


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Ref(NamedTuple):
    """An output of a node, as the compiler sees it."""

    node: str
    port: str


class Link(Strict):
    """`{"$from": "node.port"}`: takes an output of another node."""

    source: str = Field(alias="$from", pattern=PORT)

    @property
    def node(self) -> str:
        return self.source.partition(".")[0]

    @property
    def port(self) -> str:
        return self.source.partition(".")[2]


def _flat(value: Any) -> Any:
    if isinstance(value, Link):
        return Ref(*value.source.split("."))
    return tuple(map(_flat, value)) if isinstance(value, tuple) else value


def _kind(value: Any) -> str:
    if isinstance(value, dict):
        return "link" if "$from" in value else "literal"
    if isinstance(value, list | tuple):
        return "links" if value and all(_kind(v) == "link" for v in value) else "literal"
    return "link" if isinstance(value, Link) else "literal"


Value = Annotated[
    Annotated[Link, Tag("link")] | Annotated[tuple[Link, ...], Tag("links")] | Annotated[JsonValue, Tag("literal")],
    Discriminator(_kind),
]


Mode = Literal["run", "bypass", "mute"]
"""Of a node: runs; passes on what comes in; does not run, nor does what needs it."""


class Step(Strict):
    """One node: its type with version, or `#definition`, its inputs by name, and whether it takes part."""

    type: str = Field(pattern=TYPE)
    inputs: dict[Name, Value] = {}
    mode: Mode = "run"

    @cached_property
    def flat(self) -> dict[str, Any]:
        """The inputs with links as `Ref`s: what the compiler works on. Read only."""
        return {name: _flat(value) for name, value in self.inputs.items()}

    def with_inputs(self, inputs: Mapping[str, Any]) -> Step:
        """The same node with other inputs. (`model_copy` would keep what `flat` remembers of the old ones.)"""
        return Step.model_construct(type=self.type, inputs=dict(inputs), mode=self.mode)

    def links(self) -> Iterator[tuple[str, Link]]:
        for name, value in self.inputs.items():
            if isinstance(value, Link):
                yield name, value
            elif isinstance(value, tuple):
                yield from ((name, link) for link in value)


class Exposed(Strict):
    """A named input of the whole graph, and the `node.input` ports it feeds."""

    to: tuple[Annotated[str, Field(pattern=PORT)], ...] = Field(min_length=1)
    title: str = ""
    description: str = ""


class Layout(Strict):
    """What an editor draws. Deleting it never changes what runs."""

    nodes: dict[Name, tuple[float, float]] = {}
    looks: dict[Name, dict[str, JsonValue]] = {}
    """Of a node: its own title, its colour, whether it is collapsed, how its seed goes on."""
    notes: list[JsonValue] = []
    groups: list[JsonValue] = []
    reroutes: dict[str, list[tuple[float, float]]] = {}
    """Points that a link is led over, by `node.port>node.port`."""


class Graph(Strict):
    """Nodes with named openings: a whole workflow, or a definition that is used as a node in one."""

    nodes: dict[Name, Step]
    inputs: dict[Name, Exposed] = {}
    outputs: dict[Name, Link] = {}
    layout: Layout = Layout()


class Workflow(Graph):
    """A workflow document, frozen. Read one with `Workflow.parse` or `read_workflow`."""

    format: Literal["nodegraph/1"] = FORMAT
    name: str = ""
    description: str = ""
    definitions: dict[Name, Graph] = {}

    def to_json(self) -> str:
        """The document as people read it: one line for each node."""
        return dump(self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """The document as plain values, without sections that hold nothing."""
        order = ("format", "name", "description", "nodes", "inputs", "outputs", "definitions", "layout")
        definitions = {}
        for name, graph in self.definitions.items():
            raw = _sections(graph)
            definitions[name] = {key: value for key, value in raw.items() if value or key == "nodes"}
        raw = {**_sections(self), "definitions": definitions}
        for exposed in raw["inputs"].values():
            for key in [k for k, v in exposed.items() if not v]:
                del exposed[key]
        return {k: raw[k] for k in order if raw[k] or k in ("format", "nodes")}

    def _repr_html_(self) -> str:
        from .draw import svg

        return svg(self)


def _sections(graph: Graph) -> dict[str, Any]:
    """What `graph` holds, as plain values. The nodes, of which there are many, without a detour over pydantic."""
    raw = {name: {} for name in type(graph).model_fields} | graph.model_dump(
        mode="json", by_alias=True, exclude={"nodes", "definitions"}
    )
    raw["nodes"] = {id: _node(step) for id, step in graph.nodes.items()}
    raw["layout"] = {k: v for k, v in raw["layout"].items() if v}
    return raw


def _node(step: Step) -> dict[str, Any]:
    raw: dict[str, Any] = {"type": step.type, "inputs": {name: _plain(value) for name, value in step.inputs.items()}}
    return raw if step.mode == "run" else {**raw, "mode": step.mode}


def _plain(value: Any) -> Any:
    if type(value) in PLAIN:
        return value
    if isinstance(value, Link):
        return {"$from": value.source}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def dump(document: Mapping[str, Any]) -> str:
    """JSON with one line for each node, exposed input and definition's node, so that diffs are about nodes."""

    def rows(value: Any, pad: str, write: Callable[[str, Any], str]) -> str:
        if not isinstance(value, dict) or not value:
            return flat(value)
        inner = (f"{pad}  {json.dumps(k)}: {write(k, v)}" for k, v in value.items())
        return "{\n" + ",\n".join(inner) + f"\n{pad}}}"

    def graph(value: Any, pad: str) -> str:
        return rows(value, pad, partial(section, pad + "  "))

    def section(pad: str, name: str, value: Any) -> str:
        if name == "definitions":
            return rows(value, pad, lambda _, definition: graph(definition, pad + "  "))
        lines = name in ("nodes", "inputs", "outputs")
        return rows(value, pad, lambda _, v: flat(v)) if lines else flat(value)

    def flat(value: Any) -> str:
        return json.dumps(value, ensure_ascii=False)

    return graph(document, "") + "\n"
