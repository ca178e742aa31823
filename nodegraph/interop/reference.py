"""The tables of classes as Markdown, for the documentation."""

from __future__ import annotations

from ..pack import Registry
from .classes import known_classes
from .names import twin_type
from .spelling import SAME, SPELLED
from .table import ENTRIES, PARTS, SHOWN


def markdown(registry: Registry) -> str:
    """What becomes of each of ComfyUI's classes with the nodes of `registry`: one row for each that is carried."""
    rows = []
    for name in sorted(known_classes(), key=str.lower):
        if (how := _carried(name, registry)) is not None:
            rows.append(f"| `{name}` | {how} |")
    return "\n".join(["| class | becomes |", "|---|---|", *rows]) + "\n"


def _carried(name: str, registry: Registry) -> str | None:
    if name in SAME:
        return f"the same as `{SAME[name].type}`"
    if name in SPELLED and name not in ENTRIES:
        return "said with ComfyUI's own classes"
    twin = f"its twin `{twin_type(name)}`" if registry.get(twin_type(name)) is not None else ""
    if name in PARTS:
        part = PARTS[name]
        read = "part of what reads it" if part.values else f"left out: what feeds its {part.passes} is linked directly"
        return f"{read}, or {twin} where that cannot take it apart" if twin else read
    if twin:
        return twin
    if name in ENTRIES:
        entry = ENTRIES[name]
        fixed = ", ".join(f"{key} {value}" for key, value in entry.fixed.items() if key != "add_noise")
        return f"`{entry.type}`" + (f" with {fixed}" if fixed else "")
    return "an output of the document" if name in SHOWN else None
