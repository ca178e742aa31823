"""What is known of ComfyUI's node classes: the names, order, types and defaults of their inputs, and their outputs.

The table is `classes.json`, one line for each class: its inputs by name, then its outputs. An input is a type that only
a link can give, or a list of a widget's type and default; of `FILES` the second is the folder that they lie in. A type
ends in `?` where the input may be left out, in `!` where a widget that changes the number after each run follows it,
and in `^` where a button to upload follows it: old files hold a value for each of these too. An output reads
`NAME:TYPE`, or only `TYPE`, which then is its name too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

CONTROLS = frozenset({"fixed", "increment", "decrement", "randomize"})
"""What the widget holds that changes a number after each run."""
UPLOAD = "image"
"""What an upload button holds."""


@dataclass(frozen=True, slots=True)
class Port:
    """An input of a class."""

    name: str
    type: str
    widget: bool
    default: Any
    optional: bool
    control: bool
    upload: bool

    @property
    def has_default(self) -> bool:
        return self.widget and self.type != "FILES"


@dataclass(frozen=True, slots=True)
class Class:
    """A node class: inputs in the order of its widgets, outputs as (name, type)."""

    name: str
    inputs: Mapping[str, Port]
    outputs: tuple[tuple[str, str], ...]

    @property
    def widgets(self) -> list[Port]:
        return [port for port in self.inputs.values() if port.widget]


@cache
def known_classes() -> Mapping[str, Class]:
    """Every class in the table by its name."""
    text = resources.files(__package__).joinpath("classes.json").read_text(encoding="utf-8")
    return {name: _read(name, *row) for name, row in json.loads(text).items()}


def _read(name: str, inputs: Mapping[str, Any], outputs: list[str]) -> Class:
    ports = {}
    for key, spec in inputs.items():
        marked, default = spec if isinstance(spec, list) else (spec, None)
        kind = marked.rstrip("?!^")
        marks = marked[len(kind) :]
        ports[key] = Port(key, kind, isinstance(spec, list), default, "?" in marks, "!" in marks, "^" in marks)
    pairs = [out.partition(":") for out in outputs]
    return Class(name, ports, tuple((first, last or first) for first, _, last in pairs))
