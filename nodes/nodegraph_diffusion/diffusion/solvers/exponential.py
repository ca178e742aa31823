"""Exponential integrators: solvers in lambda, where the linear part of the ODE or SDE is solved exactly.

Over a step of size h, `x' = e^-h x + (the integral of e^(s - h) x0(s) ds from 0 to h)`. With noise of strength eta the
decay is `e^-(1 + eta) h` and fresh noise of deviation `target * sqrt(1 - e^(-2 eta h))` is added; eta is 1 unless
it is set.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from ..denoiser import Denoise
from ..schedules import Schedule
from .step import Noise, State, ancestral, step_size, toward


def dpmpp_2s_ancestral(
    denoise: Denoise,
    schedule: Schedule,
    state: State,
    noise: Noise,
    eta: float = 1.0,
    s_noise: float = 1.0,
    in_time: bool = False,
) -> State:
    """DPM-Solver++(2S) to below the target and noise up to it (Lu et al. 2022, arXiv:2211.01095, algorithm 1,
    r = 1/2)."""
    x, point, target = state.x, schedule.point(state.step), schedule.sigmas[state.step + 1]
    x0 = denoise(x, point)
    down, up = ancestral(point.sigma, target, eta, in_time)
    if down == 0:
        return state.next(toward(x, x0, point.sigma, 0), x0)
    middle = schedule.between(math.sqrt(point.sigma * down))
    x0_middle = denoise(toward(x, x0, point.sigma, middle.sigma), middle)
    x = toward(x, x0_middle, point.sigma, down)
    return state.next(x.add_(noise(state.step, point.sigma, target), alpha=up * s_noise) if up else x, x0)


def dpmpp_sde(
    denoise: Denoise,
    schedule: Schedule,
    state: State,
    noise: Noise,
    eta: float = 1.0,
    s_noise: float = 1.0,
    r: float = 0.5,
) -> State:
    """DPM-Solver++(2S) for the SDE: both halves of the step are ancestral, on one Brownian path (Lu et al. 2022,
    arXiv:2211.01095, section 5). `r` is how far into the step the one between them lies."""
    x, point, target = state.x, schedule.point(state.step), schedule.sigmas[state.step + 1]
    x0 = denoise(x, point)
    if target == 0:
        return state.next(toward(x, x0, point.sigma, 0), x0)
    middle = schedule.between(point.sigma ** (1 - r) * target**r)
    down, up = ancestral(point.sigma, middle.sigma, eta)
    x_middle = toward(x, x0, point.sigma, down)
    x_middle = x_middle.add_(noise(state.step, point.sigma, middle.sigma), alpha=up * s_noise)
    x0_middle = torch.lerp(x0, denoise(x_middle, middle), 1 / (2 * r))
    down, up = ancestral(point.sigma, target, eta)
    x = toward(x, x0_middle, point.sigma, down)
    return state.next(x.add_(noise(state.step, point.sigma, target), alpha=up * s_noise), x0)


def dpmpp_2m(denoise: Denoise, schedule: Schedule, state: State, noise: Noise) -> State:
    """DPM-Solver++(2M) (Lu et al. 2022, arXiv:2211.01095, algorithm 2)."""
    i, sigmas = state.step, schedule.sigmas
    x0 = denoise(state.x, schedule.point(i))
    ahead = x0
    if state.history and sigmas[i + 1] > 0:
        h, h_before = step_size(sigmas[i], sigmas[i + 1]), step_size(sigmas[i - 1], sigmas[i])
        ahead = x0.add(x0 - state.history[0], alpha=h / (2 * h_before))
    return state.next(toward(state.x, ahead, sigmas[i], sigmas[i + 1]), x0, (x0,))


def dpmpp_2m_sde(
    denoise: Denoise, schedule: Schedule, state: State, noise: Noise, eta: float = 1.0, s_noise: float = 1.0
) -> State:
    """SDE-DPM-Solver++(2M), midpoint form (Lu et al. 2022, arXiv:2211.01095, section 5)."""
    return _multistep_sde(denoise, schedule, state, noise, lambda h: -math.expm1(-h) / 2, eta, s_noise)


def dpmpp_2m_sde_heun(
    denoise: Denoise, schedule: Schedule, state: State, noise: Noise, eta: float = 1.0, s_noise: float = 1.0
) -> State:
    """SDE-DPM-Solver++(2M), the line through the last two estimates integrated exactly."""
    return _multistep_sde(denoise, schedule, state, noise, phi_2, eta, s_noise)


def dpmpp_3m_sde(
    denoise: Denoise, schedule: Schedule, state: State, noise: Noise, eta: float = 1.0, s_noise: float = 1.0
) -> State:
    """The same with a parabola through the last three estimates (Crowson, k-diffusion)."""
    return _multistep_sde(denoise, schedule, state, noise, phi_2, eta, s_noise, remembered=2)


def _multistep_sde(
    denoise: Denoise,
    schedule: Schedule,
    state: State,
    noise: Noise,
    line_weight: Callable[[float], float],
    eta: float,
    s_noise: float,
    remembered: int = 1,
) -> State:
    i, sigmas = state.step, schedule.sigmas
    x0 = denoise(state.x, schedule.point(i))
    history = (x0, *state.history)[:remembered]
    if sigmas[i + 1] == 0:
        return state.next(toward(state.x, x0, sigmas[i], 0), x0, history)
    h = step_size(sigmas[i], sigmas[i + 1])
    decay = (1 + eta) * h
    x = torch.lerp(x0, state.x, math.exp(-decay))
    if state.history:
        r = step_size(sigmas[i - 1], sigmas[i]) / h
        slope = (x0 - state.history[0]) / r
        if len(state.history) == 2:
            r_before = step_size(sigmas[i - 2], sigmas[i - 1]) / h
            bend = (slope - (state.history[0] - state.history[1]) / r_before) / (r + r_before)
            slope = slope.add_(bend, alpha=r)
            x = x.sub_(bend, alpha=phi_2(decay) / decay - 0.5)
        x = x.add_(slope, alpha=line_weight(decay))
    fresh = noise(state.step, sigmas[i], sigmas[i + 1])
    added = sigmas[i + 1] * math.sqrt(-math.expm1(-2 * eta * h)) * s_noise
    return state.next(x.add_(fresh, alpha=added), x0, history)


def phi_2(h: float) -> float:
    """The integral of `s e^(s - h) ds` from 0 to h, over h."""
    return 1 + math.expm1(-h) / h


def res_multistep(denoise: Denoise, schedule: Schedule, state: State, noise: Noise) -> State:
    """The second-order multistep method of the refined exponential solver (Zhang et al. 2023, arXiv:2308.02157): a
    line through the last two estimates, integrated exactly."""
    return res_multistep_ancestral(denoise, schedule, state, noise, eta=0.0)


def res_multistep_ancestral(
    denoise: Denoise, schedule: Schedule, state: State, noise: Noise, eta: float = 1.0, s_noise: float = 1.0
) -> State:
    """The same to below the target, and noise up to it."""
    i, sigmas = state.step, schedule.sigmas
    x0 = denoise(state.x, schedule.point(i))
    down, up = ancestral(sigmas[i], sigmas[i + 1], eta)
    x = toward(state.x, x0, sigmas[i], down)
    if state.history and down > 0:
        h = step_size(sigmas[i], down)
        h_before = step_size(sigmas[i - 1], ancestral(sigmas[i - 1], sigmas[i], eta)[0])
        x = x.add_(x0 - state.history[0], alpha=phi_2(h) * h / h_before)
    if up:
        x = x.add_(noise(i, sigmas[i], sigmas[i + 1]), alpha=up * s_noise)
    return state.next(x, x0, (x0,))
