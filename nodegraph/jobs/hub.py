"""From one writer of events to many readers."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable

from .job import Said

BACKLOG = 20_000
"""Events that may wait for one reader. One that is further behind is let go; it can come back for the rest."""
PULSE = 15.0
"""Seconds after which everybody is woken, to say that the connection lives."""
AT_ONCE = 10
"""Readers that are woken together. Between two such groups the loop answers requests: a thousand would hold it up."""


class Gone(Exception):
    """A reader was let go: it was too slow, or the hub closed."""


class Hub:
    """Readers of what happens now."""

    def __init__(self) -> None:
        self._readers: set[Reader] = set()
        self._asleep: deque[Reader] = deque()
        self._pulse: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._readers)

    def publish(self, events: Iterable[Said]) -> None:
        if listed := list(events):
            self._wake([reader for reader in list(self._readers) if reader.put(listed)])

    def _wake(self, readers: Iterable[Reader]) -> None:
        was_idle = not self._asleep
        self._asleep.extend(readers)
        if was_idle:
            self._wake_some()

    def _wake_some(self) -> None:
        for _ in range(min(AT_ONCE, len(self._asleep))):
            self._asleep.popleft().wake()
        if self._asleep:
            asyncio.get_running_loop().call_soon(self._wake_some)

    def _beat(self) -> None:
        self._pulse = asyncio.get_running_loop().call_later(PULSE, self._beat)
        self._wake(list(self._readers))

    def reader(self) -> Reader:
        """A new reader. It hears everything from now on, until it leaves."""
        made = Reader(self._readers)
        self._readers.add(made)
        if self._pulse is None:
            self._pulse = asyncio.get_running_loop().call_later(PULSE, self._beat)
        return made

    def close(self) -> None:
        """Send every reader home."""
        for reader in list(self._readers):
            reader.leave()
        if self._pulse is not None:
            self._pulse.cancel()


class Reader:
    """One who listens."""

    def __init__(self, readers: set[Reader]) -> None:
        self._readers = readers
        self._waiting: list[Said] = []
        self._changed = asyncio.Event()

    def put(self, events: list[Said]) -> bool:
        """Add to what it will hear. True if it has nothing else to hear, so that it has to be woken."""
        is_first = not self._waiting
        self._waiting.extend(events)
        if len(self._waiting) > BACKLOG:
            self.leave()
        return is_first

    def wake(self) -> None:
        self._changed.set()

    def leave(self) -> None:
        self._readers.discard(self)
        self._changed.set()

    async def next(self) -> list[Said]:
        """What was said since, once there is something; now and then nothing, see `PULSE`. Raises `Gone`."""
        await self._changed.wait()
        self._changed.clear()
        if self not in self._readers:
            raise Gone
        batch, self._waiting = self._waiting, []
        return batch
