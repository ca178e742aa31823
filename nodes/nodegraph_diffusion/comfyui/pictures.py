"""Pictures as ComfyUI makes, turns, extends and counts them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

from pydantic import Field

from nodegraph import Widget, node

from ..late import np
from ..params import Count, Pixels
from ..sizes import check_size
from ..values import Image, Mask
from .scaling import scaled

if TYPE_CHECKING:
    from ..values import Floats

CATEGORY = "ComfyUI"
Side = Annotated[int, Field(ge=0, le=16384), Widget("number", step=8)]
Index = Annotated[int, Field(ge=0, le=4095), Widget("number", step=1)]
Gap = Annotated[int, Field(ge=0, le=1024), Widget("number", step=2)]


class Padded(NamedTuple):
    image: Image
    mask: Mask


class Size(NamedTuple):
    width: int
    height: int
    batch_size: int


@node(version=1, title="ImagePadForOutpaint", category=CATEGORY)
def ImagePadForOutpaint(
    image: Image, left: Side = 0, top: Side = 0, right: Side = 0, bottom: Side = 0,
    feathering: Annotated[int, Field(ge=0, le=16384), Widget("number", step=1)] = 40,
) -> Padded:  # fmt: skip
    """Add a grey border to a picture, to be painted.

    Args:
        left: Pixels to add on the left.
        top: Pixels to add above.
        right: Pixels to add on the right.
        bottom: Pixels to add below.
        feathering: How far the mask reaches into the picture, less and less. None in pictures less than twice as large.
    Returns:
        image: The larger picture.
        mask: The border.
    """
    width, height = left + image.width + right, top + image.height + bottom
    check_size(width, height, image.batch, "image")
    pixels = np.full((image.batch, 3, height, width), 0.5, np.float32)
    place = np.s_[..., top : top + image.height, left : left + image.width]
    pixels[place] = image.pixels
    mask = np.ones((1, height, width), np.float32)
    mask[place] = 0
    if feathering > 0 and feathering * 2 < min(image.height, image.width):
        rows, columns = np.arange(image.height)[:, None], np.arange(image.width)[None]
        distance = np.full((image.height, image.width), feathering)
        for border, far in (
            (top, rows),
            (bottom, image.height - rows),
            (left, columns),
            (right, image.width - columns),
        ):
            if border:
                distance = np.minimum(distance, far)
        mask[place] = ((feathering - distance) / feathering) ** 2
    return Padded(Image(pixels), Mask(mask))


@node(version=1, title="ImageInvert", category=CATEGORY)
def ImageInvert(image: Image) -> Image:
    """Turn light into dark."""
    return Image(1 - image.pixels)


@node(version=1, title="ImageFlip", category=CATEGORY)
def ImageFlip(
    image: Image, flip_method: Literal["x-axis: vertically", "y-axis: horizontally"] = "x-axis: vertically"
) -> Image:
    """Mirror a picture.

    Args:
        flip_method: Top to bottom, or left to right.
    """
    return Image(image.pixels[:, :, ::-1] if flip_method.startswith("x") else image.pixels[:, :, :, ::-1])


@node(version=1, title="ImageRotate", category=CATEGORY)
def ImageRotate(image: Image, rotation: Literal["none", "90 degrees", "180 degrees", "270 degrees"] = "none") -> Image:
    """Turn a picture by right angles.

    Args:
        rotation: Clockwise.
    """
    turns = 0 if rotation == "none" else int(rotation.split()[0]) // 90
    return Image(np.rot90(image.pixels, -turns, (2, 3)))


@node(version=1, title="RepeatImageBatch", category=CATEGORY)
def RepeatImageBatch(image: Image, amount: Count = 1) -> Image:
    """Repeat a batch of pictures.

    Args:
        amount: How often it is there in the end.
    """
    check_size(image.width, image.height, image.batch * amount, "amount")
    return Image(np.concatenate([image.pixels] * amount))


@node(version=1, title="EmptyImage", category=CATEGORY)
def EmptyImage(
    width: Pixels = 512, height: Pixels = 512, batch_size: Count = 1,
    color: Annotated[int, Field(ge=0, le=0xFFFFFF), Widget("number", step=1)] = 0,
) -> Image:  # fmt: skip
    """A picture of one colour.

    Args:
        width: In pixels.
        height: In pixels.
        batch_size: How many.
        color: As one number: red * 65536 + green * 256 + blue.
    """
    check_size(width, height, batch_size, "width")
    parts = np.array([color >> 16, color >> 8 & 255, color & 255], np.float32) / np.float32(255)
    return Image(np.broadcast_to(parts[:, None, None], (batch_size, 3, height, width)))


@node(version=1, title="ImageFromBatch", category=CATEGORY)
def ImageFromBatch(image: Image, batch_index: Index = 0, length: Count = 1) -> Image:
    """Take pictures out of a batch.

    Args:
        batch_index: The first, counted from 0; beyond the last it is that one.
        length: How many.
    """
    first = min(batch_index, image.batch - 1)
    return Image(image.pixels[first : first + length])


@node(version=1, title="RebatchImages", category=CATEGORY)
def RebatchImages(images: Image, batch_size: Count = 1) -> list[Image]:
    """Part a batch of pictures into smaller ones, which are worked on one after the other.

    Args:
        batch_size: How many are in each.
    """
    return [Image(images.pixels[start : start + batch_size]) for start in range(0, images.batch, batch_size)]


@node(version=1, title="GetImageSize", category=CATEGORY)
def GetImageSize(image: Image) -> Size:
    """The size of a picture, and how many there are.

    Returns:
        width: In pixels.
        height: In pixels.
        batch_size: How many pictures the batch has.
    """
    return Size(image.width, image.height, image.batch)


@node(version=1, title="ImageStitch", category=CATEGORY)
def ImageStitch(
    image1: Image, direction: Literal["right", "down", "left", "up"] = "right", match_image_size: bool = True,
    spacing_width: Gap = 0, spacing_color: Literal["white", "black", "red", "green", "blue"] = "white",
    image2: Image | None = None,
) -> Image:  # fmt: skip
    """Put a picture beside another.

    Args:
        direction: Where the second lies.
        match_image_size: Bring the second to the height of the first, or to its width where it lies below or above.
            Otherwise the smaller one is set in black.
        spacing_width: Pixels between them.
        spacing_color: What is between them.
        image2: The second. Without it the first is given on.
    """
    if image2 is None:
        return image1
    beside = direction in ("right", "left")
    one, other = image1.pixels, image2.pixels
    if match_image_size:
        if beside:
            width, height = max(1, int(image1.height * image2.width / image2.height)), image1.height
        else:
            width, height = image1.width, max(1, int(image1.width * image2.height / image2.width))
        other = scaled(other, width, height, "lanczos")
    across = 2 if beside else 3
    longest = max(one.shape[across], other.shape[across])
    batch = max(len(one), len(other))
    parts = [_centred(_filled(each, batch), across, longest) for each in (one, other)]
    if spacing_width:
        shape = [batch, 3, longest, longest]
        shape[5 - across] = spacing_width + spacing_width % 2
        colour = np.asarray(COLOURS[spacing_color], np.float32)
        parts.insert(1, np.broadcast_to(colour[:, None, None], shape))
    return Image(np.concatenate(parts if direction in ("right", "down") else parts[::-1], axis=5 - across))


COLOURS = {"white": (1, 1, 1), "black": (0, 0, 0), "red": (1, 0, 0), "green": (0, 1, 0), "blue": (0, 0, 1)}


def _filled(pixels: Floats, batch: int) -> Floats:
    """A batch made as long by repeating its last picture."""
    return pixels if len(pixels) == batch else np.concatenate([pixels, pixels[-1:].repeat(batch - len(pixels), axis=0)])


def _centred(pixels: Floats, axis: int, length: int) -> Floats:
    """A picture in the middle of black, so long along an axis."""
    before = (length - pixels.shape[axis]) // 2
    edges = [(0, 0)] * 4
    edges[axis] = (before, length - pixels.shape[axis] - before)
    return np.pad(pixels, edges)
