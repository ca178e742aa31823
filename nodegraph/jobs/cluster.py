"""Workers as actors of a Ray cluster: the same worker, one for each GPU, or one for each machine where there is none.

Ray chooses the machines, carries messages and says who died. Results, uploads and the cache are files in the data
folder, which every machine has under the same path.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import queue
import socket
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from pydantic_core import to_jsonable_python

from .process import ALLOCATOR
from .telling import Message
from .worker import Worker

log = logging.getLogger("nodegraph.jobs")

LOOK = 5.0
"""Seconds between two looks at which machines there are."""
AGAIN = 10.0
"""Seconds until a cluster that did not answer is asked again."""


class NotShared(RuntimeError):
    """A machine of the cluster lacks the data folder."""


class Remote:
    """What runs there: a worker, its orders coming in and what it says going out as calls."""

    def __init__(self, setup: Mapping[str, Any]) -> None:
        import ray

        host = socket.gethostname()
        if not Path(setup["results"]).is_dir():
            raise NotShared(f"the data folder is not there on {host!r}; share it under the path that the server has")
        self._said: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._worker = Worker(setup, lambda message: self._said.put(to_jsonable_python(message)))
        node = ray.get_runtime_context().get_node_id()
        self._said.put({"ready": os.getpid(), "host": host, "node": node})

    def order(self, message: dict[str, Any]) -> None:
        self._worker.order(message)

    def said(self) -> Any:
        """Everything the worker says, as it says it."""
        while True:
            yield self._said.get()


class Actor:
    """The server's end of a worker in the cluster. Iterate over it for what it says, until it dies."""

    is_near = False

    def __init__(self, handle: Any) -> None:
        self._handle = handle
        self._said = handle.said.options(concurrency_group="said").remote()
        self._node = ""
        self._how = "left the cluster"
        self.pid, self.host, self.lost = 0, "", False

    def send(self, message: Mapping[str, Any]) -> None:
        self._handle.order.options(concurrency_group="orders").remote(dict(message))

    async def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        from ray.exceptions import ActorUnavailableError, RayActorError

        try:
            async for said in self._said:
                message = await said
                if "ready" in message:
                    self.pid, self.host, self._node = message["ready"], message["host"], message["node"]
                yield message
        except RayActorError as error:
            self._how = str(error).strip().rpartition("\n")[2].partition(" Some common causes")[0]
            self.lost = isinstance(error, ActorUnavailableError)  # it cannot be reached, though it may be alive
            self.kill()

    def kill(self) -> None:
        import ray
        from ray.exceptions import RayError

        with contextlib.suppress(RayError, ValueError):
            ray.kill(self._handle)

    async def wait(self) -> str:
        """How it ended, in words."""
        alive = {node["NodeID"] for node in await asyncio.to_thread(_nodes)}
        self.lost = self.lost or (bool(self._node) and self._node not in alive)
        return f"its machine {self.host!r} was lost" if self.lost else self._how


def _nodes() -> list[dict[str, Any]]:
    """The machines that are alive."""
    import ray

    return [node for node in ray.nodes() if node["Alive"]]


class Cluster:
    """A Ray cluster.

    Args:
        address: Of its head, such as "10.0.0.1:6379", or "auto" on a machine that belongs to it.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._cpus, self._threads = 1, 1

    async def devices(self) -> AsyncIterator[list[str]]:
        """What it computes with, "cuda" or "cpu" for each worker; again every few seconds, since machines come."""
        while not await asyncio.to_thread(self._connect):
            await asyncio.sleep(AGAIN)
        while True:
            yield self._devices(await asyncio.to_thread(_nodes))
            await asyncio.sleep(LOOK)

    def _connect(self) -> bool:
        import ray

        host, _, port = self.address.rpartition(":")
        try:
            if host:  # Ray itself would try for minutes, and could not be stopped
                socket.create_connection((host, int(port)), 5).close()
            ray.init(address=self.address, log_to_driver=False, logging_level=logging.WARNING, configure_logging=False)
        except (ConnectionError, OSError, ValueError, RuntimeError) as error:
            log.error("no Ray cluster answers at %r (%s); trying again", self.address, error)
            return False
        log.info("connected to the Ray cluster at %r", self.address)
        return True

    def _devices(self, nodes: list[dict[str, Any]]) -> list[str]:
        has = [(int(n["Resources"].get("GPU", 0)), int(n["Resources"].get("CPU", 0))) for n in nodes]
        if graphics := [(gpus, cpus) for gpus, cpus in has if gpus]:
            self._threads = max(1, min(cpus // gpus for gpus, cpus in graphics))
            return ["cuda"] * sum(gpus for gpus, _ in graphics)
        cores = [cpus for _, cpus in has if cpus]
        self._cpus = self._threads = min(cores, default=1)
        return ["cpu"] * len(cores)

    def start(self, setup: Mapping[str, Any], device: str) -> Actor:
        """A worker on some machine that has the device free; it waits for one where none is."""
        import ray

        needs = {"num_gpus": 1} if device == "cuda" else {"num_cpus": self._cpus}
        variables = {**ALLOCATOR, "OMP_WAIT_POLICY": "passive", "OMP_NUM_THREADS": str(self._threads)}
        made = ray.remote(concurrency_groups={"orders": 1, "said": 1})(Remote)
        handle = made.options(**needs, scheduling_strategy="SPREAD", runtime_env={"env_vars": variables})
        return Actor(handle.remote(dict(setup)))

    async def leave(self) -> None:
        """Let go of the cluster and of every worker in it."""
        import ray

        await asyncio.to_thread(ray.shutdown)
