"""A part of a picture that is worked on by itself and goes back to its place."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle of a picture, in its pixels."""

    left: int
    top: int
    width: int
    height: int

    @property
    def right(self) -> int:
        return self.left + self.width

    @property
    def bottom(self) -> int:
        return self.top + self.height

    @property
    def part(self) -> tuple[slice, slice]:
        """Rows and columns of the picture."""
        return slice(self.top, self.bottom), slice(self.left, self.right)
