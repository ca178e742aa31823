"""The service's own cost, over HTTP, with every job durable. `make bench` runs it.

Start to first answer; the catalogue; a document of 1,000 trivial nodes, all of whose events a client has read, against
the engine in process; a small workflow
sent again unchanged; 200 small jobs at once; idle followers of the events, and how fast `/api/jobs` answers while a
job samples and they listen.
"""

from __future__ import annotations

import http.client
import json
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


def tree(size: int, leaf: int = 0) -> dict[str, Any]:
    """A binary tree of sums with one output: node i takes nodes 2i+1 and 2i+2."""
    nodes = {}
    for i in range(size):
        parts = [{"$from": f"n{k}.str"} for k in (2 * i + 1, 2 * i + 2) if k < size]
        text = {"type": "Text@1", "inputs": {"text": str(leaf if i == size - 1 else i)}}
        nodes[f"n{i}"] = {"type": "JoinText@1", "inputs": {"texts": parts, "separator": "+"}} if parts else text
    return {"nodes": nodes, "outputs": {"all": {"$from": "n0.str"}}}


class Server:
    """A connection that is kept, as an editor keeps it."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self._connection = http.client.HTTPConnection(host, port, timeout=120)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> bytes:
        data = None if body is None else json.dumps(body).encode()
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
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        found = re.fullmatch(r"http://(.*):(\d+)\n", process.stdout.readline())
        assert found
        server = Server(found[1], int(found[2]))
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


def large(server: Server) -> None:
    with tempfile.TemporaryDirectory() as folder, Engine(cache=Path(folder)) as engine, server.following() as told:
        engine.run(engine.read(tree(1000, -1)))
        inside, outside = [], []
        for leaf in range(10_000, 10_005):
            began = time.perf_counter()
            engine.run(engine.read(tree(1000, leaf * 2)))
            inside.append(time.perf_counter() - began)
            began = time.perf_counter()
            job = server.submit(tree(1000, leaf * 2 + 1))
            told()
            outside.append(time.perf_counter() - began)
            assert job["state"] == "done"
    report("mostly cached", inside, outside)


def cold(server: Server) -> None:
    """Every node anew: each text differs."""

    def fresh(number: int) -> dict[str, Any]:
        document = tree(1000)
        for node in document["nodes"].values():
            if "text" in node["inputs"]:
                node["inputs"]["text"] += f"/{number}"
        return document

    with tempfile.TemporaryDirectory() as folder, Engine(cache=Path(folder)) as engine, server.following() as told:
        inside, outside = [], []
        for number in range(5):
            began = time.perf_counter()
            engine.run(engine.read(fresh(2 * number)))
            inside.append(time.perf_counter() - began)
            began = time.perf_counter()
            server.submit(fresh(2 * number + 1))
            told()
            outside.append(time.perf_counter() - began)
    report("none cached", inside, outside)


def report(what: str, inside: list[float], outside: list[float]) -> None:
    ratio = statistics.median(o / i for i, o in zip(inside, outside, strict=True))
    engine, service = min(inside) * 1e3, min(outside) * 1e3
    print(f"1,000 nodes, {what}: engine {engine:.0f} ms, service {service:.0f} ms, {ratio:.2f} times")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder) / "data") as (server, start):
        print(f"start to first answer: {start:.2f} s")
        raw = server.ask("GET", "/api/nodes", **{"Accept-Encoding": "gzip"})
        times = timed(lambda: server.ask("GET", "/api/nodes", **{"Accept-Encoding": "gzip"}), 100)
        print(f"/api/nodes: {len(raw):,} bytes, {milliseconds(times)}")
        server.submit(tree(10))  # the worker is ready from here on
        cold(server)
        large(server)
        small = tree(10)
        print(f"a small workflow again: {milliseconds(timed(lambda: server.submit(small), 100))}")
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
