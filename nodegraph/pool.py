"""Heavy things that outlive a call: weights on a device. Leased while used, dropped when space is needed."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from .context import Report, Resource

T = TypeVar("T")


class OutOfSpace(MemoryError):
    """What is in use leaves too little room on the device."""


@dataclass(slots=True)
class _Entry:
    resource: Resource[Any]
    leases: int = 1
    value: Any = None
    loaded: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)


class Pool:
    """The space of every device. Knows sizes and how to load and drop, not what is loaded.

    Args:
        capacity: Bytes by place, where a user says so; otherwise the resource is asked.
    """

    def __init__(self, capacity: Mapping[str, int] | None = None) -> None:
        self.capacity = dict(capacity or {})
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()
        self._lock = threading.RLock()

    def used(self, place: str) -> int:
        """Bytes taken at `place`."""
        with self._lock:
            return sum(e.resource.size for e in self._entries.values() if e.resource.place == place)

    def loaded(self) -> frozenset[Hashable]:
        """The keys of what is loaded."""
        with self._lock:
            return frozenset(key for key, entry in self._entries.items() if entry.loaded)

    @contextmanager
    def lease(self, resource: Resource[T], report: Report = lambda done, total: None) -> Iterator[T]:
        """Hold `resource` in place for the length of a `with` block, loading it first if need be.

        Raises:
            OutOfSpace: Everything at its place is leased and leaves too little room.
        """
        with self._lock:
            entry = self._entries.get(resource.key)
            if entry is None:
                self._make_room(resource)
                entry = self._entries[resource.key] = _Entry(resource)
            else:
                entry.leases += 1
            self._entries.move_to_end(resource.key)
        try:
            with entry.lock:  # one thread loads, others that want the same wait; the pool itself stays free
                if not entry.loaded:
                    entry.value = resource.load(report)
                    entry.loaded = True
            yield entry.value
        finally:
            with self._lock:
                entry.leases -= 1
                if not entry.loaded and not entry.leases:
                    self._entries.pop(resource.key, None)

    def drop_unleased(self) -> list[str]:
        """Drop whatever nobody holds. Returns the names of what was dropped."""
        with self._lock:
            idle = [k for k, e in self._entries.items() if not e.leases]
            return [self._drop(key) for key in idle]

    def busy(self, place: str | None = None) -> str:
        """The names of what is held, at `place` or anywhere."""
        with self._lock:
            held = [e.resource for e in self._entries.values() if e.leases]
        return ", ".join(resource.name for resource in held if place in (None, resource.place))

    def _drop(self, key: Hashable) -> str:
        entry = self._entries.pop(key)
        entry.resource.drop(entry.value)
        entry.value = None
        return entry.resource.name

    def _make_room(self, resource: Resource[Any]) -> None:
        place = resource.place
        room = self.capacity.get(place) or resource.capacity()
        for key, entry in list(self._entries.items()):
            if self.used(place) + resource.size <= room:
                return
            if not entry.leases and entry.resource.place == place:
                self._drop(key)
        if self.used(place) + resource.size > room:
            raise OutOfSpace(
                f"{resource.name} needs {resource.size:,} bytes of {place}, which has {room:,} for models; in use: "
                f"{self.busy(place) or 'nothing'}. Use a smaller dtype, or give {place} more room"
            )


def physical_memory() -> int:
    """Bytes of memory this machine has."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
