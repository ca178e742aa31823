"""A server as a process, with the toy pack beside the shipped one, and what tests ask of it."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

PATIENCE = 100.0
"""Seconds after which what was waited for will not come: only a failure takes that long, on any machine."""
TOY = Path(__file__).parents[1] / "toy.py"
T = TypeVar("T")


class Answer(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        return str(self.json["error"]["code"])


class Event(NamedTuple):
    number: int | None
    type: str
    data: dict[str, Any]


class Service:
    """`nodegraph serve` on a free port. Started by being made; `stop` and `kill` end it, `start` begins anew."""

    def __init__(self, data: Path, *options: str) -> None:
        self.data, self.options = data, options
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-c", "from nodegraph.cli import main; main()", "serve", "--port", "0"]
        command += ["--data", str(self.data), "--models", str(self.data / "models"), "--pack", str(TOY), *self.options]
        self.log = self.data.with_name(f"{self.data.name}.log")
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True, env=os.environ | QUICK
            )
        assert self.process.stdout is not None
        address = self.process.stdout.readline()
        found = re.fullmatch(r"http://(\S+):(\d+)\n", address)
        assert found, f"it did not start: {self.log.read_text()}"
        self.host, self.port = found[1], int(found[2])

    def ask(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
        """One request. A body that is not bytes goes as JSON."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=2 * PATIENCE)
        given = {"Accept-Encoding": "identity", **(headers or {})}
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            given.setdefault("Content-Type", "application/json")
        try:
            connection.request(method, path, body, given)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, None, headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Answer:
        return self.ask("POST", path, {} if body is None else body, headers)

    def submit(self, nodes: dict[str, Any], *, wait: bool = True, outputs: Any = None, **rest: Any) -> dict[str, Any]:
        """Queue a job of toy nodes and, by default, wait for its end."""
        document = {"nodes": toys(nodes), **({"outputs": outputs} if outputs else {})}
        query = f"wait={'true' if wait else 'false'}&timeout={PATIENCE}"
        answer = self.post(f"/api/jobs?{query}", {"document": document, **rest})
        assert answer.status == 201, answer.body
        made: dict[str, Any] = answer.json
        return made

    def job(self, id: str) -> dict[str, Any]:
        made: dict[str, Any] = self.get(f"/api/jobs/{id}").json
        return made

    def until(self, look: Callable[[], T | None], seconds: float = PATIENCE) -> T:
        """What `look` finds, once it finds something."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if found := look():
                return found
            time.sleep(0.02)
        raise AssertionError(f"nothing within {seconds} s; the log: {self.log.read_text()[-2000:]}")

    def until_state(self, id: str, *states: str, seconds: float = PATIENCE) -> dict[str, Any]:
        def ended() -> dict[str, Any] | None:
            return found if (found := self.job(id))["state"] in states else None

        return self.until(ended, seconds)

    def until_progress(self, id: str) -> None:
        """Return once a node of the job reports its steps."""
        with self.events() as events:
            next(e for e in events if e.type == "Progress" and e.data["job"] == id and not e.data["what"])

    @contextmanager
    def events(self, after: int | None = None, headers: dict[str, str] | None = None) -> Iterator[Iterator[Event]]:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
        try:
            connection.request(
                "GET", "/api/events" + ("" if after is None else f"?after={after}"), headers=headers or {}
            )
            response = connection.getresponse()
            assert response.status == 200, response.read()
            yield _parsed(response)
        finally:
            connection.close()

    def worker(self) -> int:
        """The process of the first worker, once it is ready."""

        def ready() -> int | None:
            workers: list[dict[str, Any]] = self.get("/api/workers").json["workers"]
            found: list[int] = [w["process"] for w in workers if w["ready"]]
            return found[0] if found else None

        return self.until(ready)

    def stop(self) -> int:
        """SIGTERM, and wait. Returns the exit status."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(20)
        finally:
            self._close()

    def kill(self) -> None:
        """SIGKILL to the server alone; its workers end by themselves."""
        self.process.kill()
        self.process.wait()
        self._close()

    def _close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


QUICK = {"OMP_NUM_THREADS": "1"}


def toys(nodes: dict[str, Any]) -> dict[str, Any]:
    """Nodes of the toy pack under its name, as a server with several packs knows them."""
    return {id: {**n, "type": f"toy/{n['type']}"} for id, n in nodes.items()}


def _parsed(response: http.client.HTTPResponse) -> Iterator[Event]:
    number, type = None, ""
    while line := response.readline().decode().rstrip("\n"):
        while line:
            field, _, value = line.partition(": ")
            if field == "id":
                number = int(value)
            elif field == "event":
                type = value
            elif field == "data":
                yield Event(number, type, json.loads(value))
                number = None
            line = response.readline().decode().rstrip("\n")
