"""The server's end of a worker process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Self

from pydantic_core import from_json, to_json

ALLOCATOR = {
    "MALLOC_MMAP_THRESHOLD_": str(2**30),
    "MALLOC_TRIM_THRESHOLD_": str(2**32),
    "MALLOC_ARENA_MAX": "1",
    "THP_MEM_ALLOC_ENABLE": "1",
}
"""For glibc and torch: serve large tensors from one heap instead of mapping and unmapping each, and in large pages. A
quarter less time on a CPU."""
LONGEST = 2**28
"""Bytes of one message."""


def devices(environment: Mapping[str, str] = os.environ) -> list[str]:
    """What this machine computes with: the numbers of its CUDA devices, or the CPU alone. Asks no tensor library."""
    named = environment.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        found = [part.strip() for part in named.split(",") if part.strip() and part.strip() != "-1"]
    else:
        numbers = (re.fullmatch(r"nvidia(\d+)", path.name) for path in Path("/dev").glob("nvidia*"))
        found = sorted((n[1] for n in numbers if n), key=int)
    return [f"cuda:{number}" for number in found] or ["cpu"]


def environment(device: str, share: int) -> dict[str, str]:
    """What a worker on `device` starts with, one of `share` that divide the cores between them."""
    made = {**ALLOCATOR, "OMP_WAIT_POLICY": "passive", **os.environ}
    if device.startswith("cuda:"):
        made["CUDA_VISIBLE_DEVICES"] = device.removeprefix("cuda:")
    elif share > 1:
        made.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // share)))
    return made


class Process:
    """A running worker. Iterate over it for what it says, until it dies."""

    host = ""
    """The machine it runs on, where that is another than the server's."""
    lost = False
    """Whether it ended since its machine did, which is no job's fault."""
    is_near = True
    """Whether it is of one installation with the server, so that plans may be sent to it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, setup: Mapping[str, Any], environment: Mapping[str, str]) -> Self:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "nodegraph.jobs.worker",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env=environment, limit=LONGEST,
            start_new_session=True,  # Ctrl-C is for the server, which stops its workers itself
        )  # fmt: skip
        made = cls(process)
        made.send(setup)
        return made

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, message: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        if not self._process.stdin.is_closing():
            self._process.stdin.write(to_json(message) + b"\n")

    async def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            if not line.endswith(b"\n"):
                return  # killed while it wrote
            yield from_json(line)

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def wait(self) -> str:
        """How it ended, in words."""
        code = await self._process.wait()
        if code >= 0:
            return f"exit status {code}"
        try:
            return signal.Signals(-code).name
        except ValueError:
            return f"signal {-code}"
