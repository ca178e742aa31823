"""The service's own cost, over HTTP, with every job durable. `make bench` runs it.

Start to first answer; the catalogue; documents of 1,000 trivial nodes, from their submission until a client has read
all of their events, against the engine in process; a small workflow sent again unchanged; 200 small jobs at once; idle
followers of the events, and how fast `/api/jobs` answers while a job samples and they listen.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nodegraph import Engine

READERS = 1000
ROUNDS = 15
STARTS = 7
ROOT = Path(__file__).resolve().parents[2]


def text(content: str) -> dict[str, Any]:
    return {"type": "Text@1", "inputs": {"text": content}}


def joined(*sources: int) -> dict[str, Any]:
    parts = [{"$from": f"n{i}.str"} for i in sources]
    return {"type": "JoinText@1", "inputs": {"texts": parts, "separator": "+"}}


def tree(size: int, number: int = 0, leaf: int = 0) -> dict[str, Any]:
    """A binary tree with one output: node i joins nodes 2i+1 and 2i+2. Every text differs from another number's."""
    nodes = {}
    for i in range(size):
        parts = [k for k in (2 * i + 1, 2 * i + 2) if k < size]
        nodes[f"n{i}"] = joined(*parts) if parts else text(f"{leaf if i == size - 1 else i}/{number}")
    return {"nodes": nodes, "outputs": {"all": {"$from": "n0.str"}}}


def chains(size: int, number: int = 0, count: int = 10) -> dict[str, Any]:
    """Chains side by side, each with an output."""
    nodes = {f"n{i}": joined(i - count) if i >= count else text(f"{i}/{number}") for i in range(size)}
    return {"nodes": nodes, "outputs": {f"o{i}": {"$from": f"n{size - count + i}.str"} for i in range(count)}}


class Server:
    """A connection that is kept, as an editor keeps it."""

    def __init__(self, host: str, port: int, process: int) -> None:
        self.host, self.port, self.process = host, port, process
        self._connection = http.client.HTTPConnection(host, port, timeout=120)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> bytes:
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        self._connection.request(method, path, data, {"Content-Type": "application/json", **headers})
        response = self._connection.getresponse()
        content = response.read()
        assert response.status < 300, content
        return content

    def get(self, path: str) -> Any:
        return json.loads(self.ask("GET", path))

    def submit(self, document: Any, wait: bool = True, **rest: Any) -> Any:
        body = {"document": document, **rest}
        return json.loads(self.ask("POST", f"/api/jobs?wait={str(wait).lower()}", body))

    @contextmanager
    def following(self) -> Iterator[Callable[[], None]]:
        """Reads the stream of events; what is given waits for the next end of a job in it."""
        plug = follow(self)
        ends = threading.Semaphore(0)

        def read() -> None:
            rest = b""
            while data := plug.recv(2**20):
                lines = (rest + data).split(b"\n")
                rest = lines.pop()
                for line in lines:
                    if line.startswith(b"data: ") and b'"state": "done"' in line:
                        ends.release()

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        try:
            yield lambda: None if ends.acquire(timeout=120) else sys.exit("no end of a job was told")
        finally:
            plug.shutdown(socket.SHUT_RDWR)
            reader.join()
            plug.close()


@contextmanager
def serving(data: Path) -> Iterator[tuple[Server, float]]:
    """A server, and the seconds from its start to its first answer."""
    command = [
        sys.executable,
        "-c",
        "from nodegraph.cli import main; main()",
        "serve",
        "--port",
        "0",
        "--data",
        str(data),
    ]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}  # else each compiles all
    began = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        found = re.fullmatch(r"http://(.*):(\d+)\n", process.stdout.readline())
        assert found
        server = Server(found[1], int(found[2]), process.pid)
        server.ask("GET", "/api/jobs")
        yield server, time.perf_counter() - began
    finally:
        process.terminate()
        process.wait()


def follow(server: Server) -> socket.socket:
    plug = socket.create_connection((server.host, server.port))
    plug.sendall(f"GET /api/events HTTP/1.1\r\nHost: {server.host}:{server.port}\r\n\r\n".encode())
    return plug


def milliseconds(values: list[float]) -> str:
    ordered = sorted(values)
    middle, late = statistics.median(ordered), ordered[int(len(ordered) * 0.99) - 1]
    return f"median {middle * 1e3:.1f} ms, p99 {late * 1e3:.1f} ms"


def timed(action: Any, count: int) -> list[float]:
    times = []
    for _ in range(count):
        began = time.perf_counter()
        action()
        times.append(time.perf_counter() - began)
    return times


def against_engine(server: Server, what: str, document: Callable[[int], Any]) -> None:
    """A document's time in the service, all its events read, over that of another like it in the engine in process.

    Both begin with its text, check it, keep results on disk, and take turns. Processor time is that of server and
    worker over the engine's.
    """
    (worker,) = (w["process"] for w in server.get("/api/workers")["workers"])
    elapsed, processor, inside, outside = [], [], [], []
    with tempfile.TemporaryDirectory() as folder, Engine(cache=Path(folder)) as engine, server.following() as told:
        engine.run(engine.read(document(0)))
        server.submit(document(0), wait=False)
        told()
        for number in range(1, 2 * ROUNDS, 2):
            one, other = (json.dumps(document(n)).encode() for n in (number, number + 1))
            began, used = time.perf_counter(), time.process_time()
            engine.run(engine.read(json.loads(one)))
            inside.append(time.perf_counter() - began)
            own = time.process_time() - used
            began, used = time.perf_counter(), seconds(server.process, worker)
            server.ask("POST", "/api/jobs", other)
            told()
            outside.append(time.perf_counter() - began)
            elapsed.append(outside[-1] / inside[-1])
            processor.append((seconds(server.process, worker) - used) / own)
    print(
        f"1,000 nodes, {what}: {statistics.median(elapsed):.2f} times the engine's time "
        f"({statistics.median(processor):.2f} times its processor time); "
        f"engine {statistics.median(inside) * 1e3:.0f} ms, service {statistics.median(outside) * 1e3:.0f} ms"
    )


def seconds(*processes: int) -> float:
    """Processor time that processes have taken."""
    return sum(time.clock_gettime((~process << 3) | 2) for process in processes)


def starts() -> list[float]:
    """Seconds from start to first answer, each time in a new data folder. The first may have to compile modules."""
    found = []
    for _ in range(STARTS):
        with tempfile.TemporaryDirectory() as folder, serving(Path(folder) / "data") as (_, took):
            found.append(took)
    return found


def pictured() -> dict[str, Any]:
    """The example txt2img as far as its picture, without the node that saves it, which runs every time."""
    document: dict[str, Any] = json.loads((ROOT / "workflows" / "txt2img.json").read_text())
    del document["nodes"]["save"]
    return document


def main() -> None:
    took = starts()
    print(f"start to first answer: median {statistics.median(took):.2f} s, the first {took[0]:.2f} s")
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder) / "data") as (server, _):
        raw = server.ask("GET", "/api/nodes", **{"Accept-Encoding": "gzip"})
        times = timed(lambda: server.ask("GET", "/api/nodes", **{"Accept-Encoding": "gzip"}), 100)
        print(f"/api/nodes: {len(raw):,} bytes, {milliseconds(times)}")
        server.submit(tree(10))  # the worker is ready from here on
        against_engine(server, "a tree", lambda number: tree(1000, number))
        against_engine(server, "ten chains", lambda number: chains(1000, number))
        against_engine(server, "a tree with a leaf changed", lambda number: tree(1000, 0, number))
        small = tree(10)
        print(f"a small workflow again: {milliseconds(timed(lambda: server.submit(small), 100))}")
        picture = pictured()
        server.submit(picture)
        print(f"txt2img again: {milliseconds(timed(lambda: server.submit(picture), 100))}")
        began = time.perf_counter()
        ids = [server.submit(tree(10, 1000 + i), wait=False)["id"] for i in range(200)]
        while server.get(f"/api/jobs/{ids[-1]}")["state"] != "done":
            time.sleep(0.002)
        print(f"200 small jobs: {200 / (time.perf_counter() - began):.0f} a second")
        listen(server)


def listen(server: Server) -> None:
    readers = [follow(server) for _ in range(READERS)]
    followed = 0
    while followed < READERS:
        lines = server.ask("GET", "/metrics").decode().splitlines()
        followed = int(float(next(line for line in lines if line.startswith("nodegraph_event_readers")).split()[1]))
    job = json.loads(server.ask("POST", "/api/jobs", {"workflow": "txt2img", "inputs": {"steps": 300}}))
    while "sample" not in server.get(f"/api/jobs/{job['id']}")["nodes"]:
        time.sleep(0.05)
    times = timed(lambda: server.get("/api/jobs"), 200)
    assert server.get(f"/api/jobs/{job['id']}")["state"] == "running", "it sampled too fast to be measured"
    print(f"/api/jobs while a job samples and {READERS:,} listen: {milliseconds(times)}")
    server.ask("POST", f"/api/jobs/{job['id']}/cancel", {})
    for plug in readers:
        plug.close()


if __name__ == "__main__":
    main()
