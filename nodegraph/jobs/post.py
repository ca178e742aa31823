"""The worker's way to the server: messages, one for everything that is waiting to be said."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import IO, Any

from pydantic_core import to_json

PACE = 0.1
"""Seconds between reports of progress; of several from one node only the latest is sent."""
LINGER = 0.01
"""Seconds that an event waits for others. The end of a job waits for nothing, and takes along what does."""
MUCH = 100
"""Events that are worth a message of their own."""
Message = dict[str, Any]
Told = tuple[str, str, Any]
"""The type of an event, its node, and its fields: a dict or a dataclass."""


def lines(file: IO[bytes]) -> Callable[[Iterable[Message]], None]:
    """Sends messages through a file, as lines of JSON."""

    def send(messages: Iterable[Message]) -> None:
        file.write(b"".join(to_json(message) + b"\n" for message in messages))
        file.flush()

    return send


class Post:
    """Sends from a thread of its own, so that nodes do not wait for the pipe.

    A message is an object with some of "job", "events" (a list of [type, fields]), "progress" and "end", or of
    another kind.

    Args:
        send: Takes messages to the server. An `OSError` says that there is none any more.
    """

    def __init__(self, send: Callable[[list[Message]], None]) -> None:
        self._send = send
        self._changed = threading.Condition(threading.Lock())
        self._job = ""
        self._events: deque[Told] = deque()
        self._progress: dict[str, dict[str, Any]] = {}
        self._others: list[dict[str, Any]] = []
        self._end: dict[str, Any] | None = None
        self._ended = threading.Event()
        self._due = 0.0
        self._events_due = 0.0
        """When the events that wait are sent; 0 where none was put there since the last were taken."""
        threading.Thread(target=self._serve, name="post", daemon=True).start()

    def begin(self, job: str) -> None:
        self._job = job

    def event(self, type: str, node: str, fields: Any) -> None:
        self._events.append((type, node, fields))
        if not self._events_due:  # read without the lock: who takes them sets it to 0 before it does
            with self._changed:
                self._events_due = time.monotonic() + LINGER
                self._changed.notify()

    def flush(self) -> None:
        """Let what waits for others wait no longer, if it is much. A little is told with the end, in one message."""
        with self._changed:
            if len(self._events) >= MUCH:
                self._events_due = time.monotonic()
                self._changed.notify()

    def progress(self, node: str, fields: dict[str, Any]) -> None:
        with self._changed:
            waiting = self._progress.get(node, {})
            if "preview" in waiting:  # not every report has a picture: the last one is not lost to the next without
                fields = {"preview": waiting["preview"], **fields}
            self._progress[node] = fields
            self._changed.notify()

    def end(self, state: str, error: str | None, holds: list[str]) -> None:
        """Say how the job ended, and which of the models that it and those before it named are still loaded.

        Returns when it is said: what is cleaned up after a job would hold the interpreter, and with it the answer.
        """
        self._ended.clear()
        with self._changed:
            self._end = {"state": state, "error": error, "holds": holds}
            self._changed.notify()
        self._ended.wait()

    def other(self, message: dict[str, Any]) -> None:
        with self._changed:
            self._others.append(message)
            self._changed.notify()

    def _serve(self) -> None:
        while True:
            messages = self._next()
            try:
                self._send(messages)
            except OSError:  # the server has died; the main thread sees it as well and ends the process
                return
            if any("end" in message for message in messages):
                self._ended.set()

    def _next(self) -> list[dict[str, Any]]:
        with self._changed:
            while not (self._others or self._end):
                waiting = [self._events_due] if self._events_due else []
                waiting += [self._due] if self._progress else []
                left = min(waiting) - time.monotonic() if waiting else None
                if left is not None and left <= 0:
                    break
                self._changed.wait(left)
            messages, self._others = self._others, []
            said: dict[str, Any] = {}
            self._events_due = 0.0
            if events := [self._events.popleft() for _ in range(len(self._events))]:
                said["events"] = telling(events)
            if self._progress and (self._end or time.monotonic() >= self._due):
                said["progress"], self._progress = list(self._progress.values()), {}
                self._due = time.monotonic() + PACE
            if self._end:
                said["end"], self._end = self._end, None
            return [*messages, {"job": self._job, **said}] if said else messages


def telling(events: list[Told]) -> list[tuple[str, Any]]:
    """`events` but for the beginnings of nodes whose end is among them: of a thousand quick nodes the ends say all."""
    over = {node for type, node, _ in events if type in ("Finished", "Failed")}
    return [(type, fields) for type, node, fields in events if type != "Started" or node not in over]
