"""UniPC: a predictor of any order whose every step is corrected by the next evaluation, at no cost (Zhao et al. 2023,
arXiv:2302.04867)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from torch import Tensor

from ..denoiser import Denoise
from ..schedules import Schedule
from .step import Noise, State, Step, step_size, toward

Variant = Literal["bh1", "bh2"]


def unipc(variant: Variant, order: int, last_sigma: float = 0.0) -> Step:
    """UniPC-`order` for the data prediction, of lower order in the first and last steps.

    Args:
        variant: The function B(h): `h` (bh1) or `e^h - 1` (bh2).
        last_sigma: A run that would end at 0 ends here.
    """

    def step(denoise: Denoise, schedule: Schedule, state: State, noise: Noise) -> State:
        i = state.step
        sigmas = (*schedule.sigmas[:-1], max(schedule.sigmas[-1], last_sigma))
        x, x0 = state.x, denoise(state.x, schedule.point(i))
        estimates: tuple[Tensor, ...] = ()
        if state.history:
            x_before, *estimates_before = state.history
            used = min(order, len(schedule) - i + 1, len(estimates_before))
            x = _advance(x_before, estimates_before[:used], sigmas[i - 1 :: -1], sigmas[i], variant, corrected_by=x0)
            estimates = tuple(estimates_before)
        estimates = (x0, *estimates)[:order]
        used = min(order, len(schedule) - i, len(estimates))
        return state.next(_advance(x, estimates[:used], sigmas[i::-1], sigmas[i + 1], variant), x0, (x, *estimates))

    return step


def _advance(
    x: Tensor,
    estimates: Sequence[Tensor],
    sigmas: Sequence[float],
    target: float,
    variant: Variant,
    corrected_by: Tensor | None = None,
) -> Tensor:
    """From `sigmas[0]` to `target`, with the estimates made at the first of `sigmas`, newest first, and for the
    corrector the one made at the target (equations 3 and 9 of the paper)."""
    newest, *older = estimates
    moved = toward(x, newest, sigmas[0], target)
    changes = [estimate - newest for estimate in older]
    if corrected_by is not None:
        changes.append(corrected_by - newest)
    if not changes:
        return moved
    h = step_size(sigmas[0], target)
    ratios = [step_size(sigmas[0], sigma) / h for sigma in sigmas[1 : len(estimates)]]
    ratios += [1.0] * (corrected_by is not None)
    scale = h if variant == "bh1" else -math.expm1(-h)
    for change, ratio, weight in zip(changes, ratios, _weights(h, ratios, scale), strict=True):
        moved = moved.add_(change, alpha=scale * weight / ratio)
    return moved


def _weights(h: float, ratios: Sequence[float], scale: float) -> list[float]:
    """Solve `sum_k weight_k ratio_k^(j - 1) = j! h phi_(j+1)(-h) / B(h)` for j = 1 .. q."""
    if len(ratios) == 1:
        return [0.5]  # the paper's choice: right to second order for either B(h)
    phi = -math.expm1(-h) / h
    right = []
    for j in range(1, len(ratios) + 1):
        phi = (1 / math.factorial(j) - phi) / h
        right.append(math.factorial(j) * h * phi / scale)
    powers = np.vander(np.array(ratios), increasing=True).T
    return [float(weight) for weight in np.linalg.solve(powers, np.array(right))]
