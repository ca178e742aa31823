"""The context of a node that is called as a plain function, outside any engine."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from . import outbox
from .context import Folders, Resource

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Standalone:
    """Reports to nobody, and loads what is leased for as long as it is leased."""

    node: str
    folders: Folders = field(default_factory=Folders)
    document: str = ""
    tight: bool = False

    def progress(self, step: int, total: int, what: str = "", preview: Callable[[], Any] | None = None) -> None:
        pass

    def checkpoint(self, state: Callable[[], Any]) -> None:
        pass

    def resumed(self) -> Any:
        return None

    @contextmanager
    def lease(self, resource: Resource[T]) -> Iterator[T]:
        value = resource.load(lambda done, total: None)
        try:
            yield value
        finally:
            resource.drop(value)

    def save(self, stem: str, suffix: str, data: bytes) -> Path:
        return outbox.write(self.folders.output, stem, suffix, data)

    def note(self, **facts: str) -> None:
        pass

    def warn(self, message: str) -> None:
        warnings.warn(f"{self.node}: {message}", stacklevel=2)
