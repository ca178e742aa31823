"""Sizes as ComfyUI changes them: PyTorch's interpolation, which takes no account of pixels that it leaves out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ..late import np

if TYPE_CHECKING:
    from ..values import Floats

Method = Literal["nearest-exact", "bilinear", "area", "bicubic", "lanczos"]
LatentMethod = Literal["nearest-exact", "bilinear", "area", "bicubic", "bislerp"]
Crop = Literal["disabled", "center"]


def scaled(values: Floats, width: int, height: int, method: Method | LatentMethod, crop: Crop = "disabled") -> Floats:
    """`values` (B, C, H, W) as (B, C, height, width).

    Args:
        method: "lanczos" works on bytes, as it does there. "bislerp" is bilinear, but turns a cell's channels as one
            vector into its neighbour's, so that their length does not shrink between.
        crop: "center" first cuts off what is too much for the new proportions on both sides.
    """
    import torch
    from torch.nn import functional

    cut = _centre(values, width / height) if crop == "center" else values
    if method == "lanczos":
        return _lanczos(cut, width, height)
    if method == "bislerp":
        return _bislerp(_bislerp(cut, width, 3), height, 2)
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


def _bislerp(values: Floats, length: int, axis: int) -> Floats:
    old = values.shape[axis]
    at = np.clip((np.arange(length) + 0.5) * (old / length) - 0.5, 0, old - 1)
    first = at.astype(np.int64)
    shape = [1] * values.ndim
    shape[axis] = length
    part = (at - first).astype(np.float32).reshape(shape)
    return _slerp(values.take(first, axis), values.take(np.minimum(first + 1, old - 1), axis), part)


def _slerp(one: Floats, other: Floats, part: Floats) -> Floats:
    """Vectors along axis 1 turned from `one` towards `other`, with lengths between (Shoemake 1985)."""
    lengths = [np.linalg.norm(v, axis=1, keepdims=True) for v in (one, other)]
    units = [v / np.where(length == 0, 1, length) for v, length in zip((one, other), lengths, strict=True)]
    cosine = (units[0] * units[1]).sum(axis=1, keepdims=True)
    angle = np.arccos(cosine.clip(-1, 1))
    sine = np.where(np.sin(angle) == 0, 1, np.sin(angle))
    turned = (np.sin((1 - part) * angle) * units[0] + np.sin(part * angle) * units[1]) / sine
    made = turned * (lengths[0] * (1 - part) + lengths[1] * part)
    made = np.where(cosine > 1 - 1e-5, one, made)
    made = np.where(cosine < 1e-5 - 1, one * (1 - part) + other * part, made)
    return np.asarray(made, np.float32)


def _lanczos(values: Floats, width: int, height: int) -> Floats:
    from PIL import Image

    made = np.empty((*values.shape[:2], height, width), np.float32)
    for index in np.ndindex(*values.shape[:2]):
        plane = Image.fromarray((values[index] * 255).clip(0, 255).astype(np.uint8))
        made[index] = np.asarray(plane.resize((width, height), Image.Resampling.LANCZOS), np.float32)
    made /= np.float32(255)
    return made
