"""A client of a server, for Python programs. Knows nothing but HTTP.

>>> client = Client("http://127.0.0.1:8288")
>>> job = client.wait(client.submit(workflow="txt2img", inputs={"prompt": "a cat"}))
>>> client.save(job, Path("pictures"))
"""

from __future__ import annotations

import json
import mimetypes
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

if TYPE_CHECKING:
    import http.client

ADDRESS = "http://127.0.0.1:8288"
ENDED = ("done", "failed", "cancelled")
RETRIES = 40
"""Connections that are tried, a quarter of a second apart, while a server restarts."""


class ServerError(RuntimeError):
    """The server refused. `code` is stable, `problems` says what is wrong with a document."""

    def __init__(self, status: int, error: Mapping[str, Any]) -> None:
        self.status, self.code = status, str(error.get("code", "unknown"))
        self.problems: list[dict[str, Any]] = list(error.get("problems", []))
        listed = [
            f"{'.'.join(filter(None, (p['node'], p['port']))) or 'document'}: {p['message']}" for p in self.problems
        ]
        super().__init__("\n".join(listed) or str(error.get("message", f"status {status}")))


class Unreachable(ConnectionError):
    """No server answers at the address."""


@dataclass(frozen=True, slots=True)
class Client:
    """Talks to the server at `address`.

    Args:
        token: What the server asks for, where it does.
        timeout: Seconds to wait for an answer.
    """

    address: str = ADDRESS
    token: str | None = None
    timeout: float = 60.0

    def get(self, path: str, **query: Any) -> Any:
        return json.loads(self.request("GET", path, query))

    def post(self, path: str, body: Any = None, **query: Any) -> Any:
        return json.loads(self.request("POST", path, query, {} if body is None else body))

    def submit(
        self,
        document: Mapping[str, Any] | None = None,
        *,
        workflow: str | None = None,
        inputs: Mapping[str, Any] | None = None,
        **rest: Any,
    ) -> dict[str, Any]:
        """Queue a job: a document, or a stored workflow's name. `rest` are further fields, such as `priority`."""
        named = {"document": document} if workflow is None else {"workflow": workflow}
        made: dict[str, Any] = self.post("/api/jobs", {**named, "inputs": dict(inputs or {}), **rest})
        return made

    def job(self, id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.get(f"/api/jobs/{id}")
        return found

    def wait(self, job: Mapping[str, Any], every: float = 0.1) -> dict[str, Any]:
        """The job when it has ended; also over a restart of the server."""
        tries = 0
        while True:
            try:
                found = self.job(job["id"])
                tries = 0
            except Unreachable:
                tries += 1
                if tries >= RETRIES:
                    raise
                time.sleep(0.25)
                continue
            if found["state"] in ENDED:
                return found
            time.sleep(every)

    def cancel(self, id: str) -> dict[str, Any]:
        made: dict[str, Any] = self.post(f"/api/jobs/{id}/cancel")
        return made

    def upload(self, path: Path) -> str:
        """Send a picture. Returns the name that a document's file input holds."""
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        answer = self.request("POST", "/api/uploads", {}, path.read_bytes(), kind)
        return str(json.loads(answer)["name"])

    def save(self, job: Mapping[str, Any], folder: Path) -> list[Path]:
        """Write a job's results into a folder, under their own names where these are free."""
        folder.mkdir(parents=True, exist_ok=True)
        made = []
        for id in job["results"]:
            name = Path(str(self.get(f"/api/results/{id}")["name"])).name
            path = folder / name
            if path.exists():
                path = folder / f"{path.stem}-{id}{path.suffix}"
            path.write_bytes(self.request("GET", f"/api/results/{id}/image", {}))
            made.append(path)
        return made

    def events(self, after: int | None = None) -> Iterator[tuple[str, dict[str, Any]]]:
        """What happens, as (type, fields), without end: a connection that breaks goes on from where it was."""
        import http.client

        last, tries = after, 0
        while True:
            connection, path = self._connect("/api/events")
            try:
                headers = self._headers() | ({} if last is None else {"Last-Event-ID": str(last)})
                connection.request("GET", path, headers=headers)
                response = connection.getresponse()
                if response.status != 200:
                    raise _refused(response.status, response.read())
                type = ""
                for line in response:
                    field, _, value = line.decode().rstrip("\n").partition(": ")
                    if field == "id":
                        last, tries = int(value), 0
                    elif field == "event":
                        type = value
                    elif field == "data":
                        yield type, json.loads(value)
            except (OSError, http.client.HTTPException) as error:
                tries += 1
                if tries >= RETRIES:
                    raise self._unreachable(error) from error
            finally:
                connection.close()
            time.sleep(0.25)

    def request(
        self, method: str, path: str, query: Mapping[str, Any], body: Any = None, kind: str = "application/json"
    ) -> bytes:
        """One request. Raises `ServerError` or `Unreachable`."""
        import http.client

        connection, prefix = self._connect(quote(path, safe="/%"))
        asked = {k: json.dumps(v) if isinstance(v, bool) else v for k, v in query.items() if v is not None}
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        headers = self._headers() | ({} if data is None else {"Content-Type": kind})
        try:
            connection.request(method, prefix + (f"?{urlencode(asked)}" if asked else ""), data, headers)
            response = connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from error
        finally:
            connection.close()
        if response.status >= 400:
            raise _refused(response.status, content)
        return content

    def _headers(self) -> dict[str, str]:
        return {} if self.token is None else {"Authorization": f"Bearer {self.token}"}

    def _connect(self, path: str) -> tuple[http.client.HTTPConnection, str]:
        import http.client  # brings ssl: 30 ms that every command line would pay

        parts = urlsplit(self.address)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"a server's address is like {ADDRESS}, but {self.address!r} is given")
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        return kind(parts.hostname, parts.port, timeout=self.timeout), parts.path.rstrip("/") + path

    def _unreachable(self, error: Exception) -> Unreachable:
        return Unreachable(f"no server answers at {self.address} ({error}); start one with `nodegraph serve`")


def _refused(status: int, content: bytes) -> ServerError:
    try:
        error = json.loads(content)["error"]
    except (ValueError, KeyError, TypeError):
        error = {"message": f"status {status}"}
    return ServerError(status, error)
