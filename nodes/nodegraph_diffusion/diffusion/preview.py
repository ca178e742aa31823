"""A picture of a latent at a thousandth of the decoder's cost: each cell becomes one pixel by a linear map."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Projection:
    """`rgb = latent @ matrix + bias`, in -1 to 1; `matrix` has a row for each latent channel."""

    matrix: tuple[tuple[float, float, float], ...]
    bias: tuple[float, float, float] = (0.0, 0.0, 0.0)


PROJECTIONS: Mapping[float, Projection] = {
    # Stable Diffusion 1 and 2; published by keturn, discuss.huggingface.co/t/decoding-latents-to-rgb/23204.
    0.18215: Projection(
        ((0.298, 0.207, 0.208), (0.187, 0.286, 0.173), (-0.158, 0.189, 0.264), (-0.184, -0.271, -0.473))
    ),
    # The shipped demo model: least squares over what its autoencoder makes of 300 scenes (R^2 0.95).
    1.0: Projection(
        (
            (-0.230, 0.127, 0.197),
            (0.125, 0.057, -0.003),
            (0.062, 0.041, 0.073),
            (-0.450, 0.125, 0.265),
            (-0.724, 0.068, 0.395),
            (0.354, -0.050, -0.169),
            (-0.262, 0.009, -0.003),
            (-0.485, -0.030, 0.391),
            (0.003, 0.161, 0.178),
            (-0.240, -0.248, -0.197),
            (-0.421, -0.233, -0.454),
            (0.997, -0.411, -0.549),
        ),
        (0.208, 0.002, -0.063),
    ),
}
"""By the scaling factor of the autoencoder, which tells latent spaces apart, beside the number of channels."""


def preview(latent: Tensor, scaling_factor: float | None) -> npt.NDArray[np.uint8]:
    """Show latents (B, C, h, w) beside each other as pixels (h, B * w, 3).

    A latent space without a projection shows its first three channels, each stretched over the whole range.

    Args:
        latent: Clean, multiplied by the autoencoder's scaling factor.
        scaling_factor: That factor, where there is one.
    """
    cells = latent.detach().float().cpu().permute(2, 0, 3, 1).flatten(1, 2)
    known = PROJECTIONS.get(scaling_factor or 0.0)
    if known is not None and len(known.matrix) == cells.shape[-1]:
        rgb = (cells @ torch.tensor(known.matrix) + torch.tensor(known.bias) + 1) / 2
    else:
        first = cells[..., [min(i, cells.shape[-1] - 1) for i in range(3)]]
        low, high = first.amin(dim=(0, 1)), first.amax(dim=(0, 1))
        rgb = (first - low) / (high - low).clamp(min=1e-6)
    pixels: npt.NDArray[np.uint8] = rgb.nan_to_num(0).mul(255).round().clamp(0, 255).byte().numpy()
    return pixels
