"""Growing and softening of masks: arrays (B, H, W), 0..1. What lies outside the picture has no influence."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .late import np

if TYPE_CHECKING:
    from .values import Floats


def grown(values: Floats, radius: float) -> Floats:
    """Grey dilation with a disc: every pixel gets the largest value within `radius` pixels (Euclidean) of it.

    A negative radius erodes, by the smallest value.
    """
    if radius < 0:
        return -grown(-values, -radius)
    from scipy.ndimage import maximum_filter1d

    made = values.copy()
    height = values.shape[1]
    for dy in range(min(math.floor(radius), height - 1) + 1):
        half = math.isqrt(math.floor(radius * radius) - dy * dy)
        row = maximum_filter1d(values, 2 * half + 1, axis=2, mode="constant", cval=-math.inf)
        np.maximum(made[:, dy:], row[:, : height - dy], out=made[:, dy:])
        np.maximum(made[:, : height - dy], row[:, dy:], out=made[:, : height - dy])
    return made


def softened(values: Floats, width: float) -> Floats:
    """Give the selection a soft edge of `width` pixels outside of it: what is selected keeps its value.

    The edge is that of a selection grown by half the width and blurred with a Gaussian that ends (at three sigma) where
    the selection began, so it falls from 1 to 0 with no step at either end.
    """
    if width <= 0:
        return values
    from scipy.ndimage import gaussian_filter

    blurred = gaussian_filter(grown(values, width / 2), (0, width / 6, width / 6), mode="nearest", truncate=3)
    return np.maximum(values, blurred).clip(0, 1)
