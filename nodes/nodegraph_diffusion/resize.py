"""Other sizes of a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from nodegraph import NodeError, Widget, node

from .colours import rgb
from .late import np
from .params import Colour, Filter
from .resampling import Box, resampled
from .sizes import check_size
from .values import Image

if TYPE_CHECKING:
    from .values import Floats

Side = Annotated[int, Field(ge=0, le=16384), Widget("number", step=8)]
Factor = Annotated[float, Field(gt=0, le=64), Widget("number", step=0.25)]


@node(version=1, category="image")
def resize(
    image: Image,
    width: Side = 0,
    height: Side = 0,
    factor: Factor = 1.0,
    mode: Literal["fill", "fit", "pad", "stretch"] = "fill",
    filter: Filter = "lanczos",
    background: Colour = "#000000",
) -> Image:
    """Change the size of a picture: to a width and a height, or by a factor.

    A mask can be linked too: it passes as a grey picture, and back into a mask where one is needed.

    Args:
        image: A picture, or a batch of them.
        width: In pixels. 0 follows from the height and keeps the proportions.
        height: In pixels. 0 follows from the width.
        factor: Of the picture's own size, where neither width nor height is given.
        mode: Where width and height ask for other proportions: fill them and cut off what is too much on both sides,
            fit inside them (one side gets shorter than asked), pad that with the background, or stretch.
        filter: How pixels are averaged. Lanczos is sharpest, area is the plain mean, nearest keeps hard pixels.
        background: What "pad" fills with.
    """
    if not (width or height):
        made_width, made_height = round(image.width * factor), round(image.height * factor)
    elif factor != 1:
        raise NodeError(f"takes a width and a height or a factor, and {factor:g} is given beside them", "factor")
    else:
        made_width = width or max(1, round(image.width * height / image.height))
        made_height = height or max(1, round(image.height * width / image.width))
    check_size(made_width, made_height, image.batch, "width" if width or height else "factor")
    if not (width and height) or mode == "stretch":
        return Image(resampled(image.pixels, made_width, made_height, filter))
    if mode == "fill":
        return Image(resampled(image.pixels, width, height, filter, _centre(image, width / height)))
    scale = min(width / image.width, height / image.height)
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    fitted = resampled(image.pixels, *size, filter)
    return Image(fitted if mode == "fit" else _padded(fitted, width, height, background))


def _centre(image: Image, proportion: float) -> Box:
    """The largest part around the middle that is `proportion` times as wide as high."""
    width = min(image.width, image.height * proportion)
    height = min(image.height, image.width / proportion)
    left, top = (image.width - width) / 2, (image.height - height) / 2
    return left, top, left + width, top + height


def _padded(pixels: Floats, width: int, height: int, background: str) -> Floats:
    made = np.empty((*pixels.shape[:2], height, width), np.float32)
    made[:] = rgb(background)
    top, left = (height - pixels.shape[2]) // 2, (width - pixels.shape[3]) // 2
    made[:, :, top : top + pixels.shape[2], left : left + pixels.shape[3]] = pixels
    return made
