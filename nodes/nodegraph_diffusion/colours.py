"""Colours of pictures: sRGB values, 0..1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .late import np

if TYPE_CHECKING:
    from .values import Floats


def rgb(colour: str) -> Floats:
    """`#rrggbb` as float32 (3, 1, 1), ready to stand for every pixel."""
    return np.array(list(bytes.fromhex(colour.removeprefix("#"))), np.float32).reshape(3, 1, 1) / np.float32(255)


def luminance(pixels: Floats) -> Floats:
    """Rec. 709 luma of (..., 3, H, W) as (..., H, W). A grey keeps its value exactly."""
    red, green, blue = (pixels[..., channel, :, :] for channel in range(3))
    # Weights times differences, not a plain weighted sum, whose rounding would move greys
    luma: Floats = green + np.float32(0.2126) * (red - green) + np.float32(0.0722) * (blue - green)
    return luma
