"""Noise tables and schedules: which noise levels a run visits, and which timestep the network is told at each.

Everything is in the variance-exploding scale of Karras et al. 2022 (arXiv:2206.00364): `x = x0 + sigma * noise`. A
network trained with cumulative products `ac` of alphas has `sigma = sqrt((1 - ac) / ac)` (its input is `x / sqrt(1 +
sigma^2)`).

Two kinds of schedules stand beside each other. Those of `SPACINGS` are the diffusers `timestep_spacing`s (Lin et al.
2023, arXiv:2305.08891, table 2): they space timesteps and look up sigmas. All others are the ones that ComfyUI's users
know: they visit the same sigmas, and the network is told the integer timestep nearest in log sigma. `native` is what
the model's own scheduler is configured with. Flow models have tables of another kind, see `flow`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from .flow import FlowTable, sigma_of, time_of

Array = npt.NDArray[np.float64]

Grid = Literal["sigma", "alpha", "lambda"]
"""The variable a solver is written in, which in diffusers decides how its scheduler rounds and ends a spacing.

`sigma` (Euler, Heun, KDPM2, LMS): fractional timesteps, t = 0 included. `alpha` (DDIM, DDPM): rounded, t = 0 included.
`lambda` (DPM-Solver++, UniPC, DEIS): rounded, t = 0 left out.
"""


@dataclass(frozen=True, slots=True)
class Point:
    """One evaluation of the network: the noise level of its input and the timestep it is told.

    `apart` asks for two answers, stacked before the batch: the guided one, and that to the negative prompt alone.
    """

    sigma: float
    timestep: float
    apart: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class NoiseTable:
    """The noise levels a network was trained on, ascending, float64: `sigmas[i]` at timestep `(i + 1) * every - 1`.

    `every` is 1 but for networks that were distilled on some of the timesteps (Luo et al. 2023, arXiv:2310.04378).
    """

    sigmas: Array
    steps_offset: int = 0
    spacing: str = "leading"
    every: int = 1

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> NoiseTable:
        """Read a diffusers scheduler's configuration (`beta_start`, `beta_end`, `beta_schedule`, `trained_betas`,
        `num_train_timesteps`, `rescale_betas_zero_snr`, `steps_offset`, `timestep_spacing`; missing ones have Stable
        Diffusion's values), and two words of our own: `terminal_product`, the cumulative product that stands for zero
        at the end, and `distilled_steps`, how many timesteps the network was distilled on.

        Raises:
            ValueError: the `beta_schedule` is unknown.
        """
        products: Array = np.cumprod(1 - _betas(config), dtype=np.float64)
        if config.get("rescale_betas_zero_snr"):
            products = _zero_terminal_snr(products, float(config.get("terminal_product", 2.0**-24)))
        spacing = str(config.get("timestep_spacing", "leading"))
        every = len(products) // int(config.get("distilled_steps", len(products)))
        sigmas = np.sqrt((1 - products) / products)[every - 1 :: every]
        return cls(sigmas, int(config.get("steps_offset", 0)), spacing, every)

    @property
    def trained(self) -> int:
        """How many timesteps it was trained on, before it was distilled."""
        return len(self.sigmas) * self.every

    @property
    def lowest(self) -> float:
        """What the network is told at the least noise."""
        return self.every - 1.0

    def way(self, timestep: float) -> float:
        """Which part of the way from noise to picture is behind where the network is told `timestep`."""
        return 1 - timestep / (self.trained - 1)

    @property
    def timesteps(self) -> Array:
        return np.arange(self.every - 1, self.trained, self.every, dtype=np.float64)

    @property
    def sigma_min(self) -> float:
        return float(self.sigmas[0])

    @property
    def sigma_max(self) -> float:
        return float(self.sigmas[-1])

    def sigma_at(self, timesteps: Tensor) -> Array:
        """The sigmas of fractional timesteps (float32), by linear interpolation of log sigma."""
        logs = self._logs()
        at = (timesteps - (self.every - 1)) / self.every
        low, high, part = at.floor().long(), at.ceil().long(), at.frac()
        return np.asarray(((1 - part) * logs[low] + part * logs[high]).exp().double().numpy())

    def timestep_of(self, sigma: float, *, fractional: bool = False) -> float:
        """The timestep of a sigma > 0: the nearest in log sigma, or interpolated there."""
        if fractional:
            return float(np.interp(math.log(sigma), np.log(self.sigmas), self.timesteps))
        return float((torch.tensor(sigma).log() - self._logs()).abs().argmin() * self.every + self.every - 1)

    def _logs(self) -> Tensor:
        # float32 here and in its callers: `sgm_uniform` meets exact halves between timesteps, and which side they fall
        # on, and with it the picture, hangs on this rounding.
        return torch.from_numpy(np.log(self.sigmas)).float()


Table = NoiseTable | FlowTable
"""The noise levels of a network."""


def _betas(config: Mapping[str, Any]) -> Array:
    trained = config.get("trained_betas")
    if trained is not None:
        return np.asarray(trained, dtype=np.float64)
    start, end = float(config.get("beta_start", 0.00085)), float(config.get("beta_end", 0.012))
    count = int(config.get("num_train_timesteps", 1000))
    kind = config.get("beta_schedule", "scaled_linear")
    if kind == "linear":
        return np.linspace(start, end, count)
    if kind == "scaled_linear":
        return np.linspace(start**0.5, end**0.5, count) ** 2
    if kind == "squaredcos_cap_v2":  # Nichol and Dhariwal 2021, arXiv:2102.09672, equation 17
        time = np.arange(count + 1) / count
        level = np.cos((time + 0.008) / 1.008 * math.pi / 2) ** 2
        return np.asarray(np.minimum(1 - level[1:] / level[:-1], 0.999), dtype=np.float64)
    raise ValueError(
        f"a noise table needs beta_schedule 'linear', 'scaled_linear' or 'squaredcos_cap_v2', got {kind!r}; "
        "give its betas as 'trained_betas'"
    )


def _zero_terminal_snr(products: Array, last: float) -> Array:
    """Shift and scale sqrt(ac) so that the last is zero (Lin et al. 2023, algorithm 1).

    The last product is then set to `last`, since sigma would be infinite: diffusers has 2^-24, so sigma_max is 4096.
    """
    roots = np.sqrt(products)
    roots = (roots - roots[-1]) * roots[0] / (roots[0] - roots[-1])
    return np.asarray(np.append(roots[:-1] ** 2, last), dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Schedule:
    """The noise levels of a run of n steps.

    Attributes:
        sigmas: n + 1 levels, strictly descending, the last 0 unless the run stops early; or strictly ascending. Step i
            goes from `sigmas[i]` to `sigmas[i + 1]`.
        timesteps: What the network is told at each level above 0.
        noise_scale: What unit noise is multiplied by to start at `sigmas[0]` with nothing but noise.
        table: The network's noise levels, for the points between.
        fractional: Whether the network is told interpolated timesteps between, or the nearest integer.
        in_time: Whether the levels are times of a flow model, 1 to 0, and not sigmas.
    """

    sigmas: tuple[float, ...]
    timesteps: tuple[float, ...]
    noise_scale: float
    table: Table
    fractional: bool = False
    in_time: bool = False

    def __len__(self) -> int:
        return len(self.sigmas) - 1

    @property
    def rises(self) -> bool:
        """Whether it goes from the picture to noise."""
        return self.sigmas[0] < self.sigmas[-1]

    def point(self, step: int) -> Point:
        """Where step `step` starts."""
        return Point(self.sigmas[step], self.timesteps[step])

    def walked(self, timestep: float) -> tuple[float, float]:
        """Which part of the steps is done where the network is told `timestep`, and which part of them one step is."""
        told = self.timesteps[: len(self)]
        done = sum((each < timestep - 1e-3) if self.rises else (each > timestep + 1e-3) for each in told)
        return done / len(self), 1 / len(self)

    def within(self, start: float, end: float) -> tuple[float, float]:
        """Which part of the steps lies between two parts of the way that the network was trained on."""
        met = [
            step
            for step, told in enumerate(self.timesteps[: len(self)])
            if start - 1e-6 <= self.table.way(told) <= end + 1e-6
        ]
        return (met[0] / len(self), (met[-1] + 1) / len(self)) if met else (1.0, 1.0)

    def between(self, sigma: float) -> Point:
        """A point off the grid, for solvers that evaluate inside a step."""
        told = 1000 * sigma if self.in_time else self.table.timestep_of(sigma, fractional=self.fractional)
        return Point(sigma, told)

    def part(self, first: int, last: int) -> Schedule:
        """Steps `first` to `last - 1` as a schedule of its own."""
        return replace(
            self,
            sigmas=self.sigmas[first : last + 1],
            timesteps=self.timesteps[first : last + 1],
            noise_scale=self.sigmas[first] if first else self.noise_scale,
        )

    def finished(self) -> Schedule:
        """The same steps, of which the last goes to 0."""
        return replace(self, sigmas=(*self.sigmas[:-1], 0.0), timesteps=self.timesteps[: len(self)])

    def continuing(self, first: int, sigma: float) -> Schedule:
        """The same schedule, whose step `first` starts at the noise that a half-finished latent holds.

        Raises:
            ValueError: that noise is not between the levels before and after `sigmas[first]`.
        """
        if math.isclose(sigma, self.sigmas[first], rel_tol=1e-6):
            return self
        above = self.sigmas[first - 1] if first else math.inf
        if not self.sigmas[first + 1] < sigma < above:
            distances = [abs(math.log(sigma / s)) for s in self.sigmas[:-1]]
            nearest = distances.index(min(distances))
            raise ValueError(
                f"the latent still holds noise of sigma {sigma:.4g}, but step {first} starts at "
                f"{self.sigmas[first]:.4g}; start at step {nearest} ({self.sigmas[nearest]:.4g})"
            )
        timestep = self.between(sigma).timestep
        return replace(
            self,
            sigmas=(*self.sigmas[:first], sigma, *self.sigmas[first + 1 :]),
            timesteps=(*self.timesteps[:first], timestep, *self.timesteps[first + 1 :]),
        )


LONGEST = 1_000_000
"""Steps of the longest way of which an end is taken."""


def make_schedule(
    name: str,
    steps: int,
    table: Table,
    *,
    grid: Grid = "sigma",
    discard_penultimate: bool = False,
    strength: float = 1.0,
) -> Schedule:
    """The schedule called `name` for about `steps` steps.

    `ddim_uniform` takes one step more where `steps` does not divide the table; any schedule takes fewer where two of
    its levels coincide.

    Args:
        name: One of `SCHEDULES`.
        steps: At least 1.
        table: The network's noise levels.
        grid: The kind of solver; matters to the diffusers spacings alone.
        discard_penultimate: Make one step more and leave out the level before 0 (not with the diffusers spacings).
        strength: Below 1 the steps are the last of a way that is longer by that.

    Raises:
        ValueError: unknown name, or `steps` or `strength` out of range.
    """
    if name not in SCHEDULES:
        raise ValueError(f"unknown schedule {name!r}; there are {', '.join(SCHEDULES)}")
    if not 1 <= steps <= table.trained:
        raise ValueError(f"a schedule needs 1 to {table.trained} steps (the network's noise levels), got {steps}")
    if not 1e-3 <= strength <= 1:
        raise ValueError(f"the end of a longer way needs a strength of 0.001 to 1, got {strength}")
    longer = min(int(steps / strength), LONGEST)
    if name in LEVELS:
        levels = LEVELS[name](longer + discard_penultimate, table)
        levels = levels[:-1] if discard_penultimate else levels
        levels = levels[-steps:] if longer > steps else levels
        return visiting((*levels[np.diff(levels, prepend=np.inf) < 0].tolist(), 0.0), table)
    if isinstance(table, FlowTable):
        whole = _flowing(name, longer, table)
    else:
        whole = _spaced(SPACINGS[table.spacing if name == "native" else name], longer, table, grid)
    return whole.part(len(whole) - steps, len(whole)) if longer > steps else whole


def visiting(levels: Sequence[float], table: Table) -> Schedule:
    """The schedule that visits these levels, given as the table has them: sigmas, or times of a flow model 0 to 1.

    Args:
        levels: At least one, strictly descending; a last one above 0 leaves its noise in the latent. Or strictly
            ascending from above 0, which goes from a picture to the noise that it would be made of.

    Raises:
        ValueError: they do neither, or lie outside of the table's scale.
    """
    rises = len(levels) > 1 and levels[0] > 0 and all(a < b for a, b in pairwise(levels))
    if not levels or (any(a <= b for a, b in pairwise(levels)) and not rises) or levels[-1] < 0:
        raise ValueError(f"noise levels must fall from step to step, down to 0 or above it, got {list(levels)}")
    top = levels[0]
    above = [level for level in levels if level > 0]
    if isinstance(table, FlowTable):
        if max(levels) > 1:
            raise ValueError(f"a flow model's noise levels are times from 1 down to 0, got {max(levels):.4g}")
        sigmas = tuple(map(sigma_of, levels))
        return Schedule(sigmas, tuple(1000 * time for time in above), sigmas[0], table)
    at_top = top >= table.sigma_max * (1 - 1e-5)
    told = tuple(table.timestep_of(sigma) for sigma in above)
    return Schedule(tuple(levels), told, math.hypot(1, top) if at_top else top, table)


def timed(schedule: Schedule) -> Schedule:
    """The schedule of a flow model with its times for sigmas."""
    times = tuple(time_of(sigma) for sigma in schedule.sigmas)
    return replace(schedule, sigmas=times, in_time=True)


def _flowing(name: str, steps: int, table: FlowTable) -> Schedule:
    if name != "native":
        known = ", ".join(n for n in SCHEDULES if n not in SPACINGS)
        raise ValueError(f"a flow model has no discrete timesteps for {name!r} to space; it takes {known}")
    times, told = table.native(steps)
    sigmas = tuple(sigma_of(time) for time in times)
    # diffusers' pipelines start with the noise itself, ComfyUI with noise of the first level.
    return Schedule((*sigmas, 0.0), tuple(told), 1 + sigmas[0], table)


def _normal(steps: int, table: Table) -> Array:
    return table.sigma_at(torch.linspace(table.trained - 1, table.every - 1, steps))


def _sgm_uniform(steps: int, table: Table) -> Array:
    return table.sigma_at(torch.linspace(table.trained - 1, table.every - 1, steps + 1)[:-1])


def _karras(steps: int, table: Table, rho: float = 7.0) -> Array:
    """Karras et al. 2022, equation 5."""
    ramp = np.linspace(0, 1, steps)
    top, bottom = table.sigma_max ** (1 / rho), table.sigma_min ** (1 / rho)
    return np.asarray((top + ramp * (bottom - top)) ** rho, dtype=np.float64)


def _exponential(steps: int, table: Table) -> Array:
    return np.exp(np.linspace(math.log(table.sigma_max), math.log(table.sigma_min), steps))


def _simple(steps: int, table: Table) -> Array:
    stride = len(table.sigmas) / steps
    return table.sigmas[[-1 - int(i * stride) for i in range(steps)]]


def _ddim_uniform(steps: int, table: Table) -> Array:
    return table.sigmas[1 :: max(1, len(table.sigmas) // steps)][::-1]


def beta_levels(steps: int, table: Table, alpha: float = 0.6, beta: float = 0.6) -> Array:
    """Lee et al. 2024, arXiv:2407.12173: quantiles of a beta distribution of timesteps."""
    from scipy import stats  # half a second to import, for one schedule

    quantiles = stats.beta.ppf(1 - np.linspace(0, 1, steps, endpoint=False), alpha, beta)
    timesteps: npt.NDArray[np.int64] = np.rint(quantiles * (len(table.sigmas) - 1)).astype(np.int64)
    return table.sigmas[timesteps]


def _linear_quadratic(steps: int, table: Table, threshold: float = 0.025) -> Array:
    """Polyak et al. 2024, arXiv:2410.13720: half the steps take away 2.5 % of the noise, the others a parabola that
    continues that line smoothly and ends at zero."""
    if steps == 1:
        return np.array([table.sigma_max])
    linear = steps // 2
    step = np.arange(steps, dtype=np.float64)
    slope = threshold / linear
    curve = (1 - slope * steps) / (steps - linear) ** 2
    gone = slope * step + curve * np.maximum(step - linear, 0) ** 2
    return np.asarray(table.sigma_max * (1 - gone), dtype=np.float64)


def _kl_optimal(steps: int, table: Table) -> Array:
    """Sabour et al. 2024, arXiv:2404.14507, theorem 3.1: equal steps of atan(sigma)."""
    return np.tan(np.linspace(math.atan(table.sigma_max), math.atan(table.sigma_min), steps))


LEVELS: Mapping[str, Callable[[int, Table], Array]] = {
    "normal": _normal,
    "karras": _karras,
    "exponential": _exponential,
    "sgm_uniform": _sgm_uniform,
    "simple": _simple,
    "beta": beta_levels,
    "ddim_uniform": _ddim_uniform,
    "linear_quadratic": _linear_quadratic,
    "kl_optimal": _kl_optimal,
}
"""The sigmas of each schedule, descending from the first step's, without the final 0."""


def _linspace(steps: int, table: NoiseTable, grid: Grid) -> Array:
    count = steps + (grid == "lambda")
    if count == 1:  # diffusers starts a single step at t = 0, where there is nothing to do
        return np.array([table.trained - 1.0])
    return np.linspace(0, table.trained - 1, count)[::-1][:steps]


def _leading(steps: int, table: NoiseTable, grid: Grid) -> Array:
    extra = int(grid == "lambda")
    stride = table.trained // (steps + extra)
    return np.arange(steps - 1 + extra, -1 + extra, -1.0) * stride + table.steps_offset


def _trailing(steps: int, table: NoiseTable, grid: Grid) -> Array:
    total = table.trained
    return np.asarray(np.linspace(total, 0, steps, endpoint=False).round() - 1, dtype=np.float64)


SPACINGS: Mapping[str, Callable[[int, NoiseTable, Grid], Array]] = {
    "linspace": _linspace,
    "leading": _leading,
    "trailing": _trailing,
}
"""The timesteps of each diffusers spacing, descending."""

SCHEDULES: Sequence[str] = (*LEVELS, *SPACINGS, "native")


def _spaced(spacing: Callable[[int, NoiseTable, Grid], Array], steps: int, table: NoiseTable, grid: Grid) -> Schedule:
    timesteps = spacing(steps, table, grid)
    if grid != "sigma":
        timesteps = timesteps.round()
    timesteps = np.minimum(timesteps, table.trained - 1)
    timesteps = timesteps[np.diff(timesteps, prepend=np.inf) < 0]
    # Interpolated in sigma itself, not in its logarithm: so do the diffusers schedulers.
    sigmas = np.interp(timesteps, table.timesteps, table.sigmas)
    top = float(sigmas[0])
    from_sigma = grid == "sigma" and spacing is not _leading
    return Schedule(
        sigmas=(*sigmas.tolist(), 0.0),
        timesteps=tuple(timesteps.tolist()),
        noise_scale=top if from_sigma else math.hypot(1, top),
        table=table,
        fractional=grid == "sigma",
    )
