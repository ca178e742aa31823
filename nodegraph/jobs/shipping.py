"""A plan on its way to a worker process of this server: what was checked here need not be read and checked again there.

It is pickled, since both ends are one program on one machine; nothing that came from elsewhere is ever read like this.
"""

from __future__ import annotations

import base64
import pickle
from collections.abc import Callable, Mapping
from typing import Any

from ..garbage import collector_paused
from ..pack import Registry
from ..plan import Call, Edge, Plan
from ..types import SAME, Fit

Sent = tuple[str | None, str, bool, bool]
"""A `Fit`, its function by name: a declared coercion is found where packs are, not in its module."""


def pack(plan: Plan) -> str | None:
    """`plan` as text; None where it holds classes that another process could not find by name."""
    calls = [
        (
            c.id, c.type, c.literals,
            {name: [(e.source, e.port, _sent(e.fit)) for e in into] for name, into in c.edges.items()},
            c.outputs, c.outside, c.rank, c.facts, c.activations,
        )
        for c in plan.calls.values()
    ]  # fmt: skip
    try:
        data = pickle.dumps((calls, plan.targets, plan.outputs, plan.problems, plan.still), protocol=5)
    except (pickle.PicklingError, AttributeError, TypeError):
        return None
    return base64.b64encode(data).decode()


@collector_paused()
def unpack(text: str, registry: Registry) -> Plan:
    """The plan in `text`. Raises `LookupError` if a node or a coercion of it is not installed."""
    functions = {_place(fn): fn for fn in registry.coercions.functions()}
    listed, targets, outputs, problems, still = pickle.loads(base64.b64decode(text))  # noqa: S301  # from our server
    calls = {}
    for id, type, literals, edges, *rest in listed:
        node = registry.get(type.partition("@")[0])
        if node is None:
            raise LookupError(type)
        links = {
            name: tuple([Edge(source, port, _received(fit, functions)) for source, port, fit in into])
            for name, into in edges.items()
        }
        calls[id] = Call(id, type, node, literals, links, *rest)
    return Plan(calls, targets, outputs, problems, still)


def _place(fn: Callable[[Any], Any]) -> str:
    return f"{fn.__module__}.{fn.__qualname__}"


def _sent(fit: Fit) -> Sent | None:
    if fit is SAME:
        return None
    return None if fit.coerce is None else _place(fit.coerce), fit.name, fit.mapped, fit.lifted


def _received(sent: Sent | None, functions: Mapping[str, Callable[[Any], Any]]) -> Fit:
    if sent is None:
        return SAME
    place, name, mapped, lifted = sent
    return Fit(None if place is None else functions[place], name, mapped, lifted)
