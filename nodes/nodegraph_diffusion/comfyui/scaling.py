"""Sizes as ComfyUI changes them: PyTorch's interpolation, which takes no account of pixels that it leaves out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from ..values import Floats

Method = Literal["nearest-exact", "bilinear", "area", "bicubic", "lanczos"]
LatentMethod = Literal["nearest-exact", "bilinear", "area", "bicubic"]
Crop = Literal["disabled", "center"]


def scaled(values: Floats, width: int, height: int, method: Method, crop: Crop = "disabled") -> Floats:
    """`values` (B, C, H, W) as (B, C, height, width).

    Args:
        method: "lanczos" works on bytes, as it does there.
        crop: "center" first cuts off what is too much for the new proportions on both sides.
    """
    import torch
    from torch.nn import functional

    cut = _centre(values, width / height) if crop == "center" else values
    if method == "lanczos":
        return _lanczos(cut, width, height)
    # Copied, since PyTorch wants to be able to write
    made = functional.interpolate(torch.from_numpy(cut.copy()), (height, width), mode=method)
    return np.asarray(made.numpy(), np.float32)


def _centre(values: Floats, proportion: float) -> Floats:
    height, width = values.shape[2:]
    x = y = 0
    if width / height > proportion:
        x = round((width - width * (proportion / (width / height))) / 2)
    elif width / height < proportion:
        y = round((height - height * (width / height / proportion)) / 2)
    return values[:, :, y : height - y, x : width - x]


def _lanczos(values: Floats, width: int, height: int) -> Floats:
    from PIL import Image

    made = np.empty((*values.shape[:2], height, width), np.float32)
    for index in np.ndindex(*values.shape[:2]):
        plane = Image.fromarray((values[index] * 255).clip(0, 255).astype(np.uint8))
        made[index] = np.asarray(plane.resize((width, height), Image.Resampling.LANCZOS), np.float32)
    made /= np.float32(255)
    return made
