"""What becomes of bypassed and muted nodes: they leave the flat graph before it is checked, as if never placed.

A bypassed node passes each output on from its first input of the same type that holds something. Of a muted node
nothing runs, nor of what cannot do without it; an optional input that it fed is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from .expand import Flat, Still, expand
from .pack import Registry
from .ports import port as port_behind
from .problems import Problem
from .types import PortType
from .workflow import Graph, Ref, Step, Workflow


class Gone(NamedTuple):
    """In the place of a value that a bypassed node has no input for."""

    node: str
    type: str


def flatten(workflow: Workflow, registry: Registry) -> Flat:
    """The flat nodes that run. Of the others `still` says why they do not."""
    flat = expand(workflow)
    if any(step.mode != "run" for step in flat.steps.values()):
        _settle(flat, workflow.definitions, registry)
    return flat


def _settle(flat: Flat, definitions: Mapping[str, Graph], registry: Registry) -> None:
    past = Past(flat, definitions, registry)
    steps = {id: step for id, step in flat.steps.items() if step.mode != "bypass"}
    for id, step in steps.items():
        inputs = {name: past.value(id, name, value) for name, value in step.inputs.items()}
        steps[id] = replace(step, inputs={name: v for name, v in inputs.items() if type(v) is not Gone})
    outputs = {name: past.through(ref) for name, ref in flat.outputs.items()}
    flat.outputs = {name: ref for name, ref in outputs.items() if type(ref) is Ref}
    flat.still = {id: Still(step.type, "is bypassed") for id, step in flat.steps.items() if step.mode == "bypass"}
    flat.steps = steps
    _mute(flat, registry)


class Past:
    """Follows links past bypassed nodes."""

    def __init__(self, flat: Flat, definitions: Mapping[str, Graph], registry: Registry) -> None:
        self.flat, self.definitions, self.registry = flat, definitions, registry

    def value(self, id: str, name: str, value: Any) -> Any:
        """What the input `name` of the node `id` holds, past what is bypassed; `Gone` for nothing."""
        if type(value) is Ref:
            made = self.through(value)
            node = self.registry.get(self.flat.steps[id].type.partition("@")[0])
            known = node.inputs.get(name) if node else None
            if type(made) is Gone:
                return self._lost(id, name, made) if known is None or known.required else made
            if known and known.type.is_list and type(made) not in (Ref, tuple, list):
                return [made]
            return made
        if type(value) is tuple:
            made = [m for ref in value for m in self._each(ref) if type(m) is not Gone]
            if len({type(m) is Ref for m in made}) > 1:
                return self._lost(id, name, Gone(value[0].node, "linked"))
            return (tuple(made) if type(made[0]) is Ref else made) if made else Gone(value[0].node, "")
        return value

    def _each(self, ref: Ref) -> tuple[Any, ...]:
        made = self.through(ref)
        return made if type(made) is tuple else tuple(made) if type(made) is list else (made,)

    def _lost(self, id: str, name: str, gone: Gone) -> Ref:
        message = f"{gone.node} is bypassed and has no input of type {gone.type} that holds anything to pass on here"
        advice = "mute it instead, or link something else"
        self.flat.problems.append(Problem("bypassed", id, name, f"{message}; {advice}"))
        return Ref("", name)

    def through(self, value: Any) -> Any:
        """What comes out at a link, past bypassed nodes: a `Ref`, a tuple of them, a literal, or `Gone`."""
        seen = set()
        while type(value) is Ref and value.node in self.flat.steps and self.flat.steps[value.node].mode == "bypass":
            if value in seen:  # a circle of bypassed nodes
                return Gone(value.node, "?")
            seen.add(value)
            value = self._passed(value)
        if type(value) is tuple:
            return tuple(m for ref in value for m in self._each(ref))
        return value

    def _passed(self, ref: Ref) -> Any:
        step = self.flat.steps[ref.node]
        out = self._output(step.type, ref.port, ())
        if out is None:
            return Gone(ref.node, "?")
        for name in self._names(step):
            port = port_behind(self.definitions, self.registry, step.type, name)
            if port is None or not _same(port.type, out):
                continue
            value = step.inputs.get(name, None if port.required else port.default)
            if value is not None:
                return value
        return Gone(ref.node, str(out))

    def _names(self, step: Step) -> list[str]:
        if step.type[0] == "#":
            definition = self.definitions.get(step.type[1:])
            return list(definition.inputs) if definition else []
        node = self.registry.get(step.type.partition("@")[0])
        return list(node.inputs) if node else []

    def _output(self, type: str, port: str, inside: tuple[str, ...]) -> PortType | None:
        """The type of an output as it is declared, of a node or of a definition."""
        if type[0] != "#":
            node = self.registry.get(type.partition("@")[0])
            return node.outputs[port].type if node and port in node.outputs else None
        definition = self.definitions.get(type[1:])
        link = definition.outputs.get(port) if definition else None
        inner = definition.nodes.get(link.node) if definition and link else None
        if link is None or inner is None or type in inside:
            return None
        return self._output(inner.type, link.port, (*inside, type))


def _same(a: PortType, b: PortType) -> bool:
    return (a.members, a.is_list, a.var) == (b.members, b.is_list, b.var)


def _mute(flat: Flat, registry: Registry) -> None:
    """Take out muted nodes and, one after the other, what needs what was taken out."""
    consumers: dict[str, list[str]] = {}
    for id, step in flat.steps.items():
        for value in step.inputs.values():
            for ref in value if type(value) is tuple else (value,):
                if type(ref) is Ref:
                    consumers.setdefault(ref.node, []).append(id)
    muted = {id: Still(step.type, "is muted") for id, step in flat.steps.items() if step.mode == "mute"}
    flat.still |= muted
    waiting = list(muted)
    while waiting:
        gone = waiting.pop()
        del flat.steps[gone]
        for id in consumers.get(gone, ()):
            if id in flat.still:
                continue
            kept = _without(flat.steps[id], gone, registry)
            if kept is None:
                why = f"needs {gone}, which is muted" if gone in muted else flat.still[gone].why
                flat.still[id] = Still(flat.steps[id].type, why)
                waiting.append(id)
            else:
                flat.steps[id] = kept
    flat.outputs = {name: ref for name, ref in flat.outputs.items() if ref.node not in flat.still}


def _without(step: Step, gone: str, registry: Registry) -> Step | None:
    """`step` without what `gone` fed it; None where it cannot do without."""
    node = registry.get(step.type.partition("@")[0])
    inputs: dict[str, Any] = {}
    for name, value in step.inputs.items():
        left = value
        if type(value) is Ref:
            left = None if value.node == gone else value
        elif type(value) is tuple:
            left = tuple(ref for ref in value if ref.node != gone) or None
        if left is not None or value is None:
            inputs[name] = left
        elif node is None or name not in node.inputs or node.inputs[name].required:
            return None
    return replace(step, inputs=inputs)
