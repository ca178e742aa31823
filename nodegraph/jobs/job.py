"""What the store gives out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Required, TypedDict

State = Literal["pending", "running", "done", "failed", "cancelled"]
ENDED: frozenset[State] = frozenset(("done", "failed", "cancelled"))


class NodeState(TypedDict, total=False):
    """What became of one node of a job: "running", "done", "cached", "failed" or "skipped"; and what its event said.

    Attributes:
        step, total: How far one has come that runs and tells it.
        ended: When it was done, in seconds since 1970; of quick nodes it is not told.
        memory: Bytes the worker held when the node was done.
        port: The input at fault, where the node failed because of one.
    """

    state: Required[str]
    step: int
    total: int
    seconds: float | None
    ended: float | None
    memory: int | None
    error: str | None
    port: str | None


@dataclass(frozen=True, slots=True)
class Job:
    """One workflow with its inputs, on its way through the queue.

    Attributes:
        number: Its place in the order of submission, counted from 1.
        workflow: The stored workflow it came from; "" for a document of its own.
        attempts: How often a worker began it.
        kills: How often a worker died of it.
        models: What it names of the lists of models.
        results: Ids of what it saved.
    """

    number: int
    id: str
    state: State
    name: str
    workflow: str
    priority: int
    client: str
    created: float
    started: float | None
    ended: float | None
    error: str | None
    attempts: int
    kills: int
    inputs: Mapping[str, Any]
    targets: tuple[str, ...]
    webhook: str | None
    models: tuple[str, ...]
    nodes: Mapping[str, NodeState] = field(default_factory=dict)
    results: tuple[str, ...] = ()

    @property
    def has_ended(self) -> bool:
        return self.state in ENDED


@dataclass(frozen=True, slots=True)
class Result:
    """A file that a job saved, and where it came from.

    Attributes:
        file: Its path below the folder of results.
        hash: What the picture looks like, for finding similar ones; None for a file that is no picture.
    """

    number: int
    id: str
    job: str
    node: str
    ordinal: int
    file: str
    name: str
    width: int | None
    height: int | None
    bytes: int
    prompt: str
    negative: str
    seed: int | None
    model: str
    workflow: str
    created: float
    starred: bool
    hash: int | None


@dataclass(slots=True)
class Said:
    """What happened, as clients are told.

    Attributes:
        number: Its place among all that is kept, counted from 1; 0 for progress, which is not.
        data: JSON on one line.
    """

    number: int
    type: str
    data: str
    _frame: bytes = field(default=b"", init=False, compare=False, repr=False)

    @property
    def frame(self) -> bytes:
        """As a server-sent event, made once for all who listen."""
        if not self._frame:
            number = f"id: {self.number}\n" if self.number else ""
            self._frame = f"{number}event: {self.type}\ndata: {self.data}\n\n".encode()
        return self._frame
