"""The worker's way to the server: lines of JSON, one for everything that is waiting to be said."""

from __future__ import annotations

import json
import threading
import time
from typing import IO, Any

PACE = 0.1
"""Seconds between reports of progress; of several from one node only the latest is sent."""


class Post:
    """Sends from a thread of its own, so that nodes do not wait for the pipe.

    A line is an object with some of "job", "events" (a list of [type, fields]), "progress" and "end", or a message of
    another kind.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._changed = threading.Condition(threading.Lock())
        self._job = ""
        self._events: list[tuple[str, dict[str, Any]]] = []
        self._progress: dict[str, dict[str, Any]] = {}
        self._others: list[dict[str, Any]] = []
        self._end: dict[str, Any] | None = None
        self._due = 0.0
        threading.Thread(target=self._serve, name="post", daemon=True).start()

    def begin(self, job: str) -> None:
        self._job = job

    def event(self, type: str, fields: dict[str, Any]) -> None:
        with self._changed:
            self._events.append((type, fields))
            self._changed.notify()

    def progress(self, node: str, fields: dict[str, Any]) -> None:
        with self._changed:
            waiting = self._progress.get(node, {})
            if "preview" in waiting:  # not every report has a picture: the last one is not lost to the next without
                fields = {"preview": waiting["preview"], **fields}
            self._progress[node] = fields
            self._changed.notify()

    def end(self, state: str, error: str | None) -> None:
        with self._changed:
            self._end = {"state": state, "error": error}
            self._changed.notify()

    def other(self, message: dict[str, Any]) -> None:
        with self._changed:
            self._others.append(message)
            self._changed.notify()

    def _serve(self) -> None:
        while True:
            data = b"".join(json.dumps(message).encode() + b"\n" for message in self._next())
            try:
                self._file.write(data)
                self._file.flush()
            except OSError:  # the server has died; the main thread sees it as well and ends the process
                return

    def _next(self) -> list[dict[str, Any]]:
        with self._changed:
            while not (self._events or self._others or self._end):
                if not self._progress:
                    self._changed.wait()
                elif (left := self._due - time.monotonic()) > 0:
                    self._changed.wait(left)
                else:
                    break
            messages, self._others = self._others, []
            said: dict[str, Any] = {}
            if self._events:
                said["events"], self._events = self._events, []
            if self._progress and (self._end or time.monotonic() >= self._due):
                said["progress"], self._progress = list(self._progress.values()), {}
                self._due = time.monotonic() + PACE
            if self._end:
                said["end"], self._end = self._end, None
            return [*messages, {"job": self._job, **said}] if said else messages
