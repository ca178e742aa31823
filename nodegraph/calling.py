"""How one call is made: what a node is given beside its inputs, and how what it returns or raises is read."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from . import outbox
from .context import Cancelled, Folders, NodeError, Resource
from .events import Event, Progress, Saved, Warned
from .plan import Call
from .pool import OutOfSpace, Pool
from .resumption import Resumption

T = TypeVar("T")
Outputs = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RunContext:
    """The `Context` of a node in a run."""

    node: str
    folders: Folders
    _document: Callable[[], str]
    emit: Callable[[Event], None]
    stop: threading.Event
    pool: Pool
    resumption: Resumption | None = None
    notes: dict[str, str] = field(default_factory=dict)
    tight: bool = False

    @property
    def document(self) -> str:
        return self._document()

    def progress(self, step: int, total: int, what: str = "", preview: Callable[[], Any] | None = None) -> None:
        if self.stop.is_set():
            raise Cancelled
        self.emit(Progress(self.node, step, total, what, preview))

    def checkpoint(self, state: Callable[[], Any]) -> None:
        if self.resumption is not None:
            self.resumption.keep(state)

    def resumed(self) -> Any:
        return None if self.resumption is None else self.resumption.found()

    def lease(self, resource: Resource[T]) -> AbstractContextManager[T]:
        self.note(**{resource.name: resource.place})
        return self.pool.lease(resource, lambda done, total: self.progress(done, total, f"loading {resource.name}"))

    def save(self, stem: str, suffix: str, data: bytes) -> Path:
        path = outbox.write(self.folders.output, stem, suffix, data)
        self.emit(Saved(self.node, str(path)))
        return path

    def note(self, **facts: str) -> None:
        self.notes.update(facts)

    def warn(self, message: str) -> None:
        self.emit(Warned(self.node, message))


def apply(call: Call, kwargs: dict[str, Any]) -> Outputs:
    """Call the node, once for each item where a list entered a single port."""
    mapped = call.mapped
    if not mapped:
        return _apply(call, kwargs, 0)
    lengths = {name: len(kwargs[name]) for name in mapped}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{name} has {n}" for name, n in lengths.items())
        other = next(name for name, n in lengths.items() if n != lengths[mapped[0]])
        raise NodeError(f"the lists it runs over need equal lengths, but {listed}; make them equal", other)
    rows = zip(*(kwargs[name] for name in mapped), strict=True)
    items = [_apply(call, kwargs | dict(zip(mapped, row, strict=True)), i) for i, row in enumerate(rows)]
    return {port: [item[port] for item in items] for port in call.outputs}


def persist(call: Call, kwargs: dict[str, Any], pool: Pool, emit: Callable[[Event], None]) -> Outputs:
    """`apply`, and where memory runs out again: without what nobody uses, and then with a context that is `tight`.

    Raises:
        MemoryError: It ran out at the last too.
    """
    own = call.node.context
    try:
        return apply(call, kwargs)
    except Exception as error:
        if not out_of_memory(error):
            raise
    # Outside of the handler: an error that is being handled keeps what its frames hold.
    dropped = pool.drop_unleased()
    emit(Warned(call.id, f"out of memory; dropped {', '.join(dropped) or 'nothing'} and tries once more"))
    try:
        return apply(call, kwargs)
    except Exception as error:
        if not out_of_memory(error) or own is None:
            raise
    pool.drop_unleased()
    emit(Warned(call.id, "out of memory again; tries in parts"))
    try:
        return apply(call, kwargs | {own: replace(kwargs[own], tight=True)})
    except Exception as error:
        if not out_of_memory(error) or isinstance(error, OutOfSpace):
            raise
        text = f"memory ran out, in parts too ({describe(error)}); in use beside it: {pool.busy() or 'nothing'}"
        raise MemoryError(f"{text}. Make the picture or the batch smaller, or use a smaller dtype") from error


def _apply(call: Call, kwargs: dict[str, Any], index: int) -> Outputs:
    """Call the node's function. What it kept of its way is of use only if it is interrupted, not if it fails."""
    name = call.node.context
    context = kwargs[name] if name else None
    if name is None or not isinstance(context, RunContext) or context.resumption is None:
        return named(call, call.node.fn(**kwargs))
    own = context.resumption.item(index)
    try:
        return named(call, call.node.fn(**kwargs | {name: replace(context, resumption=own)}))
    except Exception:
        own.clear()
        raise


def named(call: Call, result: Any) -> Outputs:
    """What a node returned, by port."""
    names = tuple(call.outputs)
    if len(names) == 1 and not hasattr(result, "_fields"):
        return {names[0]: result}
    if not names:
        return {}
    return dict(zip(names, result, strict=True))


NO_MEMORY = ("can't allocate memory", "out of memory", "CUBLAS_STATUS_ALLOC_FAILED")
"""What PyTorch says on a CPU, by Metal or within a library of CUDA, as a plain `RuntimeError`."""


def out_of_memory(error: BaseException) -> bool:
    """Whether `error` says that memory ran out, on whatever device."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in NO_MEMORY)


def surprising(error: BaseException) -> bool:
    """Whether an error is a fault of code, and no answer to what its user gave or to what the machine has."""
    return not isinstance(error, NodeError | OSError) and not out_of_memory(error)


def describe(error: BaseException) -> str:
    """An error as one sentence for people: its text, with its class where that says more than the text does."""
    text = " ".join(str(error).split())
    if isinstance(error, NodeError) and text:
        return text
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}{f': {error.filename!r}' if error.filename else ''}"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
