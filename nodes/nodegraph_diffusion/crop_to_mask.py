"""The part of a picture around a hole, in the size that a model works best in."""

from __future__ import annotations

import math
from typing import Annotated, NamedTuple

from pydantic import Field

from nodegraph import NodeError, Widget, node

from .late import np
from .regions import Region
from .resampling import resampled
from .sizes import check_size, common_batch
from .values import Image, Mask

Context = Annotated[float, Field(ge=1, le=16), Widget("slider", min=1, max=4, step=0.1)]
Side = Annotated[int, Field(ge=0, le=8192), Widget("number", step=64)]
ENLARGED = 4
"""A region gets at most this many times larger: more shows the model nothing but blur."""
MULTIPLE = 8


class CroppedToMask(NamedTuple):
    image: Image
    mask: Mask
    region: Region


@node(version=1, category="image")
def crop_to_mask(image: Image, mask: Mask, context: Context = 2.0, size: Side = 512) -> CroppedToMask:
    """Cut out what a mask selects with some of its surroundings, and bring it to a model's size.

    A small hole in a large picture then gets all of the model's resolution. Paste puts the result back. The region is
    square where the picture is large enough; one of an empty mask is the whole picture.

    Args:
        image: A picture, or a batch of them; all are cut alike.
        mask: What is selected, of the picture's size. The region holds every pixel that is selected even in part.
        context: How much larger than what is selected the region is, in width and height.
        size: Pixels of the longer side of the result: what the model was trained on, such as 512. 0 keeps the pixels as
            they are.
    Returns:
        image: The region.
        mask: The mask in the region, of the same size.
        region: Where it lies, for Paste.
    """
    if (mask.width, mask.height) != (image.width, image.height):
        sizes = f"{mask.width} x {mask.height}, the picture {image.width} x {image.height}"
        raise NodeError(f"needs a mask in the size of the picture, and the mask is {sizes}; resize one", "mask")
    common_batch(("image", image.batch), ("mask", mask.batch))
    region = region_around(mask, context, math.ceil(size / ENLARGED))
    pixels, values = image.pixels[..., *region.part], mask.values[..., *region.part]
    if size:
        scale = size / max(region.width, region.height)
        width, height = (max(1, round(side * scale / MULTIPLE)) * MULTIPLE for side in (region.width, region.height))
        check_size(width, height, image.batch, "size")
        pixels = resampled(pixels, width, height, "lanczos")
        values = resampled(values[:, None], width, height, "bilinear")[:, 0]
    return CroppedToMask(Image(pixels), Mask(values), region)


def region_around(mask: Mask, context: float, least: int) -> Region:
    """The region around everything selected, at least `least` pixels wide and high where the picture is.

    With nothing selected it is the whole picture.
    """
    selected = mask.values.max(axis=0) > 0
    rows, columns = np.flatnonzero(selected.any(axis=1)), np.flatnonzero(selected.any(axis=0))
    if not len(rows):
        return Region(0, 0, mask.width, mask.height)
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    side = max(math.ceil(max(bottom - top, right - left) * context), least)
    width, height = min(side, mask.width), min(side, mask.height)
    return Region(
        _start(int(left), int(right), width, mask.width),
        _start(int(top), int(bottom), height, mask.height),
        width,
        height,
    )


def _start(first: int, last: int, length: int, whole: int) -> int:
    """Where a span of `length` begins that holds `first` to `last` in its middle, within `whole`."""
    return min(max((first + last - length) // 2, 0), whole - length)
