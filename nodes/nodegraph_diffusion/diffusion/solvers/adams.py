"""Adams-Bashforth methods: a polynomial through the last slopes, integrated over the step.

They differ in the variable of the polynomial: sigma (LMS), log sigma (DEIS), or the number of the step (iPNDM).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from numpy.polynomial import Polynomial

from ..denoiser import Denoise
from ..schedules import Schedule
from .step import Noise, State

Integral = Callable[[Polynomial, float, float], float]


def lms(denoise: Denoise, schedule: Schedule, state: State, noise: Noise, order: int = 4) -> State:
    """Linear multistep of up to fourth order: the polynomial is in sigma (Crowson, k-diffusion)."""
    return _step(denoise, schedule, state, _in_sigma, order=order)


def deis(denoise: Denoise, schedule: Schedule, state: State, noise: Noise) -> State:
    """DEIS of third order: the polynomial is in log sigma (Zhang and Chen 2023, arXiv:2204.13902, section 3, the
    logarithmic form of tAB-DEIS). The order falls towards the end of runs under 15 steps."""

    def weights(sigmas: Sequence[float], target: float) -> list[float]:
        if len(sigmas) == 1:
            return [target - sigmas[0]]

        def integral(basis: Polynomial) -> float:
            # The antiderivative of p(u) e^u is (p - p' + p'') e^u, with u = log sigma.
            inner = basis - basis.deriv() + basis.deriv(2)
            return float(inner(math.log(target)) * target - inner(math.log(sigmas[0])) * sigmas[0])

        return _weights([math.log(sigma) for sigma in sigmas], integral)

    left = len(schedule) - state.step
    target = schedule.sigmas[state.step + 1]
    order = 1 if target == 0 else min(3, left) if len(schedule) < 15 else 3
    return _step(denoise, schedule, state, weights, order=order, remembered=2)


def ipndm(denoise: Denoise, schedule: Schedule, state: State, noise: Noise) -> State:
    """Improved pseudo linear multistep of fourth order: the classic weights for even steps (Zhang and Chen 2023,
    arXiv:2204.13902, section 3, after Liu et al. 2022, arXiv:2202.09778)."""

    def weights(sigmas: Sequence[float], target: float) -> list[float]:
        steps = [-float(age) for age in range(len(sigmas))]
        even = _weights(steps, lambda basis: _integral(basis, 0, 1))
        return [(target - sigmas[0]) * weight for weight in even]

    order = 1 if schedule.sigmas[state.step + 1] == 0 else 4
    return _step(denoise, schedule, state, weights, order=order, remembered=3)


def ipndm_v(denoise: Denoise, schedule: Schedule, state: State, noise: Noise) -> State:
    """The same for uneven steps: the weights of `lms`, and Euler's step to a level of 0."""
    order = 1 if schedule.sigmas[state.step + 1] == 0 else 4
    return _step(denoise, schedule, state, _in_sigma, order=order, remembered=3)


def gradient_estimation(denoise: Denoise, schedule: Schedule, state: State, noise: Noise) -> State:
    """Euler with the slope extrapolated by its last change: `2 d - d_before` (Permenter and Yuan 2024,
    arXiv:2306.04848, algorithm 2 with gamma = 2)."""

    def weights(sigmas: Sequence[float], target: float) -> list[float]:
        dt = target - sigmas[0]
        return [dt] if len(sigmas) == 1 else [2 * dt, -dt]

    return _step(denoise, schedule, state, weights, order=2)


def _step(
    denoise: Denoise,
    schedule: Schedule,
    state: State,
    weights: Callable[[Sequence[float], float], list[float]],
    order: int,
    remembered: int | None = None,
) -> State:
    i, sigmas = state.step, schedule.sigmas
    x0 = denoise(state.x, schedule.point(i))
    slopes = ((state.x - x0) / sigmas[i], *state.history)
    used = slopes[:order]
    x = state.x
    for slope, weight in zip(used, weights(sigmas[i::-1][: len(used)], sigmas[i + 1]), strict=True):
        x = x.add(slope, alpha=weight)
    return state.next(x, x0, slopes[: order - 1 if remembered is None else remembered])


def _in_sigma(sigmas: Sequence[float], target: float) -> list[float]:
    return _weights(sigmas, lambda basis: _integral(basis, sigmas[0], target))


def _weights(nodes: Sequence[float], integral: Callable[[Polynomial], float]) -> list[float]:
    """The integrals of the Lagrange polynomials that are 1 at one node and 0 at the others."""
    weights = []
    for node in nodes:
        others = [other for other in nodes if other != node]
        basis = Polynomial.fromroots(others) if others else Polynomial([1.0])
        weights.append(integral(basis / math.prod(node - other for other in others)))
    return weights


def _integral(polynomial: Polynomial, start: float, end: float) -> float:
    whole = polynomial.integ()
    return float(whole(end) - whole(start))
