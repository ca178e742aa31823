"""What a gallery needs of a picture: its size, a small version, and a hash of what it looks like."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..pictures import open_picture

if TYPE_CHECKING:
    from PIL.Image import Image

EDGE = 320
"""Pixels of a thumbnail's longer side, at most."""
SIDE, KEPT = 32, 8
"""The hash is of the lowest KEPT x KEPT frequencies of the picture at SIDE x SIDE."""


class Likeness(NamedTuple):
    width: int
    height: int
    hash: int
    thumbnail: bytes


def likeness(path: Path) -> Likeness | None:
    """Of the first frame; None for a file that is no picture."""
    try:
        with open_picture(path) as picture:
            width, height = picture.size
            colours = picture.convert("RGB")
            return Likeness(width, height, perceptual_hash(colours), thumbnail(colours))
    except (OSError, ValueError):
        return None


def thumbnail(picture: Image) -> bytes:
    """As WebP, of at most `EDGE` pixels a side."""
    small = picture.copy()
    small.thumbnail((EDGE, EDGE))
    file = io.BytesIO()
    small.save(file, "webp", quality=80)
    return file.getvalue()


def perceptual_hash(picture: Image) -> int:
    """63 bits: which of the lowest frequencies of the brightness (but its mean) lie above their median.

    Pictures that were scaled, recoded or brightened differ in few bits.
    """
    import numpy as np

    grey = np.asarray(picture.convert("L").resize((SIDE, SIDE)), np.float64)
    angles = (np.arange(SIDE) + 0.5) * math.pi / SIDE
    cosines = np.cos(np.arange(KEPT)[:, None] * angles)
    low = (cosines @ grey @ cosines.T).ravel()[1:]
    bits = low > np.median(low)
    return int("".join("1" if bit else "0" for bit in bits), 2)
