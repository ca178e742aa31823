"""Changing the number of pixels in float32, with no step through bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .late import np

if TYPE_CHECKING:
    from .params import Filter
    from .values import Floats

Box = tuple[float, float, float, float]


def resampled(pixels: Floats, width: int, height: int, filter: Filter, box: Box | None = None) -> Floats:
    """`pixels` (B, C, H, W), 0..1, as (B, C, height, width), 0..1.

    Args:
        filter: Every one but "nearest" averages over all pixels that a smaller picture leaves out, so nothing flickers.
            "area" is the plain mean; enlarging, it repeats pixels as "nearest" does.
        box: The part to take: left, top, right, bottom in pixels, which may be fractions.
    """
    from PIL import Image

    kinds = Image.Resampling
    kind = {"lanczos": kinds.LANCZOS, "bicubic": kinds.BICUBIC, "bilinear": kinds.BILINEAR, "area": kinds.BOX}
    made = np.empty((*pixels.shape[:2], height, width), np.float32)
    for index in np.ndindex(*pixels.shape[:2]):
        plane = Image.fromarray(np.ascontiguousarray(pixels[index]))
        made[index] = plane.resize((width, height), kind.get(filter, kinds.NEAREST), box)
    return made.clip(0, 1, out=made)  # lanczos and bicubic overshoot at edges
