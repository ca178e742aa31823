"""From a UNet to the one question solvers ask: what clean latent does the network see in this noisy one?"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal, Protocol, get_args

import torch
from torch import Tensor

from .schedules import Point

Prediction = Literal["epsilon", "v_prediction", "sample"]


class Denoise(Protocol):
    """The contract of k-diffusion: the expectation of the clean latent, given the noisy one."""

    def __call__(self, x: Tensor, point: Point, /) -> Tensor:
        """`x` is (B, C, h, w), `x0 + sigma * noise`; the answer is a new tensor of its shape and dtype."""


class UNetDenoiser:
    """A conditional UNet with classifier-free guidance (Ho and Salimans 2022, arXiv:2207.12598).

    Positive and negative go through the network in one batch; where `cfg` is 1 or there is no negative, it runs on the
    positive alone. Latents stay in the solver's precision: only the network's input is cast to its dtype.

    Args:
        unet: A `UNet2DConditionModel`, or what is called as one.
        positive, negative: Encoded prompts (1 or B, tokens, width). Prompts of different length are repeated up to
            their least common multiple, which leaves attention over each as it was.
        prediction: What the network was trained to give.
        cfg: Guidance scale; `negative + cfg * (positive - negative)`.
        rescale: 0 to 1, how far the guided prediction is brought back to the spread of the positive one (Lin et al.
            2023, arXiv:2305.08891, section 3.4: 0.7 suits models with zero terminal SNR).
        hole: For inpainting networks (1 or B, 1 + C, h, w): the mask, 1 where to paint, and the latent of the picture
            with its hole greyed. Both are appended to the channels of `x`.

    Raises:
        ValueError: an argument does not fit the network or the other arguments.
    """

    def __init__(
        self,
        unet: Callable[..., Any],
        positive: Tensor,
        negative: Tensor | None = None,
        *,
        prediction: Prediction = "epsilon",
        cfg: float = 1.0,
        rescale: float = 0.0,
        hole: Tensor | None = None,
    ) -> None:
        if prediction not in get_args(Prediction):
            raise ValueError(f"prediction needs one of {', '.join(get_args(Prediction))}, got {prediction!r}")
        self.unet = unet
        self.prediction = prediction
        self.cfg = cfg
        self.rescale = rescale
        self.hole = hole
        self.guided = negative is not None and cfg != 1
        self.prompts = [positive] if negative is None or cfg == 1 else _of_one_length(negative, positive)
        self._inputs: dict[int, tuple[Tensor, Tensor | None]] = {}

    def __call__(self, x: Tensor, point: Point, /) -> Tensor:
        sigma = point.sigma
        scale = 1 / math.hypot(1, sigma)
        output = self._predict(x * scale, point.timestep)
        if self.prediction == "epsilon":
            return x.sub(output, alpha=sigma)
        if self.prediction == "v_prediction":  # Salimans and Ho 2022, arXiv:2202.00512, appendix D
            return (x * scale**2).sub_(output, alpha=sigma * scale)
        return output

    def _predict(self, x: Tensor, timestep: float) -> Tensor:
        tokens, hole = self._inputs_for(x)
        copies = tokens.shape[0] // x.shape[0]
        inputs = x if copies == 1 else torch.cat([x] * copies)
        if hole is not None:
            inputs = torch.cat([inputs, hole], dim=1)
        time = torch.tensor(timestep, device=x.device)
        output: Tensor = self.unet(inputs.to(tokens.dtype), time, encoder_hidden_states=tokens, return_dict=False)[0]
        output = output.to(x.dtype)
        if not self.guided:
            return output
        negative, positive = output.chunk(2)
        guided = negative + self.cfg * (positive - negative)
        return _rescaled(guided, positive, self.rescale) if self.rescale else guided

    def _inputs_for(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Prompts and hole for the whole batch, on the device and in the dtype of the network: made once a run."""
        batch = x.shape[0]
        if batch not in self._inputs:
            tokens = torch.cat([_spread(prompt, batch, "prompt") for prompt in self.prompts])
            hole = self.hole
            if hole is not None:
                hole = torch.cat([_spread(hole, batch, "hole").to(x)] * len(self.prompts))
            self._inputs[batch] = tokens.to(x.device, getattr(self.unet, "dtype", x.dtype)), hole
        return self._inputs[batch]


def _spread(value: Tensor, batch: int, what: str) -> Tensor:
    if value.shape[0] not in (1, batch):
        raise ValueError(f"a batch of {batch} needs a {what} for all (1) or for each ({batch}), got {value.shape[0]}")
    return value.expand(batch, *value.shape[1:])


def _of_one_length(*prompts: Tensor) -> list[Tensor]:
    widths = {prompt.shape[2] for prompt in prompts}
    if len(widths) > 1:
        raise ValueError(f"positive and negative prompt need the same width, got {sorted(widths)}: encode both alike")
    length = math.lcm(*(prompt.shape[1] for prompt in prompts))
    return [prompt.repeat(1, length // prompt.shape[1], 1) for prompt in prompts]


def _rescaled(guided: Tensor, positive: Tensor, amount: float) -> Tensor:
    channels = tuple(range(1, guided.ndim))
    ratio = positive.std(dim=channels, keepdim=True) / guided.std(dim=channels, keepdim=True)
    return guided * torch.lerp(torch.ones_like(ratio), ratio, amount)
