"""Masks without painting: by a filled area, by brightness, by what changed."""

from __future__ import annotations

from nodegraph import NodeError, node

from .colours import luminance
from .late import np
from .morphology import softened
from .params import Border, Feather, Unit
from .sizes import common_batch
from .values import Image, Mask


@node(version=1, category="mask")
def mask_flood(image: Image, x: Border = 0, y: Border = 0, tolerance: Unit = 0.1, diagonal: bool = False) -> Mask:
    """Select the area around a point that has its colour, as a paint bucket does.

    Args:
        image: Where to look.
        x: Which pixel to begin at, counted from the left edge.
        y: Which pixel to begin at, counted from the upper edge.
        tolerance: How far red, green and blue may each be from those of the point, of the whole range.
        diagonal: Whether pixels that only touch at a corner belong together.
    """
    from scipy.ndimage import label

    if x >= image.width or y >= image.height:
        message = f"the point {x}, {y} lies outside of the picture, which is {image.width} x {image.height} pixels"
        raise NodeError(f"{message}; move it", "x" if x >= image.width else "y")
    point = image.pixels[:, :, y, x]
    like = np.abs(image.pixels - point[:, :, None, None]).max(axis=1) <= np.float32(tolerance)
    joined = np.ones((3, 3), bool) if diagonal else None
    areas = np.stack([label(picture, joined)[0] for picture in like])
    return Mask((areas == areas[:, y, x][:, None, None]).astype(np.float32))


@node(version=1, category="mask")
def mask_luminance(image: Image, low: Unit = 0.5, high: Unit = 1.0, soft: Unit = 0.0) -> Mask:
    """Select what is bright, dark, or between.

    Args:
        image: Where to look.
        low: The least brightness that is selected.
        high: The greatest brightness that is selected.
        soft: How far beyond both the selection fades out, of the whole range.
    """
    if low > high:
        raise NodeError(f"selects from low to high, but low is {low:g} and high {high:g}; exchange them", "low")
    light = luminance(image.pixels)
    beyond = np.maximum(np.maximum(np.float32(low) - light, light - np.float32(high)), 0)
    return Mask(1 - (beyond / np.float32(soft)).clip(0, 1) if soft else (beyond == 0).astype(np.float32))


@node(version=1, category="mask")
def mask_difference(before: Image, after: Image, threshold: Unit = 0.05, feather: Feather = 0) -> Mask:
    """Select where two pictures differ.

    Args:
        before: A picture, or a batch of them.
        after: Of the same size: as many, or one.
        threshold: Select where red, green or blue differ by more than this, of the whole range.
        feather: Width in pixels of the soft edge around what is selected.
    """
    common_batch(("before", before.batch), ("after", after.batch))
    if (before.width, before.height) != (after.width, after.height):
        sizes = f"{before.width} x {before.height} and {after.width} x {after.height}"
        raise NodeError(f"pictures of one size can be compared, and these are {sizes} pixels; resize one", "after")
    apart = np.abs(before.pixels - after.pixels).max(axis=1) > np.float32(threshold)
    return Mask(softened(apart.astype(np.float32), feather))
