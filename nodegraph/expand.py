"""From a document to the flat nodes that run: given inputs filled in, every `#definition` replaced by its insides."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from .pack import closest, nearest
from .problems import InvalidWorkflow, Problem
from .workflow import Graph, Mode, Ref, Step, Workflow


class Still(NamedTuple):
    """A node that does not run, since it is bypassed or muted, or needs what is."""

    type: str
    why: str


@dataclass(slots=True)
class Flat:
    """A document without definitions. Ids inside them read `instance/node`. A bypassed instance stays one step."""

    steps: dict[str, Step] = field(default_factory=dict)
    outputs: dict[str, Ref] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    still: dict[str, Still] = field(default_factory=dict)
    """What `modes.flatten` took out of `steps`."""


def fill(workflow: Workflow, given: Mapping[str, Any]) -> Workflow:
    """`workflow` with values for its exposed inputs, or for any `node.input`. Raises `InvalidWorkflow`."""
    if not given:
        return workflow
    changed: dict[str, dict[str, Any]] = {}
    problems = []
    for name, value in given.items():
        if exposed := workflow.inputs.get(name):
            targets: tuple[str, ...] = exposed.to
        elif name.partition(".")[0] in workflow.nodes and "." in name:
            targets = (name,)
        else:
            listed = ", ".join(workflow.inputs) or "none; name a node's input as node.input"
            message = f"has no input {name!r}{_near_input(workflow, name)}; its inputs: {listed}"
            problems.append(Problem("unknown_exposed", "", None, message))
            continue
        plain = os.fspath(value) if isinstance(value, os.PathLike) else value
        for target in targets:
            node, _, port = target.partition(".")
            if node in workflow.nodes:
                changed.setdefault(node, dict(workflow.nodes[node].inputs))[port] = plain
    if problems:
        raise InvalidWorkflow(problems)
    nodes = {id: replace(step, inputs=changed[id]) if id in changed else step for id, step in workflow.nodes.items()}
    return workflow.model_copy(update={"nodes": nodes})


def _near_input(workflow: Workflow, name: str) -> str:
    """The input most like `name`: an exposed one, `node.input`, or one whose last part alone is like it."""
    ports = [f"{id}.{port}" for id, step in workflow.nodes.items() for port in step.inputs]
    by_port = {port.partition(".")[2]: port for port in reversed(ports)}
    found = closest(name, [*workflow.inputs, *ports])
    if found is None and (last := closest(name, by_port)):
        found = by_port[last]
    return f"; did you mean {found!r}?" if found else ""


def expand(workflow: Workflow) -> Flat:
    """Flatten `workflow`. What is wrong with its definitions is in the result's `problems`."""
    flat = Flat()
    instances: dict[str, Mapping[str, Ref]] = {}
    _expand(workflow, workflow.definitions, "", {}, (), flat, instances, "run")
    flat.outputs = dict(workflow.outputs)
    if instances:
        for id, step in flat.steps.items():
            inputs = {k: _through(v, instances, flat, id, k) for k, v in step.inputs.items()}
            flat.steps[id] = replace(step, inputs=inputs)
        flat.outputs = {k: _through(v, instances, flat, "", None) for k, v in flat.outputs.items()}
    return flat


def _expand(
    graph: Graph,
    definitions: Mapping[str, Graph],
    prefix: str,
    given: Mapping[str, Any],
    inside: tuple[str, ...],
    flat: Flat,
    instances: dict[str, Mapping[str, Ref]],
    around: Mode,
) -> None:
    filled: dict[str, dict[str, Any]] = {}
    owner = prefix[:-1]
    for name, exposed in graph.inputs.items():
        for target in exposed.to:
            node, _, port = target.partition(".")
            if node not in graph.nodes:
                message = f"its exposed input {name!r} feeds {target!r}, but there is no node {node!r}"
                flat.problems.append(Problem("dangling_exposed", owner, None, message + nearest(node, graph.nodes)))
            elif name in given:
                filled.setdefault(node, {})[port] = given[name]
    for id, step in graph.nodes.items():
        if prefix or id in filled:
            inputs = {name: _absolute(value, prefix) for name, value in step.inputs.items()} | filled.get(id, {})
            step = Step(step.type, inputs, "mute" if around == "mute" else step.mode)
        if step.type[0] == "#" and step.mode != "bypass":
            _instance(step, f"{prefix}{id}", definitions, inside, flat, instances)
        else:
            flat.steps[prefix + id] = step


def _instance(
    step: Step,
    id: str,
    definitions: Mapping[str, Graph],
    inside: tuple[str, ...],
    flat: Flat,
    instances: dict[str, Mapping[str, Ref]],
) -> None:
    name = step.type[1:]
    instances[id] = {}
    definition = definitions.get(name)
    if definition is None:
        message = f"uses the definition {step.type!r}, which the document does not have{nearest(name, definitions)}"
        flat.problems.append(Problem("unknown_definition", id, None, message))
        return
    if name in inside:
        path = " -> ".join(f"#{n}" for n in (*inside[inside.index(name) :], name))
        flat.problems.append(Problem("cycle", id, None, f"a definition contains itself: {path}; break the circle"))
        return
    for unknown in step.inputs.keys() - definition.inputs.keys():
        listed = ", ".join(definition.inputs) or "none"
        message = f"{step.type!r} has no such input{nearest(unknown, definition.inputs)}; it has: {listed}"
        flat.problems.append(Problem("unknown_input", id, unknown, message))
    instances[id] = {n: Ref(f"{id}/{link.node}", link.port) for n, link in definition.outputs.items()}
    _expand(definition, definitions, f"{id}/", step.inputs, (*inside, name), flat, instances, step.mode)


def _absolute(value: Any, prefix: str) -> Any:
    if type(value) is Ref:
        return Ref(prefix + value.node, value.port)
    return tuple(_absolute(v, prefix) for v in value) if type(value) is tuple else value


def _through(value: Any, instances: Mapping[str, Mapping[str, Ref]], flat: Flat, id: str, port: str | None) -> Any:
    """Follow a link to an instance of a definition to the node inside that answers for it."""
    if type(value) is tuple:
        return tuple(_through(v, instances, flat, id, port) for v in value)
    while type(value) is Ref and value.node in instances:
        outputs = instances[value.node]
        if value.port not in outputs:
            if outputs:
                listed = f"it gives {', '.join(outputs)}"
                message = f"{value.node}.{value.port} does not exist{nearest(value.port, outputs)}; {listed}"
                flat.problems.append(Problem("dangling_link", id, port, message))
            return Ref("", value.port)
        value = outputs[value.port]
    return value
