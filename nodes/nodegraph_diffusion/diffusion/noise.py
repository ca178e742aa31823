"""Noise that depends on a seed and on nothing else: not on the device, not on the rest of the batch.

Picture `i` of a batch has the noise of a batch of one with the seed `seed + i`, drawn on the CPU in float32. A batch of
one has the noise that ComfyUI draws on a CPU for the same seed: `torch.randn` from `seed` to start with, a stream from
`seed + 1` for ancestral steps, a Brownian tree from `seed` for SDE solvers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from .schedules import Schedule
from .solvers.step import Noise, Solver

SEEDS = 2**64


@dataclass(frozen=True, slots=True)
class Draw:
    """How the noise of a batch is drawn.

    Attributes:
        seed: Of the first picture.
        shape: Of the latent (B, C, h, w).
        whole_batch: Draw the batch as one tensor from one generator, as ComfyUI does: picture `i` then hangs on the
            size of the batch.
        places: Where in a larger batch each picture is, whose noise it has; None counts from 0.
    """

    seed: int
    shape: tuple[int, ...]
    whole_batch: bool = False
    places: tuple[int, ...] | None = None

    def pieces(self) -> list[tuple[int, tuple[int, ...]]]:
        """The seed and shape of each tensor that is drawn on its own."""
        if self.whole_batch:
            return [(self.seed % SEEDS, self.shape)]
        places = self.places or range(self.shape[0])
        return [((self.seed + place) % SEEDS, (1, *self.shape[1:])) for place in places]

    def start(self) -> Tensor:
        """Unit noise to start from, on the CPU."""
        if self.whole_batch and self.places is not None:  # as ComfyUI draws for a part of a batch
            stream, one = _generator(self.seed % SEEDS), (1, *self.shape[1:])
            drawn = [torch.randn(one, generator=stream) for _ in range(max(self.places) + 1)]
            return torch.cat([drawn[place] for place in self.places])
        return torch.cat([torch.randn(shape, generator=_generator(seed)) for seed, shape in self.pieces()])

    def beside(self, channels: int) -> Tensor:
        """Unit noise for a picture (B, channels, h, w) that a network reads beside the latent, on the CPU."""
        apart = replace(self, seed=self.seed + SEEDS // 2, shape=(self.shape[0], channels, *self.shape[2:]))
        return apart.start()

    def steps(self, solver: Solver, schedule: Schedule) -> Noise:
        """The noise that `solver` adds on its way through `schedule`: a function of the step, so that a run may be
        taken up anywhere."""
        if solver.noise == "brownian":
            return BrownianNoise(self, bottom=min(s for s in schedule.sigmas if s > 0), top=schedule.sigmas[0])
        return FreshNoise(self)


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@dataclass(slots=True)
class FreshNoise:
    """Independent noise for each step: the step's draw in a stream."""

    draw: Draw
    _streams: list[torch.Generator] = field(default_factory=list)
    _next: int = 0
    _last: Tensor | None = None

    def __call__(self, step: int, sigma: float, target: float, /) -> Tensor:
        if self._last is not None and step == self._next - 1:  # a corrector asks again
            return self._last
        if not self._streams or step < self._next:
            self._streams = [_generator((seed + 1) % SEEDS) for seed, _ in self.draw.pieces()]
            self._next = 0
        while self._next <= step:
            parts = [
                torch.randn(shape, generator=stream)
                for stream, (_, shape) in zip(self._streams, self.draw.pieces(), strict=True)
            ]
            self._next += 1
        self._last = torch.cat(parts)
        return self._last


@dataclass(slots=True)
class BrownianNoise:
    """The increments of a Brownian path over sigma, scaled to unit variance (Crowson, k-diffusion).

    A step and its halves, or a run of fewer steps, follow the same path. The path is a function of its ends `bottom`
    and `top` and of the seed alone (Li et al. 2020, arXiv:2001.01328, section 4).
    """

    draw: Draw
    bottom: float
    top: float
    _trees: list[Any] = field(default_factory=list)

    def __call__(self, step: int, sigma: float, target: float, /) -> Tensor:
        if not self._trees:
            from torchsde import BrownianTree  # imports scipy

            self._trees = [
                BrownianTree(t0=self.bottom, w0=torch.zeros(shape), t1=self.top, entropy=seed)
                for seed, shape in self.draw.pieces()
            ]
        # The path runs from low to high sigma, a step from high to low: hence the sign.
        # torchsde rounds so itself, but warns of a top that rounding put below the first query.
        low, high = round(target, 6), round(sigma, 6)
        increment = torch.cat([tree(low, high) for tree in self._trees])
        return increment.neg_().div_(math.sqrt(sigma - target))
