"""Masks as ComfyUI changes them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from nodegraph import Widget, node

from ..late import np
from ..params import Pixels, Unit
from ..sizes import check_size, common_batch
from ..values import Image, Mask

CATEGORY = "ComfyUI"
Edge = Annotated[int, Field(ge=0, le=16384), Widget("number", step=1)]
Growth = Annotated[int, Field(ge=-16384, le=16384), Widget("number", step=1)]


@node(version=1, title="GrowMask", category=CATEGORY)
def GrowMask(mask: Mask, expand: Growth = 0, tapered_corners: bool = True) -> Mask:
    """Grow a mask pixel by pixel, or shrink it.

    Args:
        expand: By how many pixels. Below 0 it shrinks.
        tapered_corners: Grow in four directions, so that corners become slanted, instead of in eight.
    """
    from scipy.ndimage import grey_dilation, grey_erosion

    corner = not tapered_corners
    around = np.array([[[corner, 1, corner], [1, 1, 1], [corner, 1, corner]]], bool)
    values = mask.values
    change = grey_erosion if expand < 0 else grey_dilation
    for _ in range(min(abs(expand), mask.width + mask.height)):  # after so many nothing changes
        values = change(values, footprint=around)
    return Mask(values)


@node(version=1, title="FeatherMask", category=CATEGORY)
def FeatherMask(mask: Mask, left: Edge = 0, top: Edge = 0, right: Edge = 0, bottom: Edge = 0) -> Mask:
    """Let a mask fade towards the edges of the picture.

    Args:
        left: How many pixels wide it fades on the left.
        top: How many pixels high it fades above.
        right: How many pixels wide it fades on the right.
        bottom: How many pixels high it fades below.
    """
    # There the ramps on the right and below begin one pixel further, which is the first on the other side.
    across = _ramp(mask.width, left) * np.roll(_ramp(mask.width, right)[::-1], 1)
    down = _ramp(mask.height, top) * np.roll(_ramp(mask.height, bottom)[::-1], 1)
    return Mask(mask.values * across * down[:, None])


def _ramp(length: int, width: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    made = np.ones(length, np.float32)
    width = min(width, length)
    made[:width] = np.arange(1, width + 1, dtype=np.float32) / max(width, 1)
    return made


@node(version=1, title="ImageToMask", category=CATEGORY)
def ImageToMask(image: Image, channel: Literal["red", "green", "blue"] = "red") -> Mask:
    """Take one colour of a picture as a mask.

    Args:
        channel: Which one.
    """
    return Mask(image.pixels[:, ("red", "green", "blue").index(channel)])


@node(version=1, title="MaskToImage", category=CATEGORY)
def MaskToImage(mask: Mask) -> Image:
    """Show a mask as a picture: white where it selects."""
    return Image(mask.values[:, None].repeat(3, axis=1))


@node(version=1, title="SolidMask", category=CATEGORY)
def SolidMask(value: Unit = 1.0, width: Pixels = 512, height: Pixels = 512) -> Mask:
    """A mask that is the same everywhere.

    Args:
        value: How much it selects.
        width: In pixels.
        height: In pixels.
    """
    check_size(width, height, port="width")
    return Mask(np.full((1, height, width), value, np.float32))


@node(version=1, title="MaskComposite", category=CATEGORY)
def MaskComposite(
    destination: Mask, source: Mask, x: Edge = 0, y: Edge = 0,
    operation: Literal["multiply", "add", "subtract", "and", "or", "xor"] = "multiply",
) -> Mask:  # fmt: skip
    """Combine a mask with another that lies somewhere on it.

    Args:
        destination: The mask below; the result has its size.
        source: The mask on top.
        x: Where its left edge lies, in pixels.
        y: Where its upper edge lies, in pixels.
        operation: What becomes of the two. The last three take them as hard at one half.
    """
    batch = common_batch(("destination", destination.batch), ("source", source.batch))
    made = destination.values.repeat(batch // destination.batch, axis=0)
    place = np.s_[:, y : y + source.height, x : x + source.width]
    below = made[place]
    above = source.values[:, : below.shape[1], : below.shape[2]]
    hard_below, hard_above = np.rint(below).astype(bool), np.rint(above).astype(bool)
    match operation:
        case "multiply":
            made[place] = below * above
        case "add":
            made[place] = below + above
        case "subtract":
            made[place] = below - above
        case "and":
            made[place] = hard_below & hard_above
        case "or":
            made[place] = hard_below | hard_above
        case "xor":
            made[place] = hard_below ^ hard_above
    return Mask(made.clip(0, 1))
