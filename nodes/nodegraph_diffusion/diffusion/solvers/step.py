"""What every solver is made of: a state, one step, and the sources of noise.

Notation, as in the papers: `x` is the latent at noise level `sigma`, `x0` the network's estimate of it without noise,
`d = (x - x0) / sigma` the slope dx/dsigma of the probability-flow ODE (Karras et al. 2022, arXiv:2206.00364, equation
3), `lambda = -log(sigma)` half the log signal-to-noise ratio, in which the ODE is `dx/dlambda = x0 - x` (Lu et al.
2022, arXiv:2206.00927).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import torch
from torch import Tensor

from ..denoiser import Denoise
from ..schedules import Grid, Schedule, Table, make_schedule


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """A run between two steps, complete: an integer and tensors, from which it goes on to the same bits.

    Attributes:
        step: The step that comes next; `x` is at `sigmas[step]`.
        x: The latent.
        x0: What the network saw in it during the step before, None at the start.
        history: What a multistep solver remembers of earlier steps, newest first.
    """

    step: int
    x: Tensor
    x0: Tensor | None = None
    history: tuple[Tensor, ...] = ()

    def next(self, x: Tensor, x0: Tensor, history: tuple[Tensor, ...] = ()) -> State:
        return replace(self, step=self.step + 1, x=x, x0=x0, history=history)


class Noise(Protocol):
    """Unit normal noise of the latent's shape for what step `step` adds between two noise levels."""

    def __call__(self, step: int, sigma: float, target: float, /) -> Tensor: ...


Step = Callable[[Denoise, Schedule, State, Noise], State]
"""Takes step `state.step` of the schedule."""


@dataclass(frozen=True, slots=True)
class Solver:
    """One way to integrate from noise to picture.

    Attributes:
        title: What people read.
        paper: Where it comes from.
        step: Takes one step.
        noise: What it adds on the way: nothing, fresh noise each step, or increments of one Brownian path (so that
            fewer or more steps follow the same path).
        grid: The variable it is written in; decides how the diffusers spacings end.
        discards_penultimate: Leave out the schedule's last level before 0: these methods do badly at that short step.
    """

    title: str
    paper: str
    step: Step
    noise: Literal["none", "fresh", "brownian"] = "none"
    grid: Grid = "sigma"
    discards_penultimate: bool = False

    @property
    def needs_noise(self) -> bool:
        return self.noise != "none"

    def schedule(self, name: str, steps: int, table: Table, strength: float = 1.0) -> Schedule:
        """The schedule `name` as this solver takes it; see `make_schedule`."""
        return make_schedule(
            name, steps, table, grid=self.grid, discard_penultimate=self.discards_penultimate, strength=strength
        )


def toward(x: Tensor, x0: Tensor, sigma: float, target: float) -> Tensor:
    """The exact flow from `sigma` to `target` while `x0` stays: Euler's step in sigma, and the exponential
    integrator's of first order in lambda."""
    return torch.lerp(x0, x, target / sigma)


def ancestral(sigma: float, target: float) -> tuple[float, float]:
    """The level to go down to and the noise to add there, so that both together are the reverse of the diffusion from
    `target` to `sigma`: the posterior of Ho et al. 2020 (arXiv:2006.11239, equation 7) in this scale."""
    up = target * math.sqrt(max(0.0, 1 - (target / sigma) ** 2))
    return math.sqrt(target**2 - up**2), up


def step_size(sigma: float, target: float) -> float:
    """`h`: the way from `sigma` to `target` in lambda."""
    return math.log(sigma / target)
