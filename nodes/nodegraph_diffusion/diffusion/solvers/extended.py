"""Solvers of the reverse SDE with more or less noise than it has (Cui et al. 2023, arXiv:2309.06169)."""

from __future__ import annotations

import math

import numpy as np

from ..denoiser import Denoise
from ..schedules import Schedule
from .step import Noise, State

POINTS = 200
"""At which the integrals of a step are summed."""


def er_sde(
    denoise: Denoise,
    schedule: Schedule,
    state: State,
    noise: Noise,
    power: float = 0.0,
    stages: float = 3,
    s_noise: float = 1.0,
) -> State:
    """ER-SDE-Solver-3 with the noise scale `s (exp(s^0.3) + 10)`, by a parabola through the last estimates.

    With a `power` p the scale is `s^p` instead: 1 adds no noise, 2 that of the reverse-time SDE. `stages` is how many
    estimates a step goes by.
    """
    i, sigmas = state.step, schedule.sigmas
    sigma, target = sigmas[i], sigmas[i + 1]
    x0 = denoise(state.x, schedule.point(i))
    if target == 0:
        return state.next(x0.clone(), x0)
    ratio = float(_scale(target, power) / _scale(sigma, power))
    x = state.x * ratio + x0 * (1 - ratio)
    history = [x0]
    if state.history and stages > 1:
        step = (sigma - target) / POINTS
        places = target + np.arange(POINTS) * step
        weights = step / _scale(places, power)
        slope = (x0 - state.history[0]) / (sigma - sigmas[i - 1])
        x = x.add_(slope, alpha=float(target - sigma + weights.sum() * _scale(target, power)))
        history.append(slope)
        if len(state.history) > 1 and stages > 2:
            bend = (slope - state.history[1]) / ((sigma - sigmas[i - 2]) / 2)
            area = (places - sigma) @ weights
            x = x.add_(bend, alpha=float((target - sigma) ** 2 / 2 + area * _scale(target, power)))
    added = math.sqrt(max(0.0, target**2 - (sigma * ratio) ** 2))
    return state.next(x.add_(noise(i, sigma, target), alpha=added * s_noise), x0, tuple(history))


def _scale(sigma: np.typing.ArrayLike, power: float) -> np.typing.NDArray[np.float64]:
    values = np.asarray(sigma, np.float64)
    if power:
        return np.asarray(values**power, np.float64)
    found: np.typing.NDArray[np.float64] = values * (np.exp(values**0.3) + 10)
    return found
