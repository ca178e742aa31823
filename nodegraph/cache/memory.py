"""The first tier: values as they are, least recently used out first, bounded by bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from ..codec import nbytes

Outputs = Mapping[str, Any]


class Memory:
    """Outputs by key.

    Args:
        limit: Bytes to keep at most. An entry larger than that is not kept.
    """

    def __init__(self, limit: int = 2 * 2**30) -> None:
        self.limit = limit
        self.used = 0
        self._items: OrderedDict[str, tuple[Outputs, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str) -> Outputs | None:
        with self._lock:
            found = self._items.get(key)
            if found is None:
                return None
            self._items.move_to_end(key)
            return found[0]

    def __contains__(self, key: str) -> bool:
        return key in self._items

    def put(self, key: str, outputs: Outputs) -> None:
        size = sum(map(nbytes, outputs.values()))
        if size > self.limit:
            return
        with self._lock:
            if key in self._items:
                return
            self._items[key] = (outputs, size)
            self.used += size
            while self.used > self.limit:
                _, (_, dropped) = self._items.popitem(last=False)
                self.used -= dropped

    def clear(self) -> None:
        with self._lock:
            self._items.clear()
            self.used = 0
