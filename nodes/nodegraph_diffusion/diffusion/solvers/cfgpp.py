"""CFG++: the guided estimate, noised again with what the network says of the negative prompt (Chung et al. 2024,
arXiv:2406.08070). Where both prompts are one these are the solvers that they are named after; a `cfg` of about 1 is
their usual strength.

The paper writes DDIM and DPM-Solver++(2M) so. The others here take its one change, that the slope and what is
remembered of earlier steps are the negative's, into their own method.
"""

from __future__ import annotations

import math
from dataclasses import replace

from torch import Tensor

from ..denoiser import Denoise
from ..schedules import Point, Schedule
from .exponential import phi_2
from .step import Noise, State, ancestral, step_size, toward


def euler_cfg_pp(denoise: Denoise, schedule: Schedule, state: State, noise: Noise) -> State:
    """`x0 + target * d`, with the slope `d` of the negative: algorithm 2 of the paper in this scale."""
    return euler_ancestral_cfg_pp(denoise, schedule, state, noise, eta=0.0)


def euler_ancestral_cfg_pp(
    denoise: Denoise, schedule: Schedule, state: State, noise: Noise, eta: float = 1.0, s_noise: float = 1.0
) -> State:
    """The same to below the target, and noise up to it."""
    i, sigma, target = state.step, schedule.sigmas[state.step], schedule.sigmas[state.step + 1]
    x0, against = _both(denoise, state.x, schedule.point(i))
    down, up = ancestral(sigma, target, eta)
    x = x0.add(state.x - against, alpha=down / sigma)
    if up:
        x = x.add_(noise(i, sigma, target), alpha=up * s_noise)
    return state.next(x, x0)


def dpmpp_2s_ancestral_cfg_pp(
    denoise: Denoise, schedule: Schedule, state: State, noise: Noise, eta: float = 1.0, s_noise: float = 1.0
) -> State:
    """DPM-Solver++(2S) from where the guided estimate, noised with the negative's slope, would be."""
    i, sigma, target = state.step, schedule.sigmas[state.step], schedule.sigmas[state.step + 1]
    point = schedule.point(i)
    x0, against = _both(denoise, state.x, point)
    down, up = ancestral(sigma, target, eta)
    if down == 0:
        return state.next(x0.clone(), x0)
    start = state.x + (x0 - against)
    middle = schedule.between(math.sqrt(sigma * down))
    x0_middle, _ = _both(denoise, toward(start, x0, sigma, middle.sigma), middle)
    x = toward(start, x0_middle, sigma, down)
    return state.next(x.add_(noise(i, sigma, target), alpha=up * s_noise) if up else x, x0)


def dpmpp_2m_cfg_pp(denoise: Denoise, schedule: Schedule, state: State, noise: Noise) -> State:
    """DPM-Solver++(2M): the line goes through the negative's last two estimates (the paper, appendix C)."""
    i, sigmas = state.step, schedule.sigmas
    x0, against = _both(denoise, state.x, schedule.point(i))
    x = x0.add(state.x - against, alpha=sigmas[i + 1] / sigmas[i])
    if state.history and sigmas[i + 1] > 0:
        h, h_before = step_size(sigmas[i], sigmas[i + 1]), step_size(sigmas[i - 1], sigmas[i])
        x = x.add_(against - state.history[0], alpha=-math.expm1(-h) * h / (2 * h_before))
    return state.next(x, x0, (against,))


def res_multistep_cfg_pp(denoise: Denoise, schedule: Schedule, state: State, noise: Noise) -> State:
    """The multistep method of the refined exponential solver, its line through the negative's estimates."""
    return res_multistep_ancestral_cfg_pp(denoise, schedule, state, noise, eta=0.0)


def res_multistep_ancestral_cfg_pp(
    denoise: Denoise, schedule: Schedule, state: State, noise: Noise, eta: float = 1.0, s_noise: float = 1.0
) -> State:
    """The same to below the target, and noise up to it."""
    i, sigmas = state.step, schedule.sigmas
    x0, against = _both(denoise, state.x, schedule.point(i))
    down, up = ancestral(sigmas[i], sigmas[i + 1], eta)
    x = x0.add(state.x - against, alpha=down / sigmas[i])
    if state.history and down > 0:
        h = step_size(sigmas[i], down)
        h_before = step_size(sigmas[i - 1], ancestral(sigmas[i - 1], sigmas[i], eta)[0])
        x = x.add_(against - state.history[0], alpha=phi_2(h) * h / h_before)
    if up:
        x = x.add_(noise(i, sigmas[i], sigmas[i + 1]), alpha=up * s_noise)
    return state.next(x, x0, (against,))


def gradient_estimation_cfg_pp(denoise: Denoise, schedule: Schedule, state: State, noise: Noise) -> State:
    """Euler's step of CFG++, and the last change of the negative's slope once more."""
    i, sigma, target = state.step, schedule.sigmas[state.step], schedule.sigmas[state.step + 1]
    x0, against = _both(denoise, state.x, schedule.point(i))
    slope = (state.x - against) / sigma
    x = x0.add(slope, alpha=target)
    if state.history:
        x = x.add_(slope - state.history[0], alpha=target - sigma)
    return state.next(x, x0, (slope,))


def _both(denoise: Denoise, x: Tensor, point: Point) -> tuple[Tensor, Tensor]:
    """The guided estimate, and that for the negative alone."""
    guided, against = denoise(x, replace(point, apart=True))
    return guided, against
