"""What ControlNets and T2I-Adapters share: files that belong to a family, opened, refused and listed alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from nodegraph import Folders, Known, NodeError

from .checkpoint import Checkpoint, ModelError, find
from .families import FAMILIES


@dataclass(frozen=True, slots=True)
class ControlFiles:
    """A kind of file.

    Args:
        what: The kind, as people call it.
        read: Looks at one. Raises `ModelError`.
    """

    what: str
    read: Callable[[Path], Checkpoint]

    def open(self, source: str, folders: Folders, port: str = "source") -> Checkpoint:
        """The one that `source` names. Raises `NodeError` at `port`."""
        try:
            return self.read(find(source, folders.models))
        except ModelError as error:
            raise NodeError(str(error), port) from error

    def unlike(self, found: Checkpoint, title: str) -> str:
        """Why it does not go with the family called `title`."""
        own = FAMILIES[found.family].title
        return f"{found.name} is a {self.what} for {own}, but the model is {title}; use one for it"

    def fitting(self, known: Known) -> Checkpoint | None:
        """The one that `source` names, if it and the family of `model` are known and go together; refused otherwise."""
        source, family = known.value("source"), known["model"].get("family")
        if source is None or family not in FAMILIES:
            return None
        found = self.open(source, known.folders)
        if found.family == family:
            return found
        reason = self.unlike(found, FAMILIES[str(family)].title)
        known.refuse("source", reason)
        known.refuse("model", f"{reason} (in source)")
        return None

    def revision(self, source: str, folders: Folders, port: str = "source") -> str:
        """What changes when the file does."""
        found = self.open(source, folders, port)
        return f"{found.path}\0{found.revision}"

    def listed(self, sources: Iterable[str], folders: Folders) -> Mapping[str, str]:
        """Those among `sources`, each with what it is for."""
        made: dict[str, str] = {}
        for source in sources:
            try:
                found = self.read(find(source, folders.models))
            except ModelError:
                continue
            made[source] = f"for {FAMILIES[found.family].title}, {found.denoiser.bytes / 1e6:,.0f} MB"
        return made
