"""Places for workers: how they are started, and what is known of the one in each."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from .job import Job
from .process import Process
from .store import Store

if TYPE_CHECKING:
    from .cluster import Actor


@dataclass(frozen=True, slots=True)
class Settings:
    """How workers are started.

    Attributes:
        workers: How many; by default one for each device. Several share a CPU.
        packs: Files with more nodes.
        models: Folders of models.
        cache: The folder of results between runs; by default in the data folder.
        memory, disk: Bytes of results that a worker keeps in memory, and all of them on disk.
        checkpoint: Seconds after which a long node keeps how far it has come.
        patience: Seconds that a node has to notice a cancel before its worker is killed.
        safety: What is done to unfit pictures before they leave, see `safety_policy`; None does not look at them.
        examples: The folder of the shipped examples, whose pictures documents may name.
        ray: Address of a Ray cluster whose devices do the jobs, instead of processes on this machine.
    """

    workers: int | None = None
    packs: tuple[Path, ...] = ()
    models: tuple[Path, ...] = ()
    cache: Path | None = None
    memory: int = 2 * 2**30
    disk: int = 20 * 2**30
    checkpoint: float = 5.0
    patience: float = 5.0
    safety: str | None = None
    examples: Path = Path()
    ray: str | None = None


class Checked(NamedTuple):
    """What a worker has a plan of, since it was sent nothing else.

    Attributes:
        request: As which it was asked.
        document: As it was queued; None until that is known.
    """

    request: int
    document: str | None
    targets: tuple[str, ...]
    time: float


@dataclass(slots=True, eq=False)
class Worker:
    """A place for a worker process, which is filled again when the process dies.

    Attributes:
        jobs: What it was given: what it does, and perhaps what is next.
        began: When it began with the first of them, of the monotonic clock.
        holds: The models that it has loaded, of those that jobs named.
        died_of: How its last process ended.
        asked: Who waits for an answer, by the number of the request.
        checked: What it checked last.
    """

    number: int
    device: str
    process: Process | Actor | None = None
    ready: bool = False
    jobs: list[Job] = field(default_factory=list)
    began: float = 0.0
    deaths: int = 0
    died_of: str | None = None
    done: int = 0
    holds: frozenset[str] = frozenset()
    asked: dict[int, asyncio.Future[Any]] = field(default_factory=dict)
    checked: Checked | None = None

    @property
    def job(self) -> Job | None:
        return self.jobs[0] if self.jobs else None

    @property
    def is_idle(self) -> bool:
        return self.ready and not self.jobs


def suits(job: Job, worker: Worker) -> tuple[int, int]:
    """How well a worker suits a job: one that holds its models, else one that has little to let go of."""
    return len(worker.holds.intersection(job.models)), -len(worker.holds)


def setup(store: Store, settings: Settings) -> dict[str, Any]:
    """What a worker is told first: folders, packs and limits."""
    cache = settings.cache or store.cache
    private = [store.uploads, store.results, cache, store.folder, *settings.models]
    return {
        "uploads": str(store.uploads),
        "examples": str(settings.examples),
        "results": str(store.results),
        "cache": str(cache),
        "models": [str(folder) for folder in settings.models],
        "packs": [str(file.absolute()) for file in settings.packs],
        "private": [str(folder) for folder in private],
        "memory": settings.memory,
        "disk": settings.disk,
        "checkpoint": settings.checkpoint,
        "safety": settings.safety,
    }
