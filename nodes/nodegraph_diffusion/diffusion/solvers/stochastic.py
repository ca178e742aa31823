"""Solvers of high order for the SDE: SEEDS and SA-Solver. Both solve the linear part exactly, in lambda.

With noise of strength eta (tau squared in SA-Solver), `x' = e^(-(1 + eta) h) x + (the integral of the weighted x0) +
noise`; see `exponential`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from torch import Tensor

from ..denoiser import Denoise
from ..schedules import Schedule
from .step import Noise, State, step_size

POINTS = 48
"""At which the integrals of a step are summed."""


def seeds_2(
    denoise: Denoise,
    schedule: Schedule,
    state: State,
    noise: Noise,
    eta: float = 1.0,
    s_noise: float = 1.0,
    r: float = 0.5,
) -> State:
    """SEEDS-2 for the data prediction: an evaluation within each step (Gonzalez et al. 2023, arXiv:2305.14267,
    algorithm 2)."""
    return _seeds(denoise, schedule, state, noise, (r,), eta, s_noise)


def seeds_3(
    denoise: Denoise, schedule: Schedule, state: State, noise: Noise, eta: float = 1.0, s_noise: float = 1.0
) -> State:
    """SEEDS-3: two evaluations within each step, at its thirds (algorithm 3 of the paper)."""
    return _seeds(denoise, schedule, state, noise, (1 / 3, 2 / 3), eta, s_noise)


def _seeds(
    denoise: Denoise,
    schedule: Schedule,
    state: State,
    noise: Noise,
    shares: Sequence[float],
    eta: float,
    s_noise: float,
) -> State:
    i, sigma, target = state.step, schedule.sigmas[state.step], schedule.sigmas[state.step + 1]
    x0 = denoise(state.x, schedule.point(i))
    if target == 0:
        return state.next(x0.clone(), x0)
    h = step_size(sigma, target)
    places = (*shares, 1.0)
    found, walked = x0, 0.0
    carried: Tensor | None = None  # what noise was added so far, on the scale of the level that it was added at
    for n, share in enumerate(places):
        decay, level = (1 + eta) * share * h, sigma * math.exp(-share * h)
        x = x0 + (state.x - x0) * math.exp(-decay)
        if n == 1 and len(shares) == 1:
            x = x.add_(found - x0, alpha=-math.expm1(-decay) / (2 * shares[0]))
        elif n:  # the line through both estimates, integrated exactly
            x = x.add_(found - x0, alpha=(1 + math.expm1(-decay) / decay) * share / shares[n - 1])
        if eta and s_noise:
            part = (share - walked) * h
            fresh = noise(i * len(places) + n, sigma * math.exp(-walked * h), level)
            fresh = fresh * (level * math.sqrt(-math.expm1(-2 * eta * part)) * s_noise)
            carried = fresh if carried is None else fresh.add_(carried, alpha=math.exp(-(1 + eta) * part))
            x = x.add_(carried)
            walked = share
        if share < 1:
            found = denoise(x, schedule.between(level))
    return state.next(x, x0)


def sa_solver(
    denoise: Denoise,
    schedule: Schedule,
    state: State,
    noise: Noise,
    eta: float = 1.0,
    s_noise: float = 1.0,
    predictor_order: float = 3,
    corrector_order: float = 4,
    sde_start: float = 0.2,
    sde_end: float = 0.8,
    simple_order_2: float = 0,
    again: float = 0,
) -> State:
    """SA-Solver: a stochastic Adams predictor, corrected by the next evaluation (Xue et al. 2023, arXiv:2309.05019,
    algorithm 1). Noise is added between the shares `sde_start` and `sde_end` of the way on which the network was
    trained, `eta` of what the diffusion had, and none outside.

    `simple_order_2` takes a simpler weight in steps of second order, of the same order of accuracy; `again` asks once
    more where the corrector arrived.
    """
    predictor, corrector = int(predictor_order), int(corrector_order)

    def strength(step: int) -> float:
        """Of the noise that step `step` adds."""
        sigma = schedule.sigmas[step + 1]
        if sigma == 0:
            return 0.0
        way = schedule.table.way(schedule.timesteps[step + 1])
        return eta if sde_start - 1e-6 <= way <= sde_end + 1e-6 else 0.0

    def advanced(x: Tensor, estimates: Sequence[Tensor], nodes: Sequence[float], step: int) -> Tensor:
        """`x` from the start of a step to its end, by estimates at the levels `nodes`, and its noise."""
        sigma, target, amount = schedule.sigmas[step], schedule.sigmas[step + 1], strength(step)
        h = step_size(sigma, target)
        moved = x * math.exp(-(1 + amount**2) * h)
        places = [step_size(sigma, node) for node in nodes]
        for estimate, weight in zip(
            estimates, adams_weights(places, h, 1 + amount**2, bool(simple_order_2)), strict=True
        ):
            moved = moved.add_(estimate, alpha=weight)
        if amount and s_noise:
            drawn = sum(strength(before) > 0 for before in range(step))
            scale = target * math.sqrt(-math.expm1(-2 * amount**2 * h)) * s_noise
            moved = moved.add_(noise(drawn, sigma, target), alpha=scale)
        return moved

    i, sigmas = state.step, schedule.sigmas
    ending = sigmas[-1] == 0
    x, x0 = state.x, denoise(state.x, schedule.point(i))
    estimates = [x0]
    if state.history:
        x_before, *older = state.history
        estimates += older
        used = min(corrector, len(estimates), len(schedule) - i if ending else corrector)
        if used and (again or sigmas[i + 1] > 0):
            x = advanced(x_before, estimates[:used], sigmas[i::-1][:used], i - 1)
            if again:
                x0 = estimates[0] = denoise(x, schedule.point(i))
    if sigmas[i + 1] == 0:
        return state.next(x0.clone(), x0)
    used = min(predictor, len(estimates), len(schedule) - 1 - i if ending else predictor)
    made = advanced(x, estimates[:used], sigmas[i::-1][:used], i)
    return state.next(made, x0, (x, *estimates[: max(predictor, corrector - 1)]))


def adams_weights(places: Sequence[float], h: float, decay: float, simple: bool = False) -> list[float]:
    """How much estimates at `places` in lambda, from the start of a step of `h`, count at its end: the integrals of
    `decay e^(-decay (h - u))` times the polynomial that is 1 at one place and 0 at the others."""
    if simple and len(places) == 2:
        first, second = places
        weight = (decay * h * h / 2 + second * math.expm1(-decay * h)) / (first - second)
        return [weight, -math.expm1(-decay * h) - weight]
    points, shares = np.polynomial.legendre.leggauss(POINTS)  # exact to rounding, where formulas cancel out
    at = (points + 1) * h / 2
    decayed = shares * h / 2 * decay * np.exp(decay * (at - h))
    weights = []
    for place in places:
        basis = np.ones_like(at)
        for other in places:
            if other != place:
                basis *= (at - other) / (place - other)
        weights.append(float(decayed @ basis))
    return weights
