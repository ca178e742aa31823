"""A channel from threads to one reader, which may be synchronous or asynchronous."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Generic, TypeVar

T = TypeVar("T")


class Stream(Generic[T]):
    """Put items from any thread; iterate once, until it is closed."""

    def __init__(self) -> None:
        self._items: deque[T] = deque()
        self._changed = threading.Condition(threading.Lock())
        self._reader_waits = False
        self._wake: Callable[[], object] | None = None
        self.closed = False

    def put(self, item: T) -> None:
        self._items.append(item)
        if self._reader_waits:  # read without the lock: a reader looks at the items again before it sleeps
            self._notify()

    def close(self) -> None:
        with self._changed:
            self.closed = True
        self._notify()

    def wait(self) -> None:
        """Return once the stream is closed."""
        with self._changed:
            while not self.closed:
                self._changed.wait()

    def gather(self, linger: float, most: float | None = None) -> tuple[list[T], bool]:
        """What was put since, and whether there may be more.

        Args:
            linger: Seconds to wait for others once there is something, but not behind the end.
            most: Seconds after which nothing is waited for any longer.
        """
        with self._changed:
            if not self._items and not self.closed:
                self._reader_waits = True
                if not self._items:
                    self._changed.wait(most)
                self._reader_waits = False
            if self._items and not self.closed:
                self._changed.wait(linger)
            more = not self.closed
        return [self._items.popleft() for _ in range(len(self._items))], more

    def _notify(self) -> None:
        with self._changed:
            self._reader_waits = False
            self._changed.notify_all()
            if self._wake is not None:
                self._wake()
                self._wake = None

    def __iter__(self) -> Iterator[T]:
        while True:
            while self._items:
                yield self._items.popleft()
            with self._changed:
                self._reader_waits = True
                if not self._items:
                    if self.closed:
                        return
                    self._changed.wait()

    async def __aiter__(self) -> AsyncIterator[T]:
        import asyncio

        loop = asyncio.get_running_loop()
        try:
            while True:
                while self._items:
                    yield self._items.popleft()
                woken = asyncio.Event()
                with self._changed:
                    self._wake = partial(loop.call_soon_threadsafe, woken.set)
                    self._reader_waits = True
                    if self._items:
                        continue
                    if self.closed:
                        return
                await woken.wait()
        finally:
            with self._changed:  # the loop may close before the writer does
                self._wake = None
