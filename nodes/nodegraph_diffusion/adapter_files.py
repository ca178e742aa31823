"""What nodes that read something small beside a model share: its file is opened, told apart and listed alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from nodegraph import Folders, NodeError

from .checkpoint import ASSETS, ModelError, find_file, list_files
from .checkpoint.state import once

SHIPPED = ASSETS / "adapters"
"""Searched after the folders of models: what was trained for the demo model."""


class Read(Protocol):
    """What is known of a file from its header."""

    @property
    def path(self) -> str: ...
    @property
    def revision(self) -> str: ...


A = TypeVar("A", bound=Read)


@dataclass(frozen=True, slots=True)
class AdapterFiles(Generic[A]):
    """A kind of file.

    Args:
        read: Looks at one. Raises `ModelError`.
        says: What it is for, in words.
        find: Where one of that name is in the folders of models. Raises `ModelError`.
        names: What may be one in the folders of models.
    """

    read: Callable[[Path], A]
    says: Callable[[A], str]
    find: Callable[[str, Sequence[Path]], Path] = find_file
    names: Callable[[Sequence[Path]], Sequence[str]] = list_files

    def __post_init__(self) -> None:
        object.__setattr__(self, "read", once(self.read))

    def open(self, source: str, folders: Folders, port: str = "source") -> A:
        """The one that `source` names. Raises `NodeError` at `port`."""
        try:
            return self.read(self.find(source, _searched(folders)))
        except ModelError as error:
            raise NodeError(str(error), port) from error

    def revision(self, source: str, folders: Folders, port: str = "source") -> str:
        """What changes when the file does."""
        found = self.open(source, folders, port)
        return f"{found.path}\0{found.revision}"

    def listed(self, folders: Folders) -> dict[str, str]:
        """Those that are found by name, each with what it is for."""
        made: dict[str, str] = {}
        for source in self.names(_searched(folders)):
            try:
                made[source] = self.says(self.read(self.find(source, _searched(folders))))
            except ModelError:
                continue
        return made


def _searched(folders: Folders) -> Sequence[Path]:
    return (*folders.models, SHIPPED)
