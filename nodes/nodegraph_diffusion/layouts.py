"""Where a picture should show what: boxes and areas with prompts of their own."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .values import Conditioning, Floats, Ground, Mask, frozen


@dataclass(frozen=True, slots=True, eq=False)
class Area:
    """A part of a picture with a prompt: a box in shares of its width and height, and what of the box it is.

    `weight` is how much it counts against other areas in the same place. `mask` is in the box alone, of any size; None
    is all of it. `phrase` (1, D) is the prompt in one vector, for models with GLIGEN; None where the family has none.
    """

    prompt: Conditioning
    x: float
    y: float
    width: float
    height: float
    weight: float = 1.0
    mask: Mask | None = None
    phrase: Floats | None = None

    def __post_init__(self) -> None:
        if self.phrase is not None:
            object.__setattr__(self, "phrase", frozen(self.phrase, 2, "Area.phrase (1, width)"))


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """A prompt for the whole picture and areas with their own.

    `until` is the share of the starting noise down to which areas are sampled by themselves; below, the whole picture's
    prompt joins them. `soft` is the width of an area's soft edge, as a share of its shorter side. `beta` is the share
    of the steps on which a model with GLIGEN holds to the boxes.
    """

    background: Conditioning
    areas: tuple[Area, ...]
    until: float = 0.0
    soft: float = 0.1
    beta: float = 0.3

    @property
    def prompts(self) -> tuple[Conditioning, ...]:
        return self.background, *(area.prompt for area in self.areas)

    def grounded(self) -> Conditioning | Layout:
        """What a model with GLIGEN is asked: the background's prompt with boxes; areas without a phrase stay areas."""
        grounds = tuple(
            Ground(area.phrase, area.x, area.y, area.width, area.height, self.beta)
            for area in self.areas
            if area.phrase is not None
        )
        told = self.background.each(lambda part: replace(part, grounds=(*part.grounds, *grounds)))
        left = tuple(area for area in self.areas if area.phrase is None)
        return replace(self, background=told, areas=left) if left else told
