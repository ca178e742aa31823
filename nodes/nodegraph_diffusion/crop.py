"""Less of a picture, or more of it."""

from __future__ import annotations

from typing import Literal, NamedTuple

from nodegraph import NodeError, node

from .colours import rgb
from .late import np
from .morphology import softened
from .params import Border, Colour, Feather
from .sizes import check_size
from .values import Image, Mask


class Padded(NamedTuple):
    image: Image
    mask: Mask


@node(version=1, category="image")
def crop(image: Image, x: Border = 0, y: Border = 0, width: Border = 0, height: Border = 0) -> Image:
    """Cut a rectangle out of a picture.

    A mask can be linked too: it passes as a grey picture, and back into a mask where one is needed.

    Args:
        image: What to cut from.
        x: The rectangle's left edge in pixels.
        y: Its upper edge in pixels.
        width: In pixels. 0 reaches to the right edge of the picture.
        height: In pixels. 0 reaches to the lower edge.
    """
    right, bottom = x + width if width else image.width, y + height if height else image.height
    if x >= right or y >= bottom or right > image.width or bottom > image.height:
        port = "x" if x >= image.width else "y" if y >= image.height else "width" if right > image.width else "height"
        asked = f"the rectangle from {x}, {y} to {max(x, right)}, {max(y, bottom)}"
        message = f"{asked} does not lie within the picture, which is {image.width} x {image.height} pixels"
        raise NodeError(f"{message}; make it smaller, or make the picture larger with Pad", port)
    return Image(image.pixels[:, :, y:bottom, x:right])


@node(version=1, category="image")
def pad(
    image: Image,
    left: Border = 0,
    top: Border = 0,
    right: Border = 0,
    bottom: Border = 0,
    fill: Literal["edge", "mirror", "colour"] = "edge",
    colour: Colour = "#808080",
    feather: Feather = 0,
) -> Padded:
    """Add a border to a picture, to be painted by outpainting or as a frame.

    Args:
        image: What lies in the middle.
        left: Pixels to add on the left.
        top: Pixels to add above.
        right: Pixels to add on the right.
        bottom: Pixels to add below.
        fill: What the border shows: the outermost pixels drawn out, the picture mirrored, or a colour.
        colour: Of the border, where it is filled with one.
        feather: Pixels of the old picture at its seams that the mask selects too, less and less.
    Returns:
        image: The larger picture.
        mask: The border.
    """
    check_size(left + image.width + right, top + image.height + bottom, image.batch, "image")
    borders = ((0, 0), (0, 0), (top, bottom), (left, right))
    pixels = np.pad(image.pixels, borders, "reflect" if fill == "mirror" else "edge")
    border = np.ones((1, *pixels.shape[2:]), np.float32)
    border[:, top : top + image.height, left : left + image.width] = 0
    if fill == "colour":
        pixels = np.where(border[:, None] == 1, rgb(colour), pixels)
    return Padded(Image(pixels), Mask(softened(border, feather)))
