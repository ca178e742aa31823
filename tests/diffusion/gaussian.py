"""Sampling of which everything is known: where pictures are independent normal pixels, the ideal denoiser is linear and
the probability-flow ODE has an exact solution."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from nodegraph_diffusion.diffusion.schedules import NoiseTable, Point, Schedule

TABLE = NoiseTable.from_config({})


@dataclass
class Gaussian:
    """The ideal denoiser of pixels with a mean and a deviation."""

    mean: float = 0.7
    deviation: float = 0.5
    calls: int = 0

    def __call__(self, x: Tensor, point: Point, /) -> Tensor:
        self.calls += 1
        signal, noise = self.deviation**2, point.sigma**2
        answer = (x * signal + self.mean * noise) / (signal + noise)
        return torch.stack([answer, answer]) if point.apart else answer

    def spread(self, sigma: float) -> float:
        """The deviation of a noisy pixel."""
        return math.hypot(self.deviation, sigma)

    def flow(self, x: Tensor, sigma: float, target: float) -> Tensor:
        """Where the ODE takes `x` from one level to another."""
        return self.mean + (x - self.mean) * (self.spread(target) / self.spread(sigma))


def even(steps: int, top: float = 10.0, bottom: float = 0.1) -> Schedule:
    """Levels evenly spaced in log sigma, from `top` to `bottom`."""
    sigmas = tuple(top * (bottom / top) ** (i / steps) for i in range(steps + 1))
    return Schedule(sigmas, sigmas, top, TABLE)
