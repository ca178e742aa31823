"""Masks: painted, by colour or by shape, changed and combined."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from nodegraph import NodeError, Widget, node

from .colours import luminance, rgb
from .late import np
from .morphology import grown, softened
from .params import Colour, Feather, Offset, Pixels, Unit
from .picture_files import gather, picture_frames
from .sizes import common_batch
from .values import Image, Mask

if TYPE_CHECKING:
    from .values import Floats

Growth = Annotated[int, Field(ge=-512, le=512), Widget("number", step=1)]


@node(version=1, category="mask")
def mask(
    file: Annotated[Path | None, Widget("mask")] = None,
    mask: Mask | None = None,
    threshold: Unit = 0.0,
    invert: bool = False,
    grow: Growth = 0,
    feather: Feather = 0,
) -> Mask:
    """A mask from a painted file, or from another mask or picture; 1 is what is selected.

    The changes are made in the order threshold, invert, grow, feather.

    Args:
        file: A painted mask. Where the file has transparency anywhere, what is opaque is selected, in whatever colour
            it is painted; otherwise what is white is. Greys and half transparency select in part.
        mask: Used instead of a file. A picture can be linked too: its luminance selects.
        threshold: Select wholly what is selected by at least this much, and nothing else. 0 leaves it soft.
        invert: Select what was not selected.
        grow: Extend the selection by this many pixels in every direction. Below 0 shrinks it; the edges of the picture
            do not eat into it.
        feather: Width in pixels of a soft edge around the selection. What is selected stays so: to soften inwards,
            shrink first.
    """
    if (file is None) == (mask is None):
        given = "none is" if file is None else "both are"
        raise NodeError(f"needs a painted file or a linked mask, and {given} given; give one of them", "mask")
    values = _painted(file) if file is not None else mask.values  # type: ignore[union-attr]
    if threshold > 0:
        values = (values >= threshold).astype(np.float32)
    if invert:
        values = 1 - values
    return Mask(softened(grown(values, grow) if grow else values, feather))


def _painted(file: Path) -> Floats:
    with picture_frames(file) as frames:
        pixels, opacity = gather(frames)
    return luminance(pixels) if opacity is None or opacity.min() == 1 else opacity


@node(version=1, category="mask")
def mask_colour(image: Image, colour: Colour = "#00ff00", tolerance: Unit = 0.1) -> Mask:
    """Select every pixel of a colour.

    Args:
        image: Where to look.
        colour: What to look for.
        tolerance: How far red, green and blue may each be from it, of the whole range.
    """
    distance = np.abs(image.pixels - rgb(colour)).max(axis=1)
    return Mask((distance <= np.float32(tolerance)).astype(np.float32))


@node(version=1, category="mask")
def mask_box(
    image: Image, x: Offset = 0, y: Offset = 0, width: Pixels = 64, height: Pixels = 64,
    shape: Literal["box", "ellipse"] = "box",
) -> Mask:  # fmt: skip
    """Select a box, or the ellipse within it.

    Args:
        image: The picture that the mask is for; only its size matters.
        x: The box's left edge, in pixels from that of the picture.
        y: The box's upper edge, in pixels from that of the picture.
        width: The box's width in pixels. What lies outside of the picture is left away.
        height: The box's height in pixels.
        shape: What to select.
    """
    if x >= image.width or y >= image.height or x + width <= 0 or y + height <= 0:
        message = f"the box from {x}, {y} to {x + width}, {y + height} lies outside of the picture"
        raise NodeError(f"{message}, which is {image.width} x {image.height}; move it", "x")
    across = (np.arange(image.width) + 0.5 - x) / width * 2 - 1  # the centres of pixels: -1..1 within the box
    down = (np.arange(image.height) + 0.5 - y) / height * 2 - 1
    radius = np.hypot(down[:, None], across) if shape == "ellipse" else np.maximum(abs(down[:, None]), abs(across))
    return Mask((radius <= 1).astype(np.float32)[None])


@node(version=1, category="mask")
def combine_masks(
    first: Mask, second: Mask, how: Literal["add", "subtract", "intersect", "difference"] = "add"
) -> Mask:
    """Make one mask of two of the same size.

    Args:
        first: A mask, or a batch of them.
        second: As many, or one; a single one goes with every one of a batch.
        how: What either selects, what the first selects and the second does not, what both select, or what only one
            of them selects.
    """
    common_batch(("first", first.batch), ("second", second.batch))
    if (first.width, first.height) != (second.width, second.height):
        sizes = f"{first.width} x {first.height} and {second.width} x {second.height}"
        raise NodeError(f"masks of one size can be combined, and these are {sizes} pixels; resize one", "second")
    a, b = first.values, second.values
    match how:
        case "add":
            return Mask(np.maximum(a, b))
        case "subtract":
            return Mask(np.minimum(a, 1 - b))
        case "intersect":
            return Mask(np.minimum(a, b))
        case "difference":
            return Mask(np.abs(a - b))
