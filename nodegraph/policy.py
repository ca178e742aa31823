"""A rule of whoever serves documents: what every picture passes before it leaves.

The rule is a node of a pack, such as `SafetyCheck` with its settings. It is put into documents where pictures leave
them: in front of the nodes that save, and behind the document's own outputs. So it runs, is cached and is told in the
pictures' own workflow like any other node.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import chain, count
from typing import Any, TypeVar

from .node import Node
from .pack import Registry
from .plan import Plan
from .problems import InvalidWorkflow, Problem
from .types import PortType
from .workflow import Graph, Ref, Step, Workflow

G = TypeVar("G", bound=Graph)


def safety_policy(registry: Registry, action: str | None) -> Policy | None:
    """Pictures pass `SafetyCheck` with this action; None for no action. Raises `ValueError` as `Policy` does."""
    return None if action is None else Policy(registry, "SafetyCheck", {"action": action}, strict=action != "flag")


class Policy:
    """Pictures pass the node `type`, set to `inputs`.

    Args:
        strict: Whether pictures that have not passed it are kept from leaving in other ways.
    Raises:
        ValueError: There is no such node; or it is none that takes a picture and gives one of the same type and name.
    """

    def __init__(self, registry: Registry, type: str, inputs: Mapping[str, Any], *, strict: bool = True) -> None:
        node = registry.get(type)
        if node is None:
            raise ValueError(f"needs the node {type!r}, and no installed pack has it")
        first = next(iter(node.inputs), "")
        given = node.outputs.get(first)
        if given is None or given.type.members != node.inputs[first].type.members:
            raise ValueError(f"{type!r} cannot be what pictures pass: its first input and an output must be the same")
        self.registry, self.type, self.settings = registry, f"{type}@{node.version}", dict(inputs)
        self.port, self.strict = first, strict
        self.picture = node.inputs[first].type.members

    def enforce(self, workflow: Workflow, plan: Plan) -> Workflow:
        """`workflow`, whose plan is `plan`, with the node wherever a picture leaves that has not passed it.

        Raises:
            InvalidWorkflow: The rule is strict, and a node saves what it is given in another form than as pictures.
        """
        blind = [id for id, call in plan.calls.items() if self._is_blind(call.type)]
        if blind and self.strict:
            message = (
                "saves what is no picture yet, which this server's policy cannot look at; decode it, and save pictures"
            )
            raise InvalidWorkflow([Problem("policy", id, None, message) for id in blind])
        definitions = {name: self._enforce(graph) for name, graph in workflow.definitions.items()}
        made = self._enforce_outputs(self._enforce(workflow), plan)
        return made.model_copy(update={"definitions": definitions})

    def passed(self, step: Step) -> bool:
        """Whether pictures that a node gives have passed the rule: it is the rule's node, set as the rule says."""
        settings = {name: value for name, value in step.inputs.items() if name != self.port}
        return step.type == self.type and step.mode == "run" and settings == self.settings

    def _enforce(self, graph: G) -> G:
        nodes, exposed = dict(graph.nodes), dict(graph.inputs)
        places: dict[Ref, str] = {}

        def through(link: Ref) -> Ref:
            """The picture that `link` takes, behind the rule's node."""
            if self._passed(nodes, link.node):
                return link
            if link not in places:
                places[link] = self._put(nodes, link.node, {self.port: link})
            return self._behind(places[link])

        for id, step in graph.nodes.items():
            node = self._node(step.type)
            if node is None or node.pure:
                continue
            inputs = dict(step.inputs)
            for name in self._pictures(node):
                value = inputs.get(name)
                if isinstance(value, Ref):
                    inputs[name] = through(value)
                elif isinstance(value, tuple):
                    inputs[name] = tuple(map(through, value))
                for opening, item in exposed.items():
                    if f"{id}.{name}" in item.to:  # the picture comes from outside the definition
                        place = self._put(nodes, id, {})
                        inputs[name] = self._behind(place)
                        to = tuple(f"{place}.{self.port}" if t == f"{id}.{name}" else t for t in item.to)
                        exposed[opening] = item.model_copy(update={"to": to})
            nodes[id] = replace(step, inputs=inputs)
        return graph.model_copy(update={"nodes": nodes, "inputs": exposed})

    def _enforce_outputs(self, workflow: Workflow, plan: Plan) -> Workflow:
        nodes, outputs = dict(workflow.nodes), dict(workflow.outputs)
        for name, link in workflow.outputs.items():
            ref = plan.outputs.get(name)  # None where a node is muted
            call = None if ref is None else plan.calls.get(ref.node)
            if ref is None or call is None or not self._is_picture(call.outputs[ref.port]):
                continue
            if not self._passed(nodes, link.node):
                outputs[name] = self._behind(self._put(nodes, link.node, {self.port: link}))
        return workflow.model_copy(update={"nodes": nodes, "outputs": outputs})

    def _passed(self, nodes: Mapping[str, Step], id: str) -> bool:
        return id in nodes and self.passed(nodes[id])

    def _put(self, nodes: dict[str, Step], beside: str, inputs: Mapping[str, Ref]) -> str:
        """Add the rule's node to `nodes`; return its id, which no other has."""
        name = f"checked_{beside}"[:90]
        id = next(id for id in chain((name,), (f"{name}_{i}" for i in count(2))) if id not in nodes)
        nodes[id] = Step(self.type, {**inputs, **self.settings})
        return id

    def _behind(self, id: str) -> Ref:
        return Ref(id, self.port)

    def _node(self, type: str) -> Node[..., Any] | None:
        return self.registry.get(type.partition("@")[0])

    def _pictures(self, node: Node[..., Any]) -> list[str]:
        return [name for name, port in node.inputs.items() if self._is_picture(port.type)]

    def _is_picture(self, type: PortType) -> bool:
        return any(member in self.picture for member in type.members)

    def _is_blind(self, type: str) -> bool:
        """Whether a node may save something that it is linked to, which is no picture."""
        node = self._node(type)
        if node is None or node.pure or self._pictures(node):
            return False
        return not all(port.type.literal for port in node.inputs.values())
