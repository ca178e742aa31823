"""The node reference in Markdown, from signatures and docstrings alone."""

from __future__ import annotations

import json
from typing import Any

from .node import Input, Node
from .pack import Registry

HEAD = """\
# Node reference

Made by `nodegraph nodes --markdown` from the signatures and docstrings of the installed packs; a test keeps it fresh.
"""


def markdown(registry: Registry) -> str:
    """Every node, by category."""
    by_category: dict[str, list[tuple[str, Node[..., Any]]]] = {}
    for type_id, node in sorted(registry.items()):
        by_category.setdefault(node.category, []).append((type_id, node))
    parts = [HEAD]
    for category, nodes in sorted(by_category.items()):
        parts.append(f"## {category.capitalize()}\n")
        parts.extend(one(type_id, node) for type_id, node in nodes)
    return "\n".join(parts)


def one(type_id: str, node: Node[..., Any]) -> str:
    """One node: what it does, takes and gives."""
    lines = [f"### {type_id}", "", node.doc, ""]
    if node.inputs:
        lines += ["| input | type | default | |", "|---|---|---|---|"]
        lines += [f"| `{n}` | {_type(i)} | {_default(i)} | {_cell(i.doc)} |" for n, i in node.inputs.items()]
        lines.append("")
    if node.outputs:
        lines += ["| output | type | |", "|---|---|---|"]
        lines += [f"| `{n}` | {o.type} | {_cell(o.doc)} |" for n, o in node.outputs.items()]
        lines.append("")
    facts = f"Version {node.version}, lane {node.lane}"
    lines += [facts + ("." if node.pure else "; runs every time."), ""]
    return "\n".join(lines)


def _type(port: Input) -> str:
    schema = port.schema()
    text = str(port.type)
    if "enum" in schema:
        text = " ".join(f"`{v}`" for v in schema["enum"])
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None and abs(high) < 2**53 - 1:
        text += f", {low:g} to {high:g}"
    return _cell(text) + (" (lazy)" if port.lazy else "")


def _default(port: Input) -> str:
    if port.required:
        return "required"
    return "" if port.default is None else f"`{json.dumps(port.schema()['default'])}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
