"""What a node may ask of the engine while it runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Hashable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

Report = Callable[[int, int], None]
"""`report(done, total)`: how far a long piece of work has come."""


class Cancelled(BaseException):
    """Raised inside a node when its run was cancelled. A BaseException, so that `except Exception` lets it pass."""


class NodeError(Exception):
    """What a node raises for input it cannot work with. The message says what was needed, given and to do next.

    Args:
        message: Shown to the user as it is, behind the node's id.
        port: The input that is at fault, if one is.
    """

    def __init__(self, message: str, port: str | None = None) -> None:
        super().__init__(message)
        self.port = port


@dataclass(frozen=True, slots=True)
class Folders:
    """Where a run finds and leaves files. Made by the front; nodes and the engine never look at the environment."""

    base: Path = Path()
    """What relative file names in a document are relative to: the document's own folder."""
    output: Path = Path("output")
    """Where results are written."""
    models: tuple[Path, ...] = (Path("models"),)
    """Searched, in order, for models named by a relative path."""


class Resource(Protocol[T]):
    """Something heavy that outlives a call, such as weights on a device. The engine does not know what it is."""

    @property
    def key(self) -> Hashable:
        """Equal keys share one loaded value."""

    @property
    def name(self) -> str:
        """What people call it: "denoiser of demo"."""

    @property
    def place(self) -> str:
        """The device whose memory it takes: "cpu", "cuda:0"."""

    @property
    def size(self) -> int:
        """Bytes it takes there."""

    def capacity(self) -> int:
        """Bytes that `place` has for resources in all."""

    def load(self, report: Report) -> T: ...

    def drop(self, value: T) -> None:
        """Give back the memory of `value`."""


class Context(Protocol):
    """Injected into a parameter annotated `Context`."""

    @property
    def node(self) -> str:
        """The id of the running node in the document."""

    @property
    def folders(self) -> Folders: ...

    @property
    def document(self) -> str:
        """What a saved picture carries: the workflow that runs, as JSON with the given inputs filled in, and a receipt
        of what this node was given.
        """

    @property
    def tight(self) -> bool:
        """Whether memory ran out when this call was made as usual, twice: now work in parts, if that can be."""

    def progress(self, step: int, total: int, what: str = "", preview: Callable[[], Any] | None = None) -> None:
        """Report that `step` of `total` is done. Raises `Cancelled` if the run was cancelled.

        Args:
            what: What is being done, where it is not the node itself: "load denoiser".
            preview: Makes a small picture of the state; called only if somebody looks, soon, from another thread.
        """

    def checkpoint(self, state: Callable[[], Any]) -> None:
        """Keep how far this call has come, if some seconds have passed since the last time.

        Args:
            state: Makes what `resumed` will give: plain values, arrays, and lists, tuples and dicts of these.
        """

    def resumed(self) -> Any:
        """The last state that an interrupted call with the same inputs kept, or None: then begin at the beginning."""

    def lease(self, resource: Resource[T]) -> AbstractContextManager[T]:
        """Keep `resource` loaded for the length of a `with` block."""

    def save(self, stem: str, suffix: str, data: bytes) -> Path:
        """Write a result as `stem_00001suffix` (the next free number) into the output folder, whole or not at all."""

    def warn(self, message: str) -> None:
        """Tell the user something that does not stop the run."""

    def note(self, **facts: str) -> None:
        """Say how this call is made where its inputs do not tell, such as a dtype or a device.

        Notes are kept with the result and enter the receipt of every picture made from it.
        """


@dataclass(frozen=True, slots=True)
class Lazy(Generic[T_co]):
    """An input that is computed only if awaited. Only `async def` nodes may take one: they hold no lane."""

    pull: Callable[[], Awaitable[T_co]]

    def __await__(self) -> Generator[Any, None, T_co]:
        return self.pull().__await__()
