"""Small networks that stand in one file: upscalers and checkers."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from nodegraph import Report

if TYPE_CHECKING:
    import torch

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FileWeights(Generic[T]):
    """A network on a device, to be leased.

    Args:
        name: What people call it.
        file: Its weights; None for those that `read` knows where to find.
        modified: When the file was, in nanoseconds: another time is another network.
        place: The device.
        size: Bytes it takes there.
        read: Makes it on the device.
    """

    name: str
    file: Path | None
    modified: int
    place: str
    size: int
    read: Callable[[torch.device], T]

    @property
    def key(self) -> Hashable:
        return self.name, self.file, self.modified, self.place

    def capacity(self) -> int:
        import torch

        from .diffusion.devices import memory

        return memory(torch.device(self.place))

    def load(self, report: Report) -> T:
        import torch

        made = self.read(torch.device(self.place))
        report(self.size, self.size)
        return made

    def drop(self, value: T) -> None:
        """Its memory goes with it."""
