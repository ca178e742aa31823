"""Inputs that take several values in turn: the axes of a sweep, and the order in which its cells are run."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from .expand import expand
from .node import Choices, Input
from .pack import Registry
from .ports import target
from .problems import InvalidWorkflow, Problem
from .wildcards import Read, alternatives
from .workflow import Ref, Workflow

Mode = Literal["product", "zip"]
MOST = 10_000
"""Cells of the largest sweep."""
NUMBER = r"-?\d+(?:\.\d+)?"
RANGE = re.compile(rf"({NUMBER})\.\.({NUMBER})(?:\.\.({NUMBER}))?")


@dataclass(frozen=True, slots=True)
class Axis:
    """An exposed input or `node.input`, and the values it takes."""

    name: str
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Point:
    """One cell: its place along each axis, and the inputs there."""

    place: tuple[int, ...]
    inputs: Mapping[str, Any]


def read_axis(text: str, workflow: Workflow, registry: Registry, base: Path) -> Axis:
    """An axis as people write it.

    `cfg=4,7,10` lists values, `seed=0..3` counts and `strength=0.2..0.8..0.2` counts in steps, both with their ends. A
    free text is taken whole, its `{red|blue}` giving the values. `prompt=@prompts.txt` takes the lines of a file.

    Args:
        base: What names of files are relative to.
    Raises:
        ValueError: It cannot be read so.
    """
    name, sign, values = text.partition("=")
    if not sign or not values:
        raise ValueError(f"--sweep {text!r}: needs name=values, such as cfg=4,7,10 or seed=0..3")

    def lines(file: str) -> list[str]:
        try:
            return (base / file).read_text(encoding="utf-8").splitlines()
        except OSError as error:
            raise ValueError(f"--sweep {name}: {file!r} cannot be read: {error.strerror or error}") from error

    return read_values(name, values, workflow, registry, lines)


def read_values(name: str, values: str, workflow: Workflow, registry: Registry, lines: Read) -> Axis:
    """The axis `name` with its values as people write them.

    Args:
        lines: Gives the lines of a file, where one is named.
    Raises:
        ValueError: They cannot be read so.
    """
    port = target(workflow, registry, name)
    if values.startswith("@"):
        listed = [line for line in lines(values[1:]) if line.strip()]
    elif port is not None and _free_text(port):
        return Axis(name, tuple(alternatives(values, lines)))
    else:
        listed = [made for part in values.split(",") for made in _counted(part.strip())]
    if not listed:
        raise ValueError(f"{name}={values}: there are no values in it")
    return Axis(name, tuple(_plain(port, value) for value in listed))


def _free_text(port: Input) -> bool:
    """Whether it takes any text: commas then belong to it."""
    schema = port.schema()
    return str in port.type.members and "enum" not in schema and not any(isinstance(m, Choices) for m in port.metadata)


def _counted(part: str) -> list[str]:
    found = RANGE.fullmatch(part)
    if not found:
        return [part] if part else []
    first, last, step = (Decimal(number) if number else Decimal(1) for number in found.groups())
    if step <= 0 or last < first:
        raise ValueError(f"{part!r} counts from low to high in steps above 0")
    count = int((last - first) / step) + 1
    if count > MOST:
        raise ValueError(f"{part!r} has {count:,} values; at most {MOST:,} are taken")
    return [str(first + index * step) for index in range(count)]


def _plain(port: Input | None, text: str) -> Any:
    """`text` as what the port takes, where it does; what it does not is told by the compiler."""
    if port is None or port.validate is None or Path in port.type.members:
        return text
    try:
        return port.validate(text)
    except ValidationError:
        return text


def points(axes: Sequence[Axis], mode: Mode) -> list[Point]:
    """The cells of a sweep. Raises `ValueError` where there are none or too many, or axes of unequal length to zip."""
    if not axes or any(not axis.values for axis in axes):
        raise ValueError("a sweep needs at least one axis, and each axis at least one value")
    if len({axis.name for axis in axes}) < len(axes):
        raise ValueError("an input can be an axis once; give all of its values in one")
    lengths = [len(axis.values) for axis in axes]
    if mode == "zip" and len(set(lengths)) > 1:
        listed = ", ".join(f"{axis.name} has {len(axis.values)}" for axis in axes)
        raise ValueError(f"axes that go together need equally many values, but {listed}; give as many")
    places: Iterable[tuple[int, ...]]
    if mode == "zip":
        places = [(index,) * len(axes) for index in range(lengths[0])]
    else:
        places = itertools.product(*map(range, lengths))
    made = [
        Point(place, {axis.name: axis.values[index] for axis, index in zip(axes, place, strict=True)})
        for place in itertools.islice(places, MOST + 1)
    ]
    if len(made) > MOST:
        raise ValueError(f"a sweep has at most {MOST:,} cells, and this one has more")
    return made


def ordered(found: Sequence[Point], axes: Sequence[Axis], workflow: Workflow) -> list[Point]:
    """The cells in the order that repeats least: what more nodes hang on changes less often, so a model is loaded once
    for all cells that use it.
    """
    reach = [-_reach(workflow, axis.name) for axis in axes]
    by_reach = sorted(range(len(axes)), key=lambda index: reach[index])
    return sorted(found, key=lambda point: [point.place[index] for index in by_reach])


def _reach(workflow: Workflow, name: str) -> int:
    """How many nodes hang on an input."""
    flat = expand(workflow)
    consumers: dict[str, set[str]] = {}
    for id, step in flat.steps.items():
        for value in step.inputs.values():
            for ref in value if isinstance(value, tuple) and not isinstance(value, Ref) else (value,):
                if isinstance(ref, Ref):
                    consumers.setdefault(ref.node, set()).add(id)
    exposed = workflow.inputs.get(name)
    roots = {to.partition(".")[0] for to in (exposed.to if exposed else (name,))}
    stack = [id for id in flat.steps if id in roots or any(id.startswith(f"{root}/") for root in roots)]
    reached: set[str] = set()
    while stack:
        id = stack.pop()
        if id not in reached:
            reached.add(id)
            stack.extend(consumers.get(id, ()))
    return len(reached)


def unknown(error: ValueError) -> InvalidWorkflow:
    """What is wrong with the axes, as a problem of the document."""
    return InvalidWorkflow([Problem("bad_sweep", "", None, str(error))])
