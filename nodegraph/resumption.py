"""How far an interrupted call had come: kept on disk under the call's key, gone once the call is done.

The key says all that goes into a call, so a state can only ever be found by a call that would come to the same state.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from .cache import Disk
from .codec import Unencodable


@dataclass(slots=True)
class Resumption:
    """The states of one call, or of one item of a call that is mapped over a list.

    Args:
        key: The call's.
        every: Seconds between two states, at least.
        stop: Once set, the next state is kept whatever the time: it is the last.
    """

    disk: Disk
    key: str
    every: float
    stop: threading.Event
    index: int = 0
    _kept: float = field(default_factory=time.monotonic)
    _used: set[str] = field(default_factory=set)

    @property
    def _place(self) -> str:
        return f"{self.key}-{self.index}"

    def item(self, index: int) -> Resumption:
        """That of one item."""
        return replace(self, index=index, _kept=time.monotonic())

    def keep(self, state: Callable[[], Any]) -> None:
        """Write down `state()`, if it is time."""
        if time.monotonic() - self._kept < self.every and not self.stop.is_set():
            return
        with contextlib.suppress(Unencodable, OSError):  # the call goes on without
            self._used.add(self._place)
            self.disk.put(self._place, {"state": state()}, replace=True)
        self._kept = time.monotonic()

    def found(self) -> Any:
        """The last state, or None."""
        kept = self.disk.get(self._place) if self._place in self.disk else None
        if kept is None:
            return None
        self._used.add(self._place)
        return kept.get("state")

    def clear(self) -> None:
        """The call is done with all its items, or cannot go on from where it was."""
        for place in self._used:
            self.disk.remove(place)
        self._used.clear()
