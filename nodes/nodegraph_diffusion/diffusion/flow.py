"""Noise levels of flow models, which go from noise to picture on straight lines: `x_t = (1 - t) x0 + t noise`.

In the variance-exploding scale that solvers work in this is `x_t / (1 - t) = x0 + sigma noise` with
`sigma = t / (1 - t)`: a change of scale that leaves every solver what it is. Pure noise, t = 1, would be infinitely far
away; it stands at `FAR`, where a float32 latent no longer holds anything else.

Times are shifted towards noise, the more the larger a picture (Esser et al. 2024, arXiv:2403.03206, section 5.3.2).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

Array = npt.NDArray[np.float64]

FAR = 2.0**24


def sigma_of(time: float) -> float:
    """The sigma of a flow time 0 to 1."""
    return min(time / (1 - time), FAR) if time < 1 else FAR


def time_of(sigma: float) -> float:
    """The flow time of a sigma."""
    return sigma / (1 + sigma) if sigma < FAR else 1.0


@dataclass(frozen=True, slots=True, eq=False)
class FlowTable:
    """The noise levels a flow network was trained on.

    Attributes:
        config: Of a diffusers `FlowMatchEulerDiscreteScheduler`.
        mu: How far times are shifted, where the configuration leaves it to the size of the picture.
        usual: How far times are shifted then by the schedules of ComfyUI's users, whatever the size.
        even: Whether the family's pipeline spaces times evenly from 1 to 1 / steps before they are shifted; otherwise
            the scheduler spaces them from the first to the last time of training.
    """

    config: Mapping[str, Any]
    mu: float | None = None
    usual: float = 1.15
    even: bool = True

    every = 1

    @property
    def trained(self) -> int:
        """How many times the schedules choose from."""
        return 10_000 if self._dynamic else 1000

    @property
    def sigmas(self) -> Array:
        """The shifted times of training, ascending: what the schedules of ComfyUI's users choose from."""
        times = np.arange(1, self.trained + 1) / self.trained
        return self._factor * times / (1 + (self._factor - 1) * times)

    @property
    def _factor(self) -> float:
        if self._dynamic:
            return math.exp(float(self.config.get("usual_shift", self.usual)))
        return float(self.config.get("shift", 1.0))

    @property
    def lowest(self) -> float:
        """What the network is told at the least noise."""
        return 1000 * self.sigma_min

    def way(self, timestep: float) -> float:
        """Which part of the way from noise to picture, as it is without the shift, is behind at a thousandfold time."""
        time = timestep / 1000
        return 1 - time / (self._factor - (self._factor - 1) * time)

    @property
    def _dynamic(self) -> bool:
        return bool(self.config.get("use_dynamic_shifting", False))

    @property
    def sigma_min(self) -> float:
        return float(self.sigmas[0])

    @property
    def sigma_max(self) -> float:
        return float(self.sigmas[-1])

    def sigma_at(self, timesteps: Tensor) -> Array:
        """The shifted times at places of the table."""
        return np.asarray(np.interp(timesteps.double().numpy(), np.arange(len(self.sigmas)), self.sigmas))

    def timestep_of(self, sigma: float, *, fractional: bool = False) -> float:
        """What the network is told at a sigma of the solver's scale: a thousand times the flow's time."""
        return 1000 * sigma / (1 + sigma)

    def native(self, steps: int) -> tuple[list[float], list[float]]:
        """The times of diffusers' pipeline and what it tells the network at each, 0 left out."""
        from diffusers import FlowMatchEulerDiscreteScheduler

        known = FlowMatchEulerDiscreteScheduler.from_config(dict(self.config))
        even = np.linspace(1.0, 1 / steps, steps).tolist()
        known.set_timesteps(None if self.even else steps, sigmas=even if self.even else None, mu=self.mu)
        return [float(s) for s in known.sigmas[:-1]], [float(t) for t in known.timesteps]


def by_size(config: Mapping[str, Any], patches: int) -> float:
    """The shift for a picture of so many patches: linear between the configuration's two sizes."""
    low, high = config.get("base_image_seq_len", 256), config.get("max_image_seq_len", 4096)
    base, most = config.get("base_shift", 0.5), config.get("max_shift", 1.15)
    slope = (most - base) / (high - low)
    return float(patches * slope + (base - slope * low))
