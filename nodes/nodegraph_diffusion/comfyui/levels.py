"""Noise levels as ComfyUI's custom sampling makes them and takes them apart."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

from pydantic import Field

from nodegraph import NodeError, Widget, node

from ..handles import Model
from ..late import np
from ..params import Steps, Unit
from ..values import NoiseLevels

if TYPE_CHECKING:
    from ..diffusion.schedules import Table

CATEGORY = "ComfyUI"
CELLS = 128 * 128
"""Of a latent: the levels that these nodes choose from do not depend on it."""
Way = Literal["simple", "sgm_uniform", "karras", "exponential", "ddim_uniform", "beta", "normal", "linear_quadratic",
              "kl_optimal"]  # fmt: skip
Level = Annotated[float, Field(ge=0, le=5000), Widget("number", step=0.01)]
Rho = Annotated[float, Field(ge=0, le=100), Widget("number", step=0.01)]
Shape = Annotated[float, Field(ge=0, le=50), Widget("number", step=0.01)]
Place = Annotated[int, Field(ge=0, le=10_000), Widget("number", step=1)]
Few = Annotated[int, Field(ge=1, le=10), Widget("number", step=1)]
TOP, BOTTOM = 14.614642, 0.0291675
LEAST = 0.0001
"""What stands for 0 where noise levels begin with it."""
FITTED = {
    "SD1": ("StableDiffusionSigmas", 0.029),
    "SDXL": ("StableDiffusionXLSigmas", 0.029),
    "SVD": ("StableDiffusionVideoSigmas", 0.002),
}
"""The lists of Sabour et al. 2024 (arXiv:2404.14507) in diffusers, and the level at which they end before 0."""


class Split(NamedTuple):
    high_sigmas: NoiseLevels
    low_sigmas: NoiseLevels


@node(version=1, title="BasicScheduler", category=CATEGORY)
def BasicScheduler(model: Model, scheduler: Way = "simple", steps: Steps = 20, denoise: Unit = 1.0) -> NoiseLevels:
    """The noise levels of a schedule for a model.

    Args:
        scheduler: Where on the way from noise to picture the steps are.
        steps: How many.
        denoise: Below 1 they are the last ones of a longer way.
    """
    from ..diffusion.schedules import LEVELS

    if denoise == 0:
        return NoiseLevels(())
    longer = int(steps / denoise)
    levels = LEVELS[scheduler](longer, _table(model, steps))
    return _ending(levels[-steps:] if longer > steps else levels)


@node(version=1, title="KarrasScheduler", category=CATEGORY)
def KarrasScheduler(
    steps: Steps = 20, sigma_max: Level = TOP, sigma_min: Level = BOTTOM, rho: Rho = 7.0
) -> NoiseLevels:
    """Noise levels of Karras et al. 2022 (arXiv:2206.00364, equation 5) between two ends.

    Args:
        steps: How many.
        sigma_max: The first.
        sigma_min: The last above 0.
        rho: The higher, the more steps are near the end.
    """
    if rho == 0:
        raise NodeError("0 gives no curve; 7 is usual", "rho")
    top, bottom = sigma_max ** (1 / rho), sigma_min ** (1 / rho)
    return _ending((top + np.linspace(0, 1, steps) * (bottom - top)) ** rho)


@node(version=1, title="ExponentialScheduler", category=CATEGORY)
def ExponentialScheduler(steps: Steps = 20, sigma_max: Level = TOP, sigma_min: Level = BOTTOM) -> NoiseLevels:
    """Noise levels that fall by the same factor at each step.

    Args:
        steps: How many.
        sigma_max: The first.
        sigma_min: The last above 0.
    """
    return _polynomial(steps, sigma_max, sigma_min, 1.0)


@node(version=1, title="PolyexponentialScheduler", category=CATEGORY)
def PolyexponentialScheduler(
    steps: Steps = 20, sigma_max: Level = TOP, sigma_min: Level = BOTTOM, rho: Rho = 1.0
) -> NoiseLevels:
    """Noise levels whose logarithm falls by a power.

    Args:
        steps: How many.
        sigma_max: The first.
        sigma_min: The last above 0.
        rho: The power; 1 is the exponential schedule.
    """
    return _polynomial(steps, sigma_max, sigma_min, rho)


@node(version=1, title="BetaSamplingScheduler", category=CATEGORY)
def BetaSamplingScheduler(model: Model, steps: Steps = 20, alpha: Shape = 0.6, beta: Shape = 0.6) -> NoiseLevels:
    """Noise levels at the quantiles of a beta distribution of timesteps (Lee et al. 2024, arXiv:2407.12173).

    Args:
        steps: How many.
        alpha: The lower, the more steps are at the end.
        beta: The lower, the more steps are at the start.
    """
    if alpha == 0 or beta == 0:
        raise NodeError("0 gives no distribution; 0.6 is usual", "alpha" if alpha == 0 else "beta")
    from ..diffusion.schedules import beta_levels

    return _ending(beta_levels(steps, _table(model, steps), alpha, beta))


@node(version=1, title="SDTurboScheduler", category=CATEGORY)
def SDTurboScheduler(model: Model, steps: Few = 1, denoise: Unit = 1.0) -> NoiseLevels:
    """The noise levels on which the turbo models were distilled: ten timesteps, of which the first are taken.

    Args:
        steps: How many.
        denoise: Below 1 the first of the ten are left out.
    """
    table = _table(model, steps)
    first = 10 - int(10 * denoise)
    times = [table.trained * (10 - step) // 10 - 1 for step in range(10)][first : first + steps]
    if not times:
        return NoiseLevels(())
    import torch

    return _ending(table.sigma_at(torch.tensor(times, dtype=torch.float32)))


@node(version=1, title="AlignYourStepsScheduler", category=CATEGORY)
def AlignYourStepsScheduler(
    model_type: Literal["SD1", "SDXL", "SVD"] = "SD1", steps: Steps = 10, denoise: Unit = 1.0
) -> NoiseLevels:
    """Noise levels that were fitted to a model (Sabour et al. 2024, arXiv:2404.14507); 10 steps are as fitted.

    Args:
        model_type: Which model.
        steps: How many.
        denoise: Below 1 only the last part of them is walked.
    """
    from diffusers.schedulers.scheduling_utils import AysSchedules

    name, last = FITTED[model_type]
    fitted = np.log(np.asarray([*AysSchedules[name][:10], last], dtype=np.float64))
    levels = np.exp(np.interp(np.linspace(0, 1, steps + 1), np.linspace(0, 1, len(fitted)), fitted))
    walked = round(steps * denoise)
    return _ending(levels[steps - walked : steps]) if walked else NoiseLevels(())


@node(version=1, title="SplitSigmas", category=CATEGORY)
def SplitSigmas(sigmas: NoiseLevels, step: Place = 0) -> Split:
    """Cut noise levels in two runs.

    Args:
        step: After so many steps.
    Returns:
        high_sigmas: The first run, which leaves noise.
        low_sigmas: The rest.
    """
    return Split(NoiseLevels(sigmas.values[: step + 1]), NoiseLevels(sigmas.values[step:]))


@node(version=1, title="SplitSigmasDenoise", category=CATEGORY)
def SplitSigmasDenoise(sigmas: NoiseLevels, denoise: Unit = 1.0) -> Split:
    """Cut noise levels in two runs.

    Args:
        denoise: Which part of the steps the second run has.
    Returns:
        high_sigmas: The first run, which leaves noise.
        low_sigmas: The rest.
    """
    steps = max(len(sigmas.values) - 1, 0)
    last = round(steps * denoise)
    first = steps - last
    high = sigmas.values[: first + 1] if last else ()  # with no steps for the second run, the first has none there
    return Split(NoiseLevels(high), NoiseLevels(sigmas.values[first:]))


@node(version=1, title="SetFirstSigma", category=CATEGORY)
def SetFirstSigma(sigmas: NoiseLevels, sigma: Annotated[float, Field(ge=0, le=20_000)] = 136.0) -> NoiseLevels:
    """Change the first noise level.

    Args:
        sigma: What it is to be.
    """
    return NoiseLevels((sigma, *sigmas.values[1:]))


@node(version=1, title="FlipSigmas", category=CATEGORY)
def FlipSigmas(sigmas: NoiseLevels) -> NoiseLevels:
    """Turn noise levels around, to find the noise that a picture would be made of."""
    first, *others = sigmas.values[::-1] or (0.0,)
    return NoiseLevels((first or LEAST, *others)) if sigmas.values else sigmas


def _polynomial(steps: int, top: float, bottom: float, rho: float) -> NoiseLevels:
    if top <= 0 or bottom <= 0:
        raise NodeError("a curve of factors needs ends above 0", "sigma_max" if top <= 0 else "sigma_min")
    ramp = np.linspace(1, 0, steps) ** rho
    return _ending(np.exp(ramp * (math.log(top) - math.log(bottom)) + math.log(bottom)))


def _table(model: Model, steps: int) -> Table:
    return model.table(CELLS, steps)


def _ending(levels: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> NoiseLevels:
    """These levels without repeats, and 0 behind them."""
    falling = levels[(np.diff(levels, prepend=np.inf) < 0) & (levels > 0)]
    return NoiseLevels((*falling.tolist(), 0.0))
