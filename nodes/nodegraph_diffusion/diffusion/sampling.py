"""One function for every chain: from noise, from a picture, into a hole, or on from a half-finished latent."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from .denoiser import Denoise
from .flow import sigma_of
from .noise import Draw
from .schedules import Point, Schedule, timed
from .solvers import Solver, State
from .solvers.step import Noise

AddNoise = Literal["auto", "always", "never"]
OnStep = Callable[[int, int, State], None]
"""`on_step(done, total, state)`; what it raises ends the run."""


@dataclass(frozen=True, slots=True, eq=False)
class Sampled:
    """`latent` (B, C, h, w) with noise of `sigma` left in it: 0 unless the run stopped early."""

    latent: Tensor
    sigma: float


@torch.inference_mode()
def sample(
    denoise: Denoise,
    solver: Solver,
    schedule: Schedule,
    latent: Tensor,
    draw: Draw,
    *,
    strength: float = 1.0,
    start_step: int = 0,
    end_step: int | None = None,
    sigma: float = 0.0,
    mask: Tensor | None = None,
    keep: bool = False,
    add_noise: AddNoise = "auto",
    leftover_noise: bool = True,
    differential: float = 0.0,
    in_time: bool = False,
    on_step: OnStep | None = None,
    resume: State | None = None,
) -> Sampled:
    """Run the steps of `schedule` from `start_step` or as far back as `strength` says, whichever is later.

    A run of all steps starts from pure noise. Any other noises `latent` to the level of its first step, or takes it as
    it is where it holds noise already (`sigma`); `add_noise` changes that.

    Args:
        latent: (B, C, h, w), float32, on the device to run on; zeros where there is nothing yet.
        draw: The noise, see `noise`.
        strength: 0 to 1. The last `int(steps * strength)` steps are run, as in diffusers; with 0 the latent comes back.
        start_step, end_step: Run steps `start_step` to `end_step - 1`; `end_step` None runs to the end.
        sigma: Noise that `latent` holds. If it differs from the schedule's at the first step, that step starts there.
        mask: (1 or B, 1, h, w), 0 to 1: 1 is made anew, 0 is kept to the bit, and between them both are mixed at every
            evaluation, see `Blend`.
        keep: Add the noise to `latent` even if all steps are run, and show a masked network the known picture from the
            first evaluation on, as ComfyUI does.
        add_noise: "always" adds noise whatever `latent` holds; "never" takes `latent` as it is, at the level of the
            first step, whatever noise it holds.
        leftover_noise: Whether a run that ends early leaves the noise of its last level in the latent, or goes to 0 in
            its last step.
        differential: 0 to 1, how far the mask is made hard at each step: 1 where it is at least the share of the way
            from the least noise that is left, so that darker parts are kept the longer (Levin and Fried 2023,
            arXiv:2306.00950).
        in_time: Walk in the time of a flow model, as if that were sigma, as ComfyUI's solvers do.
        on_step: Called after each step.
        resume: A state that `on_step` was given by a run with the same arguments: go on after it.

    Raises:
        ValueError: an argument is out of range, or they do not go together.
    """
    if not 0 <= strength <= 1:
        raise ValueError(f"strength needs 0 to 1, got {strength}")
    last = len(schedule) if end_step is None else min(end_step, len(schedule))
    first = max(start_step, len(schedule) - int(len(schedule) * strength))
    if start_step < 0 or last < 0:
        raise ValueError(f"start_step and end_step need 0 or more, got {start_step} and {end_step}")
    onward = bool(sigma) and add_noise == "auto"
    if onward and mask is not None:
        raise ValueError(
            f"a masked latent must be clean, but it still holds noise of sigma {sigma:.4g}, so what its mask keeps is "
            "not known; run its first pass to the end, or without the mask"
        )
    if schedule.rises and not solver.rises:
        raise ValueError(f"{solver.title} does not walk noise levels that rise; use euler, heun or ddim")
    if first >= last:
        return Sampled(latent, sigma)
    if onward:
        schedule = schedule.continuing(first, sigma)
    schedule = schedule.part(first, last)
    if not leftover_noise:
        schedule = schedule.finished()

    added_first = not onward and add_noise != "never"
    noise = draw.start().to(latent) if added_first else torch.zeros_like(latent)
    if first == 0 and not keep and not sigma and added_first:
        start = noise * schedule.noise_scale
    else:
        start = latent.add(noise, alpha=schedule.noise_scale)
    blend = None
    if mask is not None:
        start_level = None if keep else schedule.sigmas[0]
        blend = Blend(denoise, mask.to(latent), latent, noise, start_level, schedule, differential)
    added = on_device(draw.steps(solver, schedule), latent)

    asked = blend or denoise
    left = schedule.sigmas[-1]
    if in_time:
        start, asked, schedule = start / (1 + schedule.sigmas[0]), _told_time(asked), timed(schedule)
    if solver.levels is not None:
        schedule = solver.levels(schedule)
    state = resume or State(0, start)
    while state.step < len(schedule):
        state = solver.step(asked, schedule, state, added)
        if on_step is not None:
            on_step(state.step, len(schedule), state)
    x = state.x * (1 + left) if in_time else state.x
    return Sampled(blend.composed(x, left) if blend else x, left)


def _told_time(denoise: Denoise) -> Denoise:
    """`denoise` for latents of flow models, `(1 - t) x0 + t noise`, and points whose sigma is `t`."""

    def asked(x: Tensor, point: Point, /) -> Tensor:
        sigma = sigma_of(point.sigma)
        return denoise(x * (1 + sigma), replace(point, sigma=sigma))

    return asked


def on_device(noise: Noise, like: Tensor) -> Noise:
    """`noise` on the device and in the dtype of a tensor."""
    return lambda step, sigma, target, /: noise(step, sigma, target).to(like)


@dataclass(frozen=True, slots=True, eq=False)
class Blend:
    """A denoiser that is asked about the hole alone: around it, it is shown the known picture with its own noise.

    What the network sees is `x * mask + (original + sigma * noise) * (1 - mask)`, and what it answers is mixed with the
    original likewise, so the solver's path through the known region is that of the original. The first evaluation sees
    the start as it is. For binary masks each evaluation is the one of diffusers' inpainting pipeline, which overwrites
    the known region after each step instead; unlike that, this also holds at the evaluations inside a step.
    """

    inner: Denoise
    mask: Tensor
    original: Tensor
    noise: Tensor
    start: float | None
    schedule: Schedule
    differential: float = 0.0

    def __call__(self, x: Tensor, point: Point, /) -> Tensor:
        mask = self._at(point)
        if self.start is None or not math.isclose(point.sigma, self.start):
            x = torch.lerp(self._known(point.sigma), x, mask)
        answer = self.inner(x, point)
        if point.apart:  # the known picture is what both prompts together should show
            answer[0] = torch.lerp(self.original, answer[0], mask)
            return answer
        return torch.lerp(self.original, answer, mask)

    def _at(self, point: Point) -> Tensor:
        """The mask at one evaluation."""
        if not self.differential:
            return self.mask
        told, table = self.schedule.timesteps, self.schedule.table
        last = told[len(self.schedule)] if self.schedule.sigmas[-1] > 0 else table.lowest
        bottom = max(last, table.lowest)
        share = (point.timestep - bottom) / (told[0] - bottom) if told[0] > bottom else 0.0
        return torch.lerp(self.mask, (self.mask >= share).to(self.mask), self.differential)

    def composed(self, x: Tensor, sigma: float) -> Tensor:
        """`x` with the known region put back, where the mask is 0."""
        return torch.where(self.mask == 0, self._known(sigma), x)

    def _known(self, sigma: float) -> Tensor:
        return self.original.add(self.noise, alpha=sigma) if sigma else self.original
