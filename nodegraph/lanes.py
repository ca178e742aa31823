"""Lanes: what only so many calls may use at once. Threads of the engine, shared by all its runs."""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

PATIENCE = 0.0005
"""Seconds after which a second thread looks whether it is needed."""

FEW = 8
"""Calls: where fewer were begun in that time, it is."""


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
    """A queue and up to `width` threads for it.

    Threads that take trivial calls only get into each other's way. So one works, and while there is more, another (the
    scout) looks after `PATIENCE` seconds whether calls take long; if so it works too, and sends the next to look.
    """

    def __init__(self, name: str, width: int, push: Callable[[Iterable[Ticket], str], None]) -> None:
        self.name, self.width, self._push = name, width, push
        self._ready: list[tuple[tuple[int, int], int, Ticket]] = []
        self._count = itertools.count()
        self._changed = threading.Condition(threading.Lock())
        self._threads = self._idle = self._busy = self._taken = 0
        self._scouted = False
        self._closed = False

    def push(self, tickets: list[Ticket], spare: bool) -> None:
        with self._changed:
            for ticket in tickets:
                heapq.heappush(self._ready, (ticket.priority, next(self._count), ticket))
            if not self._busy:
                self._wake()
            elif len(self._ready) > spare:
                self._send_scout()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _wake(self) -> bool:
        """Have one more thread look at the queue. False where all are at work."""
        if self._idle:
            self._changed.notify()
        elif self._threads < self.width:
            self._threads += 1
            threading.Thread(target=self._work, name=f"{self.name}-{self._threads}", daemon=True).start()
        else:
            return False
        return True

    def _send_scout(self) -> None:
        if not self._scouted:
            self._scouted = self._wake()

    def _work(self) -> None:
        while True:
            with self._changed:
                if not self._wait():
                    return
                self._busy += 1
            while (ticket := self._take()) is not None:
                self._push(ticket(), self.name)

    def _wait(self) -> bool:
        """Wait until this thread is needed. False once the lane is closed. The lock is held."""
        while not self._closed:
            if not self._ready:
                self._scouted = False
                self._idle += 1
                self._changed.wait()
                self._idle -= 1
            elif not self._busy:
                break
            else:
                before = self._taken
                self._changed.wait(PATIENCE)
                if self._ready and self._taken - before < FEW:
                    break
        self._scouted = False
        return not self._closed

    def _take(self) -> Ticket | None:
        """The next call, by a thread that is at work; None where there is none, and it no longer is."""
        with self._changed:
            if not self._ready or self._closed:
                self._busy -= 1
                return None
            self._taken += 1
            ticket = heapq.heappop(self._ready)[2]
            if self._ready:
                self._send_scout()
            return ticket
