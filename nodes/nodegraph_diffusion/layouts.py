"""Where a picture should show what: boxes and areas with prompts of their own."""

from __future__ import annotations

from dataclasses import dataclass

from .values import Conditioning, Mask


@dataclass(frozen=True, slots=True, eq=False)
class Area:
    """A part of a picture with a prompt: a box in shares of its width and height, and what of the box it is.

    `weight` is how much it counts against other areas in the same place. `mask` is in the box alone, of any size; None
    is all of it.
    """

    prompt: Conditioning
    x: float
    y: float
    width: float
    height: float
    weight: float = 1.0
    mask: Mask | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """A prompt for the whole picture and areas with their own.

    `until` is the share of the starting noise down to which areas are sampled by themselves; below, the whole picture's
    prompt joins them. `soft` is the width of an area's soft edge, as a share of its shorter side.
    """

    background: Conditioning
    areas: tuple[Area, ...]
    until: float = 0.0
    soft: float = 0.1

    @property
    def prompts(self) -> tuple[Conditioning, ...]:
        return self.background, *(area.prompt for area in self.areas)
