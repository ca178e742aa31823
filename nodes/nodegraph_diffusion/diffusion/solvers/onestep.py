"""Solvers of one step in sigma: Euler, Heun, the midpoint rule, and what adds fresh noise to them."""

from __future__ import annotations

import math

import torch

from ..denoiser import Denoise
from ..schedules import Schedule
from .step import Noise, State, ancestral, toward


def euler(denoise: Denoise, schedule: Schedule, state: State, noise: Noise) -> State:
    """`x + d * (target - sigma)`: Karras et al. 2022, algorithm 1, first order. In this scale it is also DDIM with
    eta = 0 (Song et al. 2021, arXiv:2010.02502, equation 13)."""
    point, target = schedule.point(state.step), schedule.sigmas[state.step + 1]
    x0 = denoise(state.x, point)
    return state.next(toward(state.x, x0, point.sigma, target), x0)


def euler_ancestral(
    denoise: Denoise,
    schedule: Schedule,
    state: State,
    noise: Noise,
    eta: float = 1.0,
    s_noise: float = 1.0,
    in_time: bool = False,
) -> State:
    """Euler's step to below the target and noise up to it. In this scale it is also DDPM's step (Ho et al. 2020,
    arXiv:2006.11239, algorithm 2, with the posterior's variance)."""
    point, target = schedule.point(state.step), schedule.sigmas[state.step + 1]
    x0 = denoise(state.x, point)
    down, up = ancestral(point.sigma, target, eta, in_time)
    x = toward(state.x, x0, point.sigma, down)
    if up:
        x = x.add_(noise(state.step, point.sigma, target), alpha=up * s_noise)
    return state.next(x, x0)


def heun(denoise: Denoise, schedule: Schedule, state: State, noise: Noise) -> State:
    """The trapezoidal rule: the mean of the slopes at both ends (Karras et al. 2022, algorithm 1)."""
    x, point, target = state.x, schedule.point(state.step), schedule.sigmas[state.step + 1]
    x0 = denoise(x, point)
    euler_x = toward(x, x0, point.sigma, target)
    if target == 0:
        return state.next(euler_x, x0)
    d = (x - x0) / point.sigma
    d_end = (euler_x - denoise(euler_x, schedule.point(state.step + 1))) / target
    return state.next(x.add(d + d_end, alpha=(target - point.sigma) / 2), x0)


def heunpp2(denoise: Denoise, schedule: Schedule, state: State, noise: Noise) -> State:
    """A mean of the slopes at up to three levels ahead, weighted by those levels over the run's first one (the sampler
    of that name in Stable Diffusion front ends; no paper). Of first order where levels are far below the first."""
    x, i, sigmas = state.x, state.step, schedule.sigmas
    x0 = denoise(x, schedule.point(i))
    slope = (x - x0) / sigmas[i]
    slopes, ahead = [slope], x
    for level in (i + 1, i + 2):
        if level == len(sigmas) or sigmas[level] == 0:
            break
        ahead = ahead.add(slope, alpha=sigmas[level] - sigmas[level - 1])
        slope = (ahead - denoise(ahead, schedule.point(level))) / sigmas[level]
        slopes.append(slope)
    weights = [sigmas[i + k] / (len(slopes) * sigmas[0]) for k in range(1, len(slopes))]
    weights.insert(0, 1 - sum(weights))
    mean = sum((d * w for d, w in zip(slopes, weights, strict=True)), torch.zeros_like(x))
    return state.next(x.add(mean, alpha=sigmas[i + 1] - sigmas[i]), x0)


def dpm_2(denoise: Denoise, schedule: Schedule, state: State, noise: Noise) -> State:
    """The midpoint rule, the midpoint taken in log sigma: DPM-Solver-2 in Karras et al.'s scale."""
    return _midpoint(denoise, schedule, state, schedule.sigmas[state.step + 1])


def dpm_2_ancestral(
    denoise: Denoise, schedule: Schedule, state: State, noise: Noise, eta: float = 1.0, s_noise: float = 1.0
) -> State:
    """`dpm_2` to below the target and noise up to it."""
    sigma, target = schedule.sigmas[state.step], schedule.sigmas[state.step + 1]
    down, up = ancestral(sigma, target, eta)
    after = _midpoint(denoise, schedule, state, down)
    if up:
        after.x.add_(noise(state.step, sigma, target), alpha=up * s_noise)
    return after


def _midpoint(denoise: Denoise, schedule: Schedule, state: State, target: float) -> State:
    x, point = state.x, schedule.point(state.step)
    x0 = denoise(x, point)
    if target == 0:
        return state.next(toward(x, x0, point.sigma, 0), x0)
    middle = schedule.between(math.sqrt(point.sigma * target))
    x_middle = toward(x, x0, point.sigma, middle.sigma)
    d_middle = (x_middle - denoise(x_middle, middle)) / middle.sigma
    return state.next(x.add(d_middle, alpha=target - point.sigma), x0)


def lcm(denoise: Denoise, schedule: Schedule, state: State, noise: Noise) -> State:
    """Multistep consistency sampling: the clean estimate, noised anew to the next level (Luo et al. 2023,
    arXiv:2310.04378, algorithm 3)."""
    point, target = schedule.point(state.step), schedule.sigmas[state.step + 1]
    x0 = denoise(state.x, point)
    return state.next(x0.add(noise(state.step, point.sigma, target), alpha=target) if target else x0, x0)
