"""A plan on its way to a worker process of this server: what was checked here need not be read and checked again there.

It is pickled, since both ends are one program on one machine; nothing that came from elsewhere is ever read like this.
Node types and coercions go by name: they are found where packs are, not in their modules.
"""

from __future__ import annotations

import base64
import io
import pickle
from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any

from ..garbage import collector_paused
from ..node import Node
from ..pack import Registry
from ..plan import Call, Edge, Plan
from ..types import SAME, Fit

_sent = attrgetter("id", "type", *[name for name in Call.__slots__ if name not in ("id", "type", "node")])
"""Of a call, all but its node, as a tuple: pickled and read in little more than half of the time that objects take."""


def pack(plan: Plan) -> str | None:
    """`plan` as text; None where it holds classes that another process could not find by name."""
    data = io.BytesIO()
    try:
        calls = [_sent(call) for call in plan.calls.values()]
        _Packer(data, protocol=5).dump((calls, plan.targets, plan.outputs, plan.problems, plan.still))
    except (pickle.PicklingError, AttributeError, TypeError):
        return None
    return base64.b64encode(data.getbuffer()).decode()


@collector_paused()
def unpack(text: str, registry: Registry) -> Plan:
    """The plan in `text`. Raises `LookupError` if a node or a coercion of it is not installed."""
    sent, *rest = _Unpacker(base64.b64decode(text), registry).load()
    nodes = {type: _node(registry, type) for type in dict.fromkeys(type for _, type, *_ in sent)}
    return Plan({id: Call(id, type, nodes[type], *fields) for id, type, *fields in sent}, *rest)


def _node(registry: Registry, type: str) -> Node[..., Any]:
    node = registry.get(type.partition("@")[0])
    if node is None:
        raise LookupError(type)
    return node


class _Unpacker(pickle.Unpickler):
    def __init__(self, data: bytes, registry: Registry) -> None:
        super().__init__(io.BytesIO(data))
        self._functions = {_place(fn): fn for fn in registry.coercions.functions()}

    def find_class(self, module: str, name: str) -> Any:
        """What the data calls: of this class, the methods of this one, which knows the functions."""
        owner, _, method = name.partition(".")
        return getattr(self, method) if owner == type(self).__name__ else super().find_class(module, name)

    def fit(self, place: str | None, name: str, mapped: bool, lifted: bool) -> Fit:
        return Fit(None if place is None else self._functions[place], name, mapped, lifted)

    @staticmethod
    def edge(*fields: Any) -> Edge:
        return tuple.__new__(Edge, fields)

    @staticmethod
    def same() -> Fit:
        return SAME


class _Packer(pickle.Pickler):
    dispatch_table: Mapping[type, Callable[[Any], Any]] = {
        Edge: lambda edge: (_Unpacker.edge, tuple(edge)),
        Fit: lambda fit: (_Unpacker.same, ()) if fit is SAME else (_Unpacker.fit, _parts(fit)),
    }


def _parts(fit: Fit) -> tuple[str | None, str, bool, bool]:
    return None if fit.coerce is None else _place(fit.coerce), fit.name, fit.mapped, fit.lifted


def _place(fn: Callable[[Any], Any]) -> str:
    return f"{fn.__module__}.{fn.__qualname__}"
