"""ComfyUI's vocabulary for tests, in process: what ran, what was cached."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import toy
from nodegraph import Engine, Folders, InvalidWorkflow, Result, Workflow
from nodegraph.events import Cached, Event, Started


def step(type: str, **inputs: Any) -> dict[str, Any]:
    return {"type": type, "inputs": inputs}


def link(source: str) -> dict[str, str]:
    return {"$from": source}


def changed(nodes: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """`nodes` with the literal at `node.input` replaced."""
    made = copy.deepcopy(nodes)
    node, _, port = path.partition(".")
    made[node]["inputs"][port] = value
    return made


def ran(events: Iterable[Event]) -> list[str]:
    return [e.node for e in events if isinstance(e, Started)]


def cached(events: Iterable[Event]) -> list[str]:
    return [e.node for e in events if isinstance(e, Cached)]


class Bench:
    def __init__(self, folder: Path, cache: Path | None = None, nodes: Iterable[Any] = (), **settings: Any) -> None:
        folders = Folders(base=folder, output=folder / "output", models=(folder / "models",))
        self.engine = Engine(toy.registry(*nodes), folders=folders, cache=cache, **settings)
        self.events: list[Event] = []

    def read(self, nodes: dict[str, Any], **rest: Any) -> Workflow:
        return self.engine.read({"nodes": nodes, **rest})

    def run(self, nodes: dict[str, Any] | Workflow, given: dict[str, Any] | None = None, **rest: Any) -> Result:
        targets = rest.pop("targets", None)
        workflow = nodes if isinstance(nodes, Workflow) else self.read(nodes, **rest)
        self.events = []
        return self.engine.run(workflow, inputs=given, targets=targets, on_event=self.events.append)

    @property
    def ran(self) -> list[str]:
        return ran(self.events)

    @property
    def cached(self) -> list[str]:
        return cached(self.events)

    def problems(self, nodes: dict[str, Any], **rest: Any) -> list[tuple[str, str, str | None]]:
        """(code, node, port) of everything wrong."""
        try:
            workflow = self.read(nodes, **rest)
        except InvalidWorkflow as error:
            return [(p.code, p.node, p.port) for p in error.problems]
        return [(p.code, p.node, p.port) for p in self.engine.check(workflow)]

    def message(self, nodes: dict[str, Any], **rest: Any) -> str:
        try:
            workflow = self.read(nodes, **rest)
        except InvalidWorkflow as error:
            return str(error)
        return "\n".join(map(str, self.engine.check(workflow)))
