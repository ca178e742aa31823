"""From a document to a checked, ordered plan. Everything that is wrong is found at once, before anything runs."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from .context import Folders, NodeError
from .expand import Flat, Still
from .facts import NONE, Facts, Known
from .garbage import collector_paused
from .modes import flatten
from .node import Input, Node
from .pack import Registry, nearest
from .problems import InvalidWorkflow, Problem
from .types import SAME, Coercions, Fit, PortType
from .workflow import FOREIGN, Ref, Step, Workflow

NO_FACTS: Mapping[str, Facts] = {}


class Edge(NamedTuple):
    """A checked link into a port."""

    source: str
    port: str
    fit: Fit


@dataclass(slots=True)
class Call:
    """A checked node: what to call and with what."""

    id: str
    type: str
    node: Node[..., Any]
    literals: Mapping[str, Any]
    edges: Mapping[str, tuple[Edge, ...]]
    outputs: Mapping[str, PortType]
    """As seen downstream: type variables bound, and lists where the node is mapped."""
    outside: str
    """What the node's fingerprint says of state outside the graph."""
    rank: int
    """Depth-first position: the priority in a lane. Finish one picture before starting the next."""
    facts: Mapping[str, Facts] = field(default_factory=dict)
    """What is known of the outputs, by port; of the items where the node is mapped."""
    activations: int = 0
    """Bytes that it will hold at its peak beside weights, as far as its facts say; of one item where it is mapped."""

    @property
    def sources(self) -> set[str]:
        return {e.source for edges in self.edges.values() for e in edges}

    @property
    def mapped(self) -> list[str]:
        return [name for name, edges in self.edges.items() if edges[0].fit.mapped]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run: `calls` in an order where inputs come before consumers."""

    calls: Mapping[str, Call]
    targets: tuple[str, ...]
    outputs: Mapping[str, Ref]
    problems: tuple[Problem, ...]
    """What is wrong with nodes that no target needs. They do not run, so they do not stand in the way."""
    still: Mapping[str, Still] = field(default_factory=dict)
    """What is bypassed or muted, or needs what is."""

    @property
    def facts(self) -> dict[str, Facts]:
        """What is known of outputs before anything runs, by `node.port`."""
        calls = self.calls.items()
        return {f"{id}.{port}": facts for id, call in calls for port, facts in call.facts.items() if facts}

    def weights(self, id: str) -> int:
        """Bytes of weights that a call on a device leases, as far as the facts of its inputs say (`weights`)."""
        if self.calls[id].node.lane != "gpu":
            return 0
        links = {(edge.source, edge.port) for edges in self.calls[id].edges.values() for edge in edges}
        known = [self.calls[source].facts.get(port, NONE) for source, port in links]
        return sum(facts.size("weights") or 0 for facts in known)


def compile(
    workflow: Workflow, registry: Registry, folders: Folders | None = None, targets: Iterable[str] | None = None
) -> Plan:
    """Check `workflow` and order what its targets need; see `compile_flat`."""
    with collector_paused():
        return compile_flat(flatten(workflow, registry), registry, folders, targets)


@collector_paused()
def compile_flat(
    flat: Flat, registry: Registry, folders: Folders | None = None, targets: Iterable[str] | None = None
) -> Plan:
    """Check a document that `flatten` made flat, and order what its targets need.

    Args:
        targets: Ids of nodes or names of outputs. By default the document's outputs and every sink (an impure node
            nobody feeds on, such as `SaveImage`); where there are none, every node nobody feeds on.
    Raises:
        InvalidWorkflow: With every problem of the document, if any node that a target needs has one.
    """
    problems = list(flat.problems)
    nodes = {id: found for id, step in flat.steps.items() if (found := _resolve(id, step, registry, problems))}
    deps = _dependencies(flat.steps)
    wanted = _targets(flat, nodes, deps, targets, problems)
    order, needed = _order(deps, wanted, problems)
    check = Check(registry.coercions, folders or Folders(), flat.steps, problems)
    for rank, id in enumerate(order):
        if id in nodes:
            check.call(id, nodes[id], flat.steps[id], rank)
    for name, ref in flat.outputs.items():
        made = check.calls.get(ref.node)
        if ref.node and (ref.node not in flat.steps or (made and ref.port not in made.outputs)):
            message = f"its output {name!r} is {ref.node}.{ref.port}, which does not exist"
            problems.append(Problem("dangling_link", "", None, message + _known_ports(ref, flat.steps, check.calls)))
    if any(not p.node or p.node in needed or p.node not in flat.steps for p in problems):
        raise InvalidWorkflow(problems)
    calls = {id: check.calls[id] for id in order[: len(needed)]}
    return Plan(calls, tuple(wanted), flat.outputs, tuple(problems), flat.still)


def _resolve(id: str, step: Step, registry: Registry, problems: list[Problem]) -> Node[..., Any] | None:
    type_id, _, version = step.type.partition("@")
    found = registry.get(type_id)
    if found is None:
        pack = type_id.partition("/")[0] if "/" in type_id else ""
        if pack == FOREIGN:
            given = step.inputs.get("class_type", type_id.partition("/")[2])
            message = f"stands for ComfyUI's {given!r}, which has no counterpart here; put another node in its place"
            problems.append(Problem("placeholder", id, None, message))
        elif registry.broken and (not pack or pack in registry.broken):
            listed = "; ".join(f"{name!r} could not be imported: {why}" for name, why in registry.broken.items())
            problems.append(Problem("missing_pack", id, None, f"no node type {type_id!r}, and the pack {listed}"))
        elif pack and pack not in {p.name for p in registry.packs}:
            message = f"its pack {pack!r} is not installed; install it, or name its file with --pack"
            problems.append(Problem("missing_pack", id, None, f"no node type {type_id!r}: {message}"))
        else:
            message = f"no node type {type_id!r} is installed{nearest(type_id, registry)}"
            problems.append(Problem("unknown_type", id, None, message))
    elif int(version) > found.version:
        message = f"was saved by version {version} of {type_id}, and version {found.version} is installed; update it"
        problems.append(Problem("newer_node", id, None, message))
        return None
    return found


def _dependencies(steps: Mapping[str, Step]) -> dict[str, list[str]]:
    """The nodes that feed each node. Names that are no node's are left out."""
    deps: dict[str, list[str]] = {}
    for id, step in steps.items():
        deps[id] = sources = []
        for value in step.inputs.values():
            if type(value) is Ref:
                if value.node in steps:
                    sources.append(value.node)
            elif type(value) is tuple:
                sources.extend(ref.node for ref in value if ref.node in steps)
    return deps


def _targets(
    flat: Flat,
    nodes: Mapping[str, Node[..., Any]],
    deps: Mapping[str, list[str]],
    asked: Iterable[str] | None,
    problems: list[Problem],
) -> list[str]:
    if asked is not None:
        found = []
        for name in asked:
            id = flat.outputs[name].node if name in flat.outputs else name
            if id in flat.still:
                message = f"target {name!r} does not run: {flat.still[id].why}; let it run, or choose another"
                problems.append(Problem("still", id, None, message))
            elif id not in flat.steps:
                known = [*flat.outputs, *flat.steps]
                message = f"target {name!r} is neither a node nor an output{nearest(name, known)}"
                problems.append(Problem("unknown_target", "", None, message))
            else:
                found.append(id)
        return list(dict.fromkeys(found))
    fed = {source for sources in deps.values() for source in sources}
    leaves = [id for id in flat.steps if id not in fed]
    outputs = {ref.node for ref in flat.outputs.values()}
    chosen = [id for id in flat.steps if id in outputs or (id not in fed and id in nodes and not nodes[id].pure)]
    return chosen or leaves


def _order(
    deps: Mapping[str, list[str]], targets: list[str], problems: list[Problem]
) -> tuple[list[str], frozenset[str]]:
    """Depth-first post-order from the targets, then of all the rest; and the set of what the targets need.

    A circle is a problem, and one of its links is taken for open, so that the rest can be checked too.
    """
    order: list[str] = []
    open: dict[str, bool] = {}
    needed: frozenset[str] = frozenset()
    circular = False
    for roots in (targets, deps):
        for root in roots:
            if root in open:
                continue
            open[root] = True
            stack = [(root, iter(deps[root]))]
            while stack:  # a stack, not recursion: chains can be longer than Python's
                id, rest = stack[-1]
                for source in rest:
                    if source not in open:
                        open[source] = True
                        stack.append((source, iter(deps[source])))
                        break
                    circular = circular or open[source]
                else:
                    stack.pop()
                    open[id] = False
                    order.append(id)
        needed = needed or frozenset(order)
    if circular:
        import networkx

        graph = networkx.DiGraph((source, id) for id, sources in deps.items() for source in sources)
        cycle = [a for a, *_ in networkx.find_cycle(graph)]
        path = " -> ".join([*cycle, cycle[0]])
        problems.append(Problem("cycle", cycle[0], None, f"feeds on itself: {path}; cut one of these links"))
    return order, needed


def _known_ports(ref: Ref, steps: Mapping[str, Step], calls: Mapping[str, Call]) -> str:
    if ref.node not in steps:
        return nearest(ref.node, steps)
    if ref.node in calls:
        outputs = calls[ref.node].outputs
        return f"{nearest(ref.port, outputs)}; {ref.node} gives {', '.join(outputs) or 'nothing'}"
    return ""


class Check:
    """Checks calls in topological order, since what a node gives depends on what it is fed."""

    def __init__(
        self, coercions: Coercions, folders: Folders, steps: Mapping[str, Step], problems: list[Problem]
    ) -> None:
        self.coercions, self.folders, self.steps, self.problems = coercions, folders, steps, problems
        self.calls: dict[str, Call] = {}
        self._outputs: dict[str, Mapping[str, PortType]] = {}

    def call(self, id: str, node: Node[..., Any], step: Step, rank: int) -> None:
        known, given, ports = len(self.problems), step.inputs, node.inputs
        literals: dict[str, Any] = {}
        edges: dict[str, tuple[Edge, ...]] = {}
        bound: dict[str, PortType] = {}
        mapped = False
        if not given.keys() <= ports.keys():
            for name in given.keys() - ports.keys():
                listed = ", ".join(ports) or "none"
                message = f"{node.name} has no such input{nearest(name, ports)}; it has: {listed}"
                self.problems.append(Problem("unknown_input", id, name, message))
        for name, port in ports.items():
            value = given.get(name, port)  # the port itself stands for nothing given
            kind = type(value)
            if kind is Ref or kind is tuple:
                refs: tuple[Ref, ...] = (value,) if kind is Ref else value
                if len(refs) > 1 and not port.type.is_list:
                    message = f"takes one {port.type}, but {len(refs)} links are given; keep one, or gather them first"
                    self.problems.append(Problem("too_many_links", id, name, message))
                    continue
                made = tuple([e for ref in refs if (e := self._edge(id, port, ref, bound))])
                edges[name] = made
                if made and made[0].fit.mapped:
                    mapped = True
                    if port.lazy:
                        message = f"is computed on demand, so it takes one {port.type}, and {refs[0].node} gives a list"
                        self.problems.append(Problem("type_mismatch", id, name, message))
            elif value is not port and not (value is None and port.type.optional):
                literals[name] = self._literal(id, port, value)
            elif port.required and value is port:
                how = "give a value" if port.type.literal else f"link an output of type {port.type} to it"
                self.problems.append(Problem("missing_input", id, name, f"needs {port.type}; {how}"))
            else:
                literals[name] = port.default if value is port else None
        if bound or mapped:
            types = {n: _bind(o.type, bound) for n, o in node.outputs.items()}
            outputs: Mapping[str, PortType] = {n: t.listed() for n, t in types.items()} if mapped else types
        elif (same := self._outputs.get(step.type)) is not None:
            outputs = same
        else:
            outputs = self._outputs[step.type] = {n: o.type for n, o in node.outputs.items()}
        outside = "" if node.fingerprint_fn is None or len(self.problems) > known else self._outside(id, node, literals)
        facts = NO_FACTS
        activations = 0
        if node.facts_fn is not None and len(self.problems) == known:
            facts, activations = self._facts(id, node, literals, edges)
        self.calls[id] = Call(id, step.type, node, literals, edges, outputs, outside, rank, facts, activations)

    def _edge(self, id: str, port: Input, ref: Ref, bound: dict[str, PortType]) -> Edge | None:
        source = self.calls.get(ref.node)
        if source is None or ref.port not in source.outputs:
            if ref.node not in self.steps or source is not None:  # else that node has a problem of its own
                message = f"{ref.node}.{ref.port} does not exist{_known_ports(ref, self.steps, self.calls)}"
                if ref.node:
                    self.problems.append(Problem("dangling_link", id, port.name, message))
            return None
        if absent := source.facts.get(ref.port, NONE).get("absent"):
            self.problems.append(Problem("absent", id, port.name, f"{ref.node}.{ref.port} gives nothing: {absent}"))
            return None
        given, want = source.outputs[ref.port], port.type
        if want.var is not None and bound.setdefault(want.var, given.item if want.is_list else given):
            want = _bind(want, bound)
        same = given.members == want.members and given.is_list == want.is_list and given.var is None
        fit = SAME if same else self.coercions.fit(given, want)
        if fit is None:
            message = f"needs {want}, but {ref.node}.{ref.port} gives {given}"
            self.problems.append(Problem("type_mismatch", id, port.name, message))
            return None
        return Edge(ref.node, ref.port, fit)

    def _literal(self, id: str, port: Input, value: Any) -> Any:
        if port.validate is None:
            message = f"needs {port.type}, which only a link can give, but {value!r} is given"
            self.problems.append(Problem("not_a_literal", id, port.name, message))
            return None
        try:
            made = port.validate(value)
        except ValidationError as error:
            for e in error.errors(include_url=False):
                text = e["msg"][0].lower() + e["msg"][1:]
                hint = nearest(str(value), map(str, _choices(port))) if e["type"] == "literal_error" else ""
                self.problems.append(Problem("bad_value", id, port.name, f"{text}, but {value!r} is given{hint}"))
            return None
        return self._file(id, port, made) if isinstance(made, Path) else made

    def _file(self, id: str, port: Input, path: Path) -> Path:
        full = path if path.is_absolute() else self.folders.base / path
        if not full.is_file():
            folder = full.parent
            hint = nearest(full.name, (p.name for p in folder.iterdir())) if folder.is_dir() else ""
            what = "is a folder, not a file" if full.is_dir() else "there is no such file"
            self.problems.append(Problem("missing_file", id, port.name, f"{str(full)!r}: {what}{hint}"))
        return full

    def _facts(
        self, id: str, node: Node[..., Any], literals: Mapping[str, Any], edges: Mapping[str, tuple[Edge, ...]]
    ) -> tuple[Mapping[str, Facts], int]:
        assert node.facts_fn is not None
        links = {port: tuple((f"{e.source}.{e.port}", self._carried(e)) for e in into) for port, into in edges.items()}
        known = Known(literals, links, self.folders)
        try:
            made = node.facts_fn(known)
        except (NodeError, ValueError, OSError) as error:
            self.problems.append(Problem("unusable", id, getattr(error, "port", None), str(error)))
            return {}, 0
        self.problems += [Problem("mismatch", id, port, text) for port, text in dict.fromkeys(known.refused)]
        return made, max(known.needed, default=0)

    def _carried(self, edge: Edge) -> Facts:
        """The facts that a link brings. A coercion makes another value, of which nothing is known."""
        return self.calls[edge.source].facts.get(edge.port, NONE) if edge.fit.name == SAME.name else NONE

    def _outside(self, id: str, node: Node[..., Any], literals: Mapping[str, Any]) -> str:
        assert node.fingerprint_fn is not None
        names = inspect.signature(node.fingerprint_fn).parameters
        given = {**literals, "folders": self.folders}
        if linked := [name for name in names if name not in given]:
            message = "names what lies outside of the graph, so it must be known before anything runs; "
            message += "write it here instead of linking it"
            self.problems += [Problem("not_a_link", id, name, message) for name in linked]
            return ""
        try:
            return node.fingerprint_fn(**{n: given[n] for n in names if n in given})
        except (NodeError, ValueError, OSError) as error:
            port = getattr(error, "port", None) or next((n for n in names if n in node.inputs), None)
            self.problems.append(Problem("unusable", id, port, str(error)))
            return ""


def _bind(port: PortType, bound: Mapping[str, PortType]) -> PortType:
    found = bound.get(port.var or "")
    if found is None:
        return port
    return found.listed() if port.is_list else found


def _choices(port: Input) -> list[Any]:
    schema = port.adapter.json_schema() if port.adapter else {}
    return list(schema.get("enum", []))
