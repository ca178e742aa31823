"""How CLIP sees a picture: what IP-Adapters read."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
"""Of the pictures that CLIP was trained on (Radford et al. 2021, arXiv:2103.00020)."""


@torch.no_grad()
def seen(encoder: Any, pictures: NDArray[np.uint8], patches: bool) -> tuple[Tensor, Tensor]:
    """What CLIP's image encoder makes of pictures, and of no picture: float32 on the CPU.

    Args:
        pictures: (B, H, W, 3).
        patches: Read all of the last layer but one, (B, T, D); otherwise the whole picture as one vector, (B, 1, P),
            and no picture is zeros.
    """
    side = int(encoder.config.image_size)
    shown = torch.stack([_cropped(picture, side) for picture in pictures]).to(encoder.device, encoder.dtype)
    if not patches:
        vector = encoder(shown).image_embeds[:, None].float().cpu()
        return vector, torch.zeros_like(vector)
    found, none = (
        encoder(pixels, output_hidden_states=True).hidden_states[-2].float().cpu()
        for pixels in (shown, torch.zeros_like(shown))
    )
    return found, none


def _cropped(picture: NDArray[np.uint8], side: int) -> Tensor:
    """The middle square of a picture at the size and in the scale (3, side, side) that CLIP was trained with."""
    height, width = picture.shape[:2]
    short = min(height, width)
    size = (int(width * side / short), int(height * side / short))
    small = np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))
    top, left = (size[1] - side) // 2, (size[0] - side) // 2
    pixels = torch.from_numpy(small[top : top + side, left : left + side].copy()).permute(2, 0, 1) / 255
    mean, std = (torch.tensor(values)[:, None, None] for values in (MEAN, STD))
    return (pixels - mean) / std
