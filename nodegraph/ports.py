"""The ports behind a document's names: what its exposed inputs take, and which literals are files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from .node import Input
from .pack import Registry
from .workflow import Graph, Step, Workflow


def port(definitions: Mapping[str, Graph], registry: Registry, type: str, name: str) -> Input | None:
    """The input `name` of a node of this type, or of the first node inside a definition that it feeds."""
    seen: set[str] = set()
    while type[0] == "#":
        definition = definitions.get(type[1:])
        if definition is None or name not in definition.inputs or type in seen:
            return None
        seen.add(type)
        inner, _, name = definition.inputs[name].to[0].partition(".")
        if inner not in definition.nodes:
            return None
        type = definition.nodes[inner].type
    node = registry.get(type.partition("@")[0])
    return node.inputs.get(name) if node else None


def exposed(workflow: Workflow, registry: Registry) -> dict[str, Input]:
    """What each exposed input takes: the form, the `--set` and the request body of a workflow."""
    found: dict[str, Input] = {}
    for name, item in workflow.inputs.items():
        node, _, target = item.to[0].partition(".")
        step = workflow.nodes.get(node)
        if step and (known := port(workflow.definitions, registry, step.type, target)):
            found[name] = known
    return found


def value(workflow: Workflow, name: str) -> Any:
    """The literal that an exposed input has in the document, or None."""
    node, _, target = workflow.inputs[name].to[0].partition(".")
    step = workflow.nodes.get(node)
    return step.inputs.get(target) if step else None


def target(workflow: Workflow, registry: Registry, name: str) -> Input | None:
    """The port behind the exposed input or `node.input` called `name`."""
    to = workflow.inputs[name].to[0] if name in workflow.inputs else name
    node, _, into = to.partition(".")
    step = workflow.nodes.get(node)
    return port(workflow.definitions, registry, step.type, into) if step else None


def given_file(workflow: Workflow, registry: Registry, name: str) -> bool:
    """Whether the exposed input or `node.input` called `name` takes a file."""
    found = target(workflow, registry, name)
    return found is not None and Path in found.type.members


def rebase(workflow: Workflow, registry: Registry, old: Path, new: Path) -> Workflow:
    """`workflow` with its relative file names, which started at `old`, starting at `new`.

    So a picture in the folder `new` can carry the document: opened from there, it finds the same files.
    """
    if old.resolve() == new.resolve():
        return workflow

    def moved(step: Step) -> Step:
        files = {
            name: os.path.relpath(old / text, new)
            for name, text in step.inputs.items()
            if isinstance(text, str)
            and (known := port(workflow.definitions, registry, step.type, name))
            and Path in known.type.members
        }
        return replace(step, inputs={**step.inputs, **files}) if files else step

    def graph(item: Graph) -> dict[str, Step]:
        return {id: moved(step) for id, step in item.nodes.items()}

    definitions = {k: d.model_copy(update={"nodes": graph(d)}) for k, d in workflow.definitions.items()}
    return workflow.model_copy(update={"nodes": graph(workflow), "definitions": definitions})
