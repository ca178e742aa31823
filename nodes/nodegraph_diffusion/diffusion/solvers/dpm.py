"""DPM-Solver: exponential integrators for the network's noise, in lambda (Lu et al. 2022, arXiv:2206.00927).

Both methods place their levels themselves, between the first of a schedule and its last above 0, where they end.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from ..denoiser import Denoise
from ..schedules import Schedule
from .step import Noise, State, step_size

ATTEMPTS = 10_000
"""Steps tried by `dpm_adaptive` before it is taken to be stuck."""


def fast_levels(schedule: Schedule) -> Schedule:
    """DPM-Solver-fast for as many evaluations as the schedule has steps (section 3.4 and appendix D.3 of the paper):
    evenly spaced steps in lambda, each with its evaluations as levels of their own."""
    top, bottom = _ends(schedule)
    if top == bottom:
        return schedule
    count = len(schedule)
    h = step_size(top, bottom) / (count // 3 + 1)
    levels, begun = [], 0
    for i in range(count):
        place, order = _place(i, count)
        levels.append(top * math.exp(-h * (begun + place / order)))
        begun += place == order - 1
    told = [schedule.between(level).timestep for level in (*levels, bottom)]
    return replace(schedule, sigmas=(*levels, bottom), timesteps=tuple(told))


def dpm_fast(denoise: Denoise, schedule: Schedule, state: State, noise: Noise) -> State:
    """One evaluation of DPM-Solver-fast; the levels of `fast_levels` say which."""
    i, sigmas = state.step, schedule.sigmas
    place, order = _place(i, len(schedule))
    x0 = denoise(state.x, schedule.point(i))
    slope = (state.x - x0) / sigmas[i]
    start, *slopes = state.history if place else (state.x,)
    slopes.append(slope)
    h = step_size(sigmas[i - place], sigmas[i + 1]) if sigmas[i + 1] else math.inf
    x = x0.clone() if math.isinf(h) else _moved(start, slopes, sigmas[i + 1], h, place, order)
    return state.next(x, x0, (start, *slopes) if place < order - 1 else ())


def dpm_adaptive(
    denoise: Denoise,
    schedule: Schedule,
    state: State,
    noise: Noise,
    order: float = 3,
    rtol: float = 0.05,
    atol: float = 0.0078,
    h_init: float = 0.05,
    icoeff: float = 1.0,
    accept_safety: float = 0.81,
) -> State:
    """Try one step of DPM-Solver-23 (or -12) of a size that keeps the difference of both orders within a tolerance
    (appendix C of the paper; steps grow and shrink by Crowson's rule in k-diffusion). `state.step` is how many levels
    of the schedule lie behind. All pictures of a batch take the same steps."""
    top, bottom = _ends(schedule)
    if top == bottom:
        x0 = denoise(state.x, schedule.point(0))
        return state.next(x0.clone(), x0)
    end = -math.log(bottom)
    before, at = state.history or (state.x, torch.tensor([-math.log(top), h_init, 0.0], dtype=torch.float64))
    place, h, tried = at.tolist()
    step = min(h, end - place)
    x, sigma, target = state.x, math.exp(-place), math.exp(-place - step)
    shares = (1 / 3, 2 / 3) if order == 3 else (1 / 2,)
    x0 = denoise(x, schedule.between(sigma))
    slopes, made = [(x - x0) / sigma], x
    for n, share in enumerate(shares):
        level = math.exp(-place - share * step)
        made = _moved(x, slopes, level, share * step, n, int(order))
        slopes.append((made - denoise(made, schedule.between(level))) / level)
    high = _moved(x, slopes, target, step, len(shares), int(order))
    low = x.sub(slopes[0], alpha=target * math.expm1(step))
    if order == 3:
        low = low.sub(slopes[1] - slopes[0], alpha=target * math.expm1(step) / (2 * shares[0]))
    allowed = torch.maximum(low.abs(), before.abs()).mul(rtol).clamp(min=atol)
    off = float(((low - high) / allowed).square().mean().sqrt())
    if not math.isfinite(off) or tried >= ATTEMPTS:
        raise ValueError(
            f"dpm_adaptive finds no step that is exact enough at sigma {sigma:.4g} (error {off:.3g} of 1 allowed); "
            "use a higher rtol, or another sampler"
        )
    factor = 1 + math.atan((1 / (off + 1e-8)) ** (icoeff / order) - 1)
    accepted = factor >= accept_safety
    place += step * accepted
    at = torch.tensor([place, h * factor, tried + 1], dtype=torch.float64)
    if not accepted:
        return replace(state, x0=x0, history=(before, at))
    passed = sum(level >= target * (1 + 1e-5) for level in schedule.sigmas[:-1])
    done = len(schedule) if place > end - 1e-5 else min(passed, len(schedule) - 1)
    return replace(state, step=max(state.step, done), x=high, x0=x0, history=(low, at))


def _ends(schedule: Schedule) -> tuple[float, float]:
    return schedule.sigmas[0], min(sigma for sigma in schedule.sigmas if sigma > 0)


def _place(i: int, count: int) -> tuple[int, int]:
    """Which evaluation of its step evaluation `i` of `count` is, and of how many."""
    rest = i - 3 * ((count - 1) // 3)
    if rest < 0:
        return i % 3, 3
    if count % 3:
        return rest, count % 3
    return (rest, 2) if rest < 2 else (0, 1)


def _moved(start: Tensor, slopes: list[Tensor], target: float, h: float, place: int, order: int) -> Tensor:
    """From the begin of a step to `target`, `h` further in lambda, by the slopes found at thirds or at the half of the
    step (algorithms 4 and 5 of the paper, r1 = 1/3, r2 = 2/3, or r1 = 1/2)."""
    x = start.sub(slopes[0], alpha=target * math.expm1(h))
    if place == 0:
        return x
    if order == 2:
        return x.sub_(slopes[1] - slopes[0], alpha=target * math.expm1(h))
    return x.sub_(slopes[place] - slopes[0], alpha=target * (math.expm1(h) / h - 1) * (2 if place == 1 else 1.5))
