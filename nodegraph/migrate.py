"""From any document, of any age, to a `Workflow` of today: format steps and node upgrades, dict to dict.

This is the only way in: the command line, the server and Python users all read documents through `read_workflow`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from .garbage import collector_paused
from .pack import Registry
from .problems import InvalidWorkflow, Problem, shown
from .workflow import FORMAT, RECEIPT, Workflow

STEPS: Mapping[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}
"""Format steps: `STEPS[n]` turns a document of format n into one of format n + 1."""


def load_workflow(path: Path, registry: Registry) -> Workflow:
    """Read the document in a JSON file, or the one inside a picture that carries it.

    Raises:
        InvalidWorkflow: There is no document in it, or it has another shape than a document's.
    """
    from .carrier import PICTURES, read_document

    if not path.is_file():
        what = "is a folder" if path.is_dir() else "there is no such file"
        raise InvalidWorkflow([Problem("missing_document", "", None, f"{str(path)!r}: {what}; give a workflow's file")])
    try:
        carried = path.suffix.lower() in PICTURES
        raw = json.loads(read_document(path) if carried else path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        message = f"{str(path)!r} holds no workflow that can be read: {error}"
        raise InvalidWorkflow([Problem("unreadable_document", "", None, message)]) from None
    return read_workflow(raw, registry)


@collector_paused()
def read_workflow(raw: Any, registry: Registry) -> Workflow:
    """Bring a document's plain values up to date and check their shape. Raises `InvalidWorkflow`."""
    try:
        return Workflow.model_validate(upgrade(raw, registry))
    except ValidationError as error:
        raise InvalidWorkflow([_shape(e) for e in error.errors(include_url=False)]) from None
    except RecursionError:
        raise InvalidWorkflow([Problem("bad_document", "", None, "its values are nested too deeply")]) from None


def upgrade(raw: Any, registry: Registry) -> dict[str, Any]:
    """The document in today's format with every known node at its installed version. `raw` is left as it is."""
    if not isinstance(raw, dict) or "nodes" not in raw:
        given = f"keys {', '.join(map(repr, list(raw)[:5]))}" if isinstance(raw, dict) else type(raw).__name__
        message = f'needs an object with "format": "{FORMAT}" and "nodes", but has {given}'
        raise InvalidWorkflow([Problem("bad_document", "", None, message)])
    today = int(FORMAT.partition("/")[2])
    found = re.fullmatch(r"nodegraph/([1-9][0-9]{0,5})", str(raw.get("format", FORMAT)))
    if not found:
        message = f'"format" is {raw["format"]!r}, but a document of this program says "{FORMAT}"'
        raise InvalidWorkflow([Problem("bad_document", "", None, message)])
    if int(found[1]) > today:
        message = f"is of format {found[1]}, and this version reads up to {today}; update nodegraph to open it"
        raise InvalidWorkflow([Problem("newer_format", "", None, message)])
    document: dict[str, Any] = {**raw, "format": FORMAT}
    document.pop(RECEIPT, None)
    for number in range(int(found[1]), today):
        document = STEPS[number](document)
    document["nodes"] = _upgrade_nodes(document["nodes"], registry)
    definitions = document.get("definitions", {})
    if isinstance(definitions, dict):
        document["definitions"] = {
            k: {**d, "nodes": _upgrade_nodes(d["nodes"], registry)} if isinstance(d, dict) and "nodes" in d else d
            for k, d in definitions.items()
        }
    return document


def _upgrade_nodes(nodes: Any, registry: Registry) -> Any:
    if not isinstance(nodes, dict):
        return nodes
    return {id: _upgrade_node(step, registry) for id, step in nodes.items()}


def _upgrade_node(step: Any, registry: Registry) -> Any:
    if not isinstance(step, dict) or not isinstance(step.get("type"), str):
        return step
    type_id, _, version = step["type"].partition("@")
    node = registry.get(type_id)
    if node is None or not version.isascii() or not version.isdigit() or int(version) >= node.version:
        return step
    inputs = dict(step.get("inputs", {}))
    for since in range(int(version), node.version):
        inputs = node.upgrades.get(since, dict)(inputs)
    return {**step, "type": f"{type_id}@{node.version}", "inputs": inputs}


def _shape(error: Any) -> Problem:
    """One of pydantic's errors as a problem at the node and port where it lies."""
    path = [p for p in error["loc"] if p not in ("link", "links", "literal", "[key]")]
    node = str(path[1]) if len(path) > 1 and path[0] == "nodes" else ""
    port = str(path[3]) if node and len(path) > 3 and path[2] == "inputs" else None
    rest = ".".join(map(str, path[4 if port else 2 if node else 0 :]))
    text = error["msg"][0].lower() + error["msg"][1:]
    if error["type"] == "unexpected_keyword_argument":
        text = "extra inputs are not permitted"
    return Problem(
        "bad_document", node, port, f"{rest + ': ' if rest else ''}{text}, given {shown(error.get('input'))}"
    )
