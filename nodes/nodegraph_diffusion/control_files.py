"""What ControlNets and T2I-Adapters share: files that belong to a family, and are refused where they do not fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from nodegraph import Known

from .adapter_files import AdapterFiles
from .checkpoint import Checkpoint, find, list_networks
from .families import FAMILIES


def says(found: Checkpoint) -> str:
    """What one is for, in words."""
    return f"for {FAMILIES[found.family].title}, {found.denoiser.bytes / 1e6:,.0f} MB"


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlFiles(AdapterFiles[Checkpoint]):
    """A kind of file.

    Args:
        what: The kind, as people call it.
    """

    what: str
    says: Callable[[Checkpoint], str] = says
    find: Callable[[str, Sequence[Path]], Path] = find
    names: Callable[[Sequence[Path]], Sequence[str]] = list_networks

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
