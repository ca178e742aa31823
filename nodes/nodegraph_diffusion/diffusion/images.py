"""How CLIP and SigLIP see a picture: what IP-Adapters and style models read."""

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
def seen(encoder: Any, pictures: NDArray[np.uint8], patches: bool, black: bool = False) -> tuple[Tensor, Tensor]:
    """What CLIP's image encoder makes of pictures, and of no picture: float32 on the CPU.

    Args:
        pictures: (B, H, W, 3).
        patches: Read all of the last layer but one, (B, T, D); otherwise the whole picture as one vector, (B, 1, P),
            and no picture is zeros.
        black: No picture is a black one.
    """
    side = int(encoder.config.image_size)
    shown = torch.stack([_cropped(picture, side) for picture in pictures]).to(encoder.device, encoder.dtype)
    if not patches:
        vector = encoder(shown).image_embeds[:, None].float().cpu()
        if not black:
            return vector, torch.zeros_like(vector)
        return vector, seen(encoder, np.zeros_like(pictures), patches)[0]
    found, none = (
        encoder(pixels, output_hidden_states=True).hidden_states[-2].float().cpu()
        for pixels in (shown, torch.zeros_like(shown))
    )
    return found, none


@torch.no_grad()
def patches_seen(encoder: Any, pictures: NDArray[np.uint8], whole: bool) -> tuple[Tensor, Tensor | None]:
    """What an image encoder makes of the patches of pictures, and CLIP's of each as a whole: float32 (B, T, D) and
    (B, P) on the CPU.

    Args:
        pictures: (B, H, W, 3).
        whole: Squeeze them into a square, instead of looking at their middle one.
    """
    side = int(encoder.config.image_size)
    if hasattr(encoder, "visual_projection"):
        shown = torch.stack([_cropped(picture, side, whole) for picture in pictures])
    else:
        shown = torch.stack([_square(picture, side, whole) for picture in pictures]) * 2 - 1
    made = encoder(shown.to(encoder.device, encoder.dtype))
    vectors = made.get("image_embeds")
    return made.last_hidden_state.float().cpu(), None if vectors is None else vectors.float().cpu()


def _cropped(picture: NDArray[np.uint8], side: int, whole: bool = False) -> Tensor:
    """The middle square of a picture, or the whole squeezed into one, at the size and in the scale (3, side, side) that
    CLIP was trained with."""
    mean, std = (torch.tensor(values)[:, None, None] for values in (MEAN, STD))
    return (_square(picture, side, whole) - mean) / std


def _square(picture: NDArray[np.uint8], side: int, whole: bool = False) -> Tensor:
    """The middle square of a picture, or the whole squeezed into one: (3, side, side), 0..1."""
    height, width = picture.shape[:2]
    short = min(height, width)
    size = (side, side) if whole else (int(width * side / short), int(height * side / short))
    small = np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))
    top, left = (size[1] - side) // 2, (size[0] - side) // 2
    return torch.from_numpy(small[top : top + side, left : left + side].copy()).permute(2, 0, 1) / 255
