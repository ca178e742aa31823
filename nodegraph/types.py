"""Port types: a small algebra over ordinary Python classes.

A port type is a class, a union of classes, `list[...]` of these, or a type variable. `Coercions.fit` is the only rule
that says whether one may feed another; the editor asks for its table instead of keeping rules of its own.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

LITERALS: tuple[type, ...] = (bool, int, float, str, Path)
"""Classes whose values a document can hold. Everything else can only come through a link."""


class PortType(NamedTuple):
    """What a link may carry: one of a set of classes, once or as a list."""

    members: tuple[type, ...]
    is_list: bool = False
    optional: bool = False
    var: str | None = None

    @classmethod
    def of(cls, hint: Any) -> PortType:
        """Read an annotation. Raises `TypeError` for one that cannot be a port."""
        if isinstance(hint, TypeVar):
            return cls((), var=hint.__name__)
        origin, args = typing.get_origin(hint), typing.get_args(hint)
        if origin is typing.Annotated:
            return cls.of(args[0])
        if origin is list:
            item = cls.of(args[0])
            if item.is_list:
                raise TypeError(f"{hint!r} cannot be a port type: lists do not nest")
            return cls(item.members, is_list=True, var=item.var)
        if origin is typing.Literal:
            return cls(tuple(dict.fromkeys(type(a) for a in args)))
        if origin in (typing.Union, types.UnionType):
            parts = [cls.of(a) for a in args if a is not type(None)]
            if len({(p.is_list, p.var) for p in parts}) > 1:
                raise TypeError(
                    f"{hint!r} cannot be a port type: a union is of single classes or of lists, not of both"
                )
            members = tuple(dict.fromkeys(m for p in parts for m in p.members))
            return cls(members, is_list=parts[0].is_list, optional=type(None) in args, var=parts[0].var)
        if not isinstance(hint, type):
            raise TypeError(f"{hint!r} cannot be a port type; use a class, list[...], Literal or a union of these")
        return cls((hint,))

    @property
    def literal(self) -> bool:
        """Whether a document can hold a value of this type."""
        return bool(self.members) and all(m in LITERALS for m in self.members)

    @property
    def item(self) -> PortType:
        """The type of one element, for a list; otherwise the type itself."""
        return PortType(self.members, var=self.var) if self.is_list else self

    def listed(self) -> PortType:
        """A list of this type."""
        return PortType(self.members, is_list=True, var=self.var)

    def __str__(self) -> str:
        name = " | ".join(m.__name__ for m in self.members) or self.var or "?"
        return f"list[{name}]" if self.is_list else name


@dataclass(frozen=True, slots=True)
class Fit:
    """How a value of one type enters a port of another."""

    coerce: Callable[[Any], Any] | None = None
    name: str = "same"
    mapped: bool = False
    """`list[T]` into `T`: the node runs once per item."""
    lifted: bool = False
    """`T` into `list[T]`."""

    @property
    def key(self) -> tuple[str, bool, bool]:
        """What of it enters a cache key."""
        return self.name, self.mapped, self.lifted


@dataclass(frozen=True, slots=True)
class Coercion:
    """A declared conversion that a link may do."""

    source: type
    target: type
    fn: Callable[[Any], Any]


def coercion(fn: Callable[[Any], Any]) -> Coercion:
    """Declare that a link may turn one type into another: `def mask_to_image(mask: Mask) -> Image`."""
    hints = typing.get_type_hints(fn)
    target = hints.pop("return")
    (source,) = hints.values()
    return Coercion(source, target, fn)


SAME = Fit()


class Coercions:
    """One step only, never a chain, so that what a link means does not depend on a search."""

    def __init__(self, declared: Iterable[Coercion] = ()) -> None:
        self._table: dict[tuple[type, type], Fit] = {(int, float): Fit(float, "int_to_float")}
        self._known: dict[tuple[PortType, PortType], Fit | None] = {}
        for c in declared:
            if (c.source, c.target) in self._table:
                raise ValueError(f"{c.source.__name__} -> {c.target.__name__} already has a coercion")
            self._table[c.source, c.target] = Fit(c.fn, c.fn.__name__)

    def functions(self) -> set[Callable[[Any], Any]]:
        """Every conversion that a link may do."""
        return {fit.coerce for fit in self._table.values() if fit.coerce is not None}

    def fit(self, source: PortType, target: PortType) -> Fit | None:
        """How `source` enters `target`, or None when it does not."""
        pair = (source, target)
        if pair not in self._known:
            self._known[pair] = self._decide(source, target)
        return self._known[pair]

    def _decide(self, source: PortType, target: PortType) -> Fit | None:
        if target.var or source.var:
            return Fit(lifted=target.is_list and not source.is_list)
        item = self._item(source, target)
        if item is None:
            return None
        mapped = source.is_list and not target.is_list
        lifted = target.is_list and not source.is_list
        return Fit(item.coerce, item.name, mapped, lifted)

    def _item(self, source: PortType, target: PortType) -> Fit | None:
        fits = set()
        for s in source.members:
            if any(issubclass(s, t) for t in target.members):
                fits.add(SAME)
                continue
            found = [f for t in target.members if (f := self._table.get((s, t)))]
            if len(found) != 1:
                return None
            fits.add(found[0])
        return fits.pop() if len(fits) == 1 else None
