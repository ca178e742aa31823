"""Pictures as ComfyUI changes them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

from pydantic import Field

from nodegraph import Widget, node

from ..canny import traced
from ..late import np
from ..params import Count, Pixels, Unit
from ..sizes import check_size, common_batch
from ..values import Image, Mask
from .scaling import Crop, Method, scaled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..values import Floats

CATEGORY = "ComfyUI"
Radius = Annotated[int, Field(ge=1, le=31), Widget("number", step=1)]
Sigma = Annotated[float, Field(ge=0.1, le=10), Widget("number", step=0.1)]
Threshold = Annotated[float, Field(ge=0.01, le=0.99), Widget("number", step=0.01)]
Side = Annotated[int, Field(ge=0, le=16384), Widget("number", step=8)]
Factor = Annotated[float, Field(ge=0.01, le=8), Widget("number", step=0.01)]
Gap = Annotated[int, Field(ge=0, le=1024), Widget("number", step=2)]


class Padded(NamedTuple):
    image: Image
    mask: Mask


class Size(NamedTuple):
    width: int
    height: int
    batch_size: int


@node(version=1, title="ImageScale", category=CATEGORY)
def ImageScale(
    image: Image, upscale_method: Method = "nearest-exact", width: Side = 512, height: Side = 512,
    crop: Crop = "disabled",
) -> Image:  # fmt: skip
    """Change the size of a picture. Resize does it better where pixels are left out.

    Args:
        upscale_method: How pixels are averaged.
        width: In pixels. 0 keeps the proportions.
        height: In pixels. 0 keeps the proportions.
        crop: Whether what is too much for the new proportions is cut off.
    """
    if width == 0 and height == 0:
        return image
    across = width or max(1, round(image.width * height / image.height))
    down = height or max(1, round(image.height * width / image.width))
    return _resized(image, across, down, upscale_method, crop)


@node(version=1, title="ImageScaleBy", category=CATEGORY)
def ImageScaleBy(image: Image, upscale_method: Method = "nearest-exact", scale_by: Factor = 1.0) -> Image:
    """Change the size of a picture by a factor.

    Args:
        upscale_method: How pixels are averaged.
        scale_by: How many times wider and higher.
    """
    return _resized(image, round(image.width * scale_by), round(image.height * scale_by), upscale_method)


@node(version=1, title="ImageScaleToTotalPixels", category=CATEGORY)
def ImageScaleToTotalPixels(
    image: Image, upscale_method: Method = "nearest-exact",
    megapixels: Annotated[float, Field(ge=0.01, le=16), Widget("number", step=0.01)] = 1.0,
) -> Image:  # fmt: skip
    """Give a picture a number of pixels.

    Args:
        upscale_method: How pixels are averaged.
        megapixels: Of 1,048,576 pixels each.
    """
    factor = math.sqrt(int(megapixels * 1024 * 1024) / (image.width * image.height))
    return _resized(image, round(image.width * factor), round(image.height * factor), upscale_method)


@node(version=1, title="ImageScaleToMaxDimension", category=CATEGORY)
def ImageScaleToMaxDimension(image: Image, upscale_method: Method = "area", largest_size: Side = 512) -> Image:
    """Give the longer side of a picture a length.

    Args:
        upscale_method: How pixels are averaged.
        largest_size: Of the longer side, in pixels.
    """
    longer = max(image.width, image.height)
    across, down = (round(side / longer * largest_size) for side in (image.width, image.height))
    return _resized(image, across, down, upscale_method)


def _resized(image: Image, width: int, height: int, method: Method, crop: Crop = "disabled") -> Image:
    check_size(width, height, image.batch, "image")
    return Image(scaled(image.pixels, width, height, method, crop))


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


@node(version=1, title="Canny", category=CATEGORY)
def Canny(image: Image, low_threshold: Threshold = 0.4, high_threshold: Threshold = 0.8) -> Image:
    """Draw the edges of a picture: white on black (Canny 1986), from its smoothed grey.

    Args:
        low_threshold: How steep an edge must be where it goes on from a steeper one.
        high_threshold: How steep an edge must be somewhere.
    """
    made = np.stack([_edges(picture, low_threshold, high_threshold) for picture in image.pixels])
    return Image(made[:, None].repeat(3, axis=1).astype(np.float32))


@node(version=1, title="ImageBlur", category=CATEGORY)
def ImageBlur(image: Image, blur_radius: Radius = 1, sigma: Sigma = 1.0) -> Image:
    """Blur a picture.

    Args:
        blur_radius: How many pixels to each side count.
        sigma: How much the outermost of them count; the distance to these is 1.
    """
    return Image(_filtered(image.pixels, _bell(blur_radius, sigma)))


@node(version=1, title="ImageSharpen", category=CATEGORY)
def ImageSharpen(
    image: Image, sharpen_radius: Radius = 1, sigma: Sigma = 1.0,
    alpha: Annotated[float, Field(ge=0, le=5), Widget("number", step=0.01)] = 1.0,
) -> Image:  # fmt: skip
    """Sharpen a picture.

    Args:
        sharpen_radius: How many pixels to each side count.
        sigma: How much the outermost of them count; the distance to these is 1.
        alpha: How much it is sharpened.
    """
    amount = np.float32(10 * alpha)
    return Image(
        (image.pixels + amount * (image.pixels - _filtered(image.pixels, _bell(sharpen_radius, sigma)))).clip(0, 1)
    )


@node(version=1, title="ImageBlend", category=CATEGORY)
def ImageBlend(
    image1: Image, image2: Image, blend_factor: Unit = 0.5,
    blend_mode: Literal["normal", "multiply", "screen", "overlay", "soft_light", "difference"] = "normal",
) -> Image:  # fmt: skip
    """Blend a picture into another.

    Args:
        image1: The picture below; the result has its size.
        image2: The picture on top.
        blend_factor: How much the blended picture counts.
        blend_mode: How both are blended.
    """
    common_batch(("image1", image1.batch), ("image2", image2.batch))
    below, above = image1.pixels, image2.pixels
    if below.shape[2:] != above.shape[2:]:
        above = scaled(above, image1.width, image1.height, "bicubic", "center")
    match blend_mode:
        case "normal":
            made = above
        case "multiply":
            made = below * above
        case "screen":
            made = 1 - (1 - below) * (1 - above)
        case "overlay":
            made = np.where(below <= 0.5, 2 * below * above, 1 - 2 * (1 - below) * (1 - above))
        case "soft_light":
            lifted = np.where(below <= 0.25, ((16 * below - 12) * below + 4) * below, np.sqrt(below))
            darker = below - (1 - 2 * above) * below * (1 - below)
            made = np.where(above <= 0.5, darker, below + (2 * above - 1) * (lifted - below))
        case "difference":
            made = below - above
    return Image((below * (1 - blend_factor) + made * blend_factor).clip(0, 1))


@node(version=1, title="ImageCompositeMasked", category=CATEGORY)
def ImageCompositeMasked(
    destination: Image, source: Image, x: Side = 0, y: Side = 0, resize_source: bool = False, mask: Mask | None = None
) -> Image:
    """Lay a picture over another.

    Args:
        destination: Below; the result has its size.
        source: On top.
        x: Where its left edge lies, in pixels.
        y: Where its upper edge lies, in pixels.
        resize_source: Bring it to the size of the picture below first.
        mask: What is seen of it. It is brought to its size.
    """
    above, batch = source.pixels, common_batch(("destination", destination.batch), ("source", source.batch))
    if resize_source:
        above = scaled(above, destination.width, destination.height, "bilinear")
    seen = np.ones((1, 1, *above.shape[2:]), np.float32)
    if mask is not None:
        batch = common_batch(("source", batch), ("mask", mask.batch))
        seen = scaled(mask.values[:, None], above.shape[3], above.shape[2], "bilinear")
    made = destination.pixels.repeat(batch // destination.batch, axis=0)
    place = np.s_[:, :, y : y + above.shape[2], x : x + above.shape[3]]
    below = made[place]
    above, seen = (each[:, :, : below.shape[2], : below.shape[3]] for each in (above, seen))
    made[place] = seen * above + (1 - seen) * below
    return Image(made)


def _bell(radius: int, sigma: float) -> Floats:
    """The weights of a blur (2 radius + 1), whose outermost lie at 1."""
    weights = np.exp(-0.5 * (np.linspace(-1, 1, 2 * radius + 1) / sigma) ** 2)
    return np.asarray(weights / weights.sum(), np.float32)


def _filtered(pixels: Floats, weights: Floats) -> Floats:
    """Pixels (B, C, H, W) averaged across and down, mirrored at the edges."""
    from scipy.ndimage import convolve1d

    return np.asarray(convolve1d(convolve1d(pixels, weights, 2, mode="mirror"), weights, 3, mode="mirror"), np.float32)


def _edges(picture: Floats, low: float, high: float) -> NDArray[np.bool_]:
    """Where a picture (3, H, W) has edges (H, W), with the numbers of kornia's filter that ComfyUI takes."""
    from scipy.ndimage import convolve1d, sobel

    grey = np.tensordot(np.array([0.299, 0.587, 0.114]), picture.astype(np.float64), 1)
    kernel = np.exp(-0.5 * np.arange(-2, 3) ** 2)
    for axis in (0, 1):
        grey = convolve1d(grey, kernel / kernel.sum(), axis, mode="mirror")
    across, down = sobel(grey, 1, mode="nearest"), sobel(grey, 0, mode="nearest")
    steep = np.sqrt(across**2 + down**2 + 1e-6)
    around = np.pad(steep, 1)
    rows, columns = np.indices(steep.shape) + 1
    eighth = np.rint(np.arctan2(down, across) / (np.pi / 4)).astype(int)
    over, aside = np.rint(np.sin(eighth * np.pi / 4)).astype(int), np.rint(np.cos(eighth * np.pi / 4)).astype(int)
    beside = np.maximum(around[rows + over, columns + aside], around[rows - over, columns - aside])
    return traced(steep > beside, steep, low, high)


@node(version=1, title="GetImageSize", category=CATEGORY)
def GetImageSize(image: Image) -> Size:
    """The size of a picture, and how many there are.

    Returns:
        width: In pixels.
        height: In pixels.
        batch_size: How many pictures the batch has.
    """
    return Size(image.width, image.height, image.batch)


@node(version=1, title="FluxKontextImageScale", category=CATEGORY)
def FluxKontextImageScale(image: Image) -> Image:
    """Bring a picture to the size nearest to its proportions on which Flux.1 Kontext was trained."""
    from diffusers.pipelines.flux.pipeline_flux_kontext import PREFERRED_KONTEXT_RESOLUTIONS as SIZES

    wanted = image.width / image.height
    _, width, height = min((abs(wanted - width / height), width, height) for width, height in SIZES)
    return Image(scaled(image.pixels, width, height, "lanczos", "center"))


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
