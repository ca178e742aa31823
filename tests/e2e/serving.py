"""`nodegraph serve` as a process, and questions to its API."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.request import Request, urlopen

SERVE = "import sys; from nodegraph.cli import main; sys.exit(main())"


class Server:
    """A running server. `restart` kills it and starts it again on the same port and data."""

    def __init__(self, data: Path, *options: str) -> None:
        self.data, self.options = data, options
        self.url = ""
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Server:
        self.start(0)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def start(self, port: int) -> None:
        command = [sys.executable, "-c", SERVE, "serve", "--port", str(port), "--data", str(self.data), *self.options]
        with (self.data.parent / "server.log").open("a") as log:
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        if not self.url.startswith("http"):
            self.stop()
            raise AssertionError((self.data.parent / "server.log").read_text())

    def stop(self, kill: bool = False) -> None:
        if self._process is None:
            return
        self._process.kill() if kill else self._process.terminate()
        self._process.wait(30)
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process = None

    def restart(self) -> None:
        port = int(self.url.rpartition(":")[2])
        self.stop(kill=True)
        self.start(port)

    def get(self, path: str) -> Any:
        return json.loads(self.read(path))

    def read(self, path: str) -> bytes:
        with urlopen(Request(self.url + path), timeout=30) as answer:
            content: bytes = answer.read()
            return content

    def latest_job(self) -> dict[str, Any]:
        jobs = self.get("/api/jobs?limit=1")["jobs"]
        return dict(jobs[0]) if jobs else {}

    def ended(self, job: str, within: float = 180) -> dict[str, Any]:
        """The record of a job once it has ended."""
        until = time.monotonic() + within
        while time.monotonic() < until:
            record: dict[str, Any] = self.get(f"/api/jobs/{job}")
            if record["state"] in ("done", "failed", "cancelled"):
                return record
            time.sleep(0.2)
        raise AssertionError(f"job {job} has not ended after {within} s: {self.get(f'/api/jobs/{job}')}")
