"""Pictures brought to other sizes, as ComfyUI does."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field

from nodegraph import Widget, node

from ..late import np
from ..params import Pixels
from ..sizes import check_size
from ..values import Image
from .scaling import Crop, Method, scaled

CATEGORY = "ComfyUI"
Side = Annotated[int, Field(ge=0, le=16384), Widget("number", step=8)]
Factor = Annotated[float, Field(ge=0.01, le=8), Widget("number", step=0.01)]


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


@node(version=1, title="FluxKontextImageScale", category=CATEGORY)
def FluxKontextImageScale(image: Image) -> Image:
    """Bring a picture to the size nearest to its proportions on which Flux.1 Kontext was trained."""
    from diffusers.pipelines.flux.pipeline_flux_kontext import PREFERRED_KONTEXT_RESOLUTIONS as SIZES

    wanted = image.width / image.height
    _, width, height = min((abs(wanted - width / height), width, height) for width, height in SIZES)
    return Image(scaled(image.pixels, width, height, "lanczos", "center"))


@node(version=1, title="ResizeAndPadImage", category=CATEGORY)
def ResizeAndPadImage(
    image: Image, target_width: Pixels = 512, target_height: Pixels = 512,
    padding_color: Literal["white", "black"] = "white",
    interpolation: Literal["area", "bicubic", "nearest-exact", "bilinear", "lanczos"] = "area",
) -> Image:  # fmt: skip
    """Bring a picture into a size without changing its proportions.

    Args:
        target_width: Of the result.
        target_height: Of the result.
        padding_color: What is around it.
        interpolation: How pixels are averaged.
    """
    factor = min(target_width / image.width, target_height / image.height)
    width, height = max(1, int(image.width * factor)), max(1, int(image.height * factor))
    whole = np.full((image.batch, 3, target_height, target_width), float(padding_color == "white"), np.float32)
    x, y = (target_width - width) // 2, (target_height - height) // 2
    whole[:, :, y : y + height, x : x + width] = scaled(image.pixels, width, height, interpolation)
    return Image(whole)


def _resized(image: Image, width: int, height: int, method: Method, crop: Crop = "disabled") -> Image:
    check_size(width, height, image.batch, "image")
    return Image(scaled(image.pixels, width, height, method, crop))
