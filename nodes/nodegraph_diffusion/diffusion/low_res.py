"""The small picture that upscaling models read beside the latent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from .noise import Draw


def augmented(pixels: Tensor, scheduler: Mapping[str, Any], level: int, draw: Draw) -> tuple[Tensor, int]:
    """The picture at the size of the latent, -1..1, with noise, and the noise level that the network is told.

    Noise conditioning augmentation (Ho et al. 2021, arXiv:2106.15282): the more noise hides the small picture, the less
    its faults are kept.

    Args:
        pixels: (B, 3, H, W), 0..1. Its right and lower border are repeated up to the latent's size.
        scheduler: The configuration of the noise that it was shown under in training; empty for none.
        level: A timestep of that scheduler.
        draw: The noise of the run.
    """
    rows, columns = draw.shape[2] - pixels.shape[2], draw.shape[3] - pixels.shape[3]
    shown = functional.pad(pixels, (0, columns, 0, rows), mode="replicate") * 2 - 1
    if not scheduler:
        return shown, 0
    from diffusers import DDPMScheduler

    noisy: Tensor = DDPMScheduler.from_config(dict(scheduler)).add_noise(
        shown, draw.beside(shown.shape[1]), torch.tensor([level])
    )
    return noisy, level
