"""Lanes: what only so many calls may use at once. Threads of the engine, shared by all its runs."""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

Work = Callable[[], Iterable["Ticket"]]


class Ticket(Protocol):
    """A call that may start: its lane, its place in the queue, and what to do."""

    lane: str
    priority: tuple[int, int]

    def __call__(self) -> Iterable[Ticket]:
        """Do the work. Returns what may start because of it."""


class Lanes:
    """Named lanes with a width each. Of the calls that wait in one, the first in priority goes next.

    Args:
        widths: Calls at a time, by lane: `{"gpu": 1, "cpu": 4, "io": 4}`.
    """

    def __init__(self, widths: Mapping[str, int]) -> None:
        self._lanes = {name: _Lane(name, width, self.push) for name, width in widths.items()}

    def __contains__(self, name: str) -> bool:
        return name in self._lanes

    def push(self, tickets: Iterable[Ticket], own: str | None = None) -> None:
        """Queue `tickets`. `own` is the lane of the thread that asks, which takes one of them itself."""
        by_lane: dict[str, list[Ticket]] = {}
        for ticket in tickets:
            by_lane.setdefault(ticket.lane, []).append(ticket)
        for name, some in by_lane.items():
            self._lanes[name].push(some, spare=name == own)

    def close(self) -> None:
        for lane in self._lanes.values():
            lane.close()


class _Lane:
    def __init__(self, name: str, width: int, push: Callable[[Iterable[Ticket], str], None]) -> None:
        self.name, self.width, self._push = name, width, push
        self._ready: list[tuple[tuple[int, int], int, Ticket]] = []
        self._count = itertools.count()
        self._changed = threading.Condition(threading.Lock())
        self._idle = self._threads = 0
        self._closed = False

    def push(self, tickets: list[Ticket], spare: bool) -> None:
        with self._changed:
            for ticket in tickets:
                heapq.heappush(self._ready, (ticket.priority, next(self._count), ticket))
            wanted = len(tickets) - spare
            if wanted > 0:
                woken = min(wanted, self._idle)
                self._idle -= woken
                self._changed.notify(woken)
                for _ in range(min(wanted - woken, self.width - self._threads)):
                    self._threads += 1
                    threading.Thread(target=self._work, name=f"{self.name}-{self._threads}", daemon=True).start()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._ready and not self._closed:
                    self._idle += 1  # whoever wakes this thread takes it off the count
                    self._changed.wait()
                if self._closed:
                    return
                ticket = heapq.heappop(self._ready)[2]
            self._push(ticket(), self.name)
