"""What every solver is made of: a state, one step, and the sources of noise.

Notation, as in the papers: `x` is the latent at noise level `sigma`, `x0` the network's estimate of it without noise,
`d = (x - x0) / sigma` the slope dx/dsigma of the probability-flow ODE (Karras et al. 2022, arXiv:2206.00364, equation
3), `lambda = -log(sigma)` half the log signal-to-noise ratio, in which the ODE is `dx/dlambda = x0 - x` (Lu et al.
2022, arXiv:2206.00927).
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal, Protocol

import torch
from torch import Tensor

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


Step = Callable[..., State]
"""`step(denoise, schedule, state, noise)` takes step `state.step` of the schedule. Further arguments are settings:
`eta`, how much noise is added on the way, of what the diffusion had; `s_noise`, a factor of that noise; and others."""


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
    times: Literal["sigma", "walk", "descent"] = "sigma"
    """What ComfyUI does with flow models: the same in this scale; walk in flow time, as if that were sigma; or go down
    in it before noise is added."""
    apart: bool = False
    """Whether it asks for the answer to the negative prompt too, see `Point`."""
    rises: bool = False
    """Whether it also goes from a picture to noise."""
    levels: Callable[[Schedule], Schedule] | None = None
    """Where it visits other levels than those of a schedule: which."""

    @property
    def needs_noise(self) -> bool:
        return self.noise != "none"

    def set(self, **settings: float) -> Solver:
        """The same with settings of its own. Raises `ValueError` for one that it has not."""
        known = list(inspect.signature(self.step).parameters)[4:]
        if unknown := [name for name in settings if name not in known]:
            has = f"; it has {', '.join(known)}" if known else ", nor others"
            raise ValueError(f"{self.title} has no setting {unknown[0]!r}{has}")
        return replace(self, step=partial(self.step, **settings))

    def schedule(self, name: str, steps: int, table: Table, strength: float = 1.0) -> Schedule:
        """The schedule `name` as this solver takes it; see `make_schedule`."""
        return make_schedule(
            name, steps, table, grid=self.grid, discard_penultimate=self.discards_penultimate, strength=strength
        )


def toward(x: Tensor, x0: Tensor, sigma: float, target: float) -> Tensor:
    """The exact flow from `sigma` to `target` while `x0` stays: Euler's step in sigma, and the exponential
    integrator's of first order in lambda."""
    return torch.lerp(x0, x, target / sigma)


def ancestral(sigma: float, target: float, eta: float = 1.0, in_time: bool = False) -> tuple[float, float]:
    """The level to go down to and the noise to add there, so that both together are the reverse of the diffusion from
    `target` to `sigma`: the posterior of Ho et al. 2020 (arXiv:2006.11239, equation 7) in this scale. `eta` is how much
    of that noise is added, 0 none. Flow models go down `in_time`, by the same factor once more, in ComfyUI."""
    if in_time:
        time, first = target / (1 + target), sigma / (1 + sigma)
        lower = time * (1 + (time / first - 1) * eta)
        down = lower / (1 - lower)
        return down, math.sqrt(max(0.0, target**2 - down**2))
    up = min(target, eta * target * math.sqrt(max(0.0, 1 - (target / sigma) ** 2)))
    return math.sqrt(target**2 - up**2), up


def step_size(sigma: float, target: float) -> float:
    """`h`: the way from `sigma` to `target` in lambda."""
    return math.log(sigma / target)
