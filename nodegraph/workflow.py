"""The workflow document: one JSON format for the editor, the server, the command line and the pictures' metadata."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from sys import intern
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    GetCoreSchemaHandler,
    JsonValue,
    PlainSerializer,
    Tag,
    WrapValidator,
    with_config,
)  # fmt: skip
from pydantic_core import CoreSchema
from typing_extensions import TypedDict

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
    """A link: an output of a node. `{"$from": "node.port"}` in a document."""

    node: str
    port: str


Link = TypedDict("Link", {"$from": Annotated[str, Field(pattern=PORT)]})
with_config(ConfigDict(extra="forbid"))(Link)


@dataclass(frozen=True, slots=True)
class Written:
    """Has pydantic read what is annotated with it as another type: the one that it has in a document."""

    type: Any

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return handler(self.type)


def _read(value: Any, read: Callable[[Any], Any]) -> Ref:
    if type(value) is Ref:
        return value
    node, _, port = read(value)["$from"].partition(".")
    return Ref(intern(node), intern(port))


def link(ref: Ref) -> Any:
    """`ref` as a document has it."""
    return {"$from": f"{ref.node}.{ref.port}"}


Linked = Annotated[Ref, Written(Link), WrapValidator(_read), PlainSerializer(link)]


def _kind(value: Any) -> str:
    if isinstance(value, dict):
        return "link" if "$from" in value else "literal"
    if isinstance(value, Ref):
        return "link"
    if isinstance(value, list | tuple):
        return "links" if value and all(_kind(v) == "link" for v in value) else "literal"
    return "literal"


Value = Annotated[
    Any,
    Written(
        Annotated[
            Annotated[Linked, Tag("link")]
            | Annotated[tuple[Linked, ...], Tag("links")]
            | Annotated[JsonValue, Tag("literal")],
            Discriminator(_kind),
        ]
    ),
]


Mode = Literal["run", "bypass", "mute"]
"""Of a node: runs; passes on what comes in; does not run, nor does what needs it."""


@dataclass(frozen=True, slots=True)
class Step:
    """One node: its type with version, or `#definition`, its inputs by name, and whether it takes part.

    Of the inputs a `Ref` or a tuple of them is links, everything else a literal. What is constructed here is not
    checked; what is read as a part of a document is.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    type: Annotated[str, Field(pattern=TYPE)]
    inputs: Mapping[Name, Value] = field(default_factory=dict)
    mode: Mode = "run"

    def links(self) -> Iterator[tuple[str, Ref]]:
        for name, value in self.inputs.items():
            if type(value) is Ref:
                yield name, value
            elif type(value) is tuple:
                yield from ((name, ref) for ref in value)


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
    outputs: dict[Name, Linked] = {}
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
    kind = type(value)
    if kind in PLAIN:
        return value
    if kind is Ref:
        return link(value)
    if isinstance(value, (tuple, list)):
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
