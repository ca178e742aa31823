"""Pictures padded, taken apart and grown, as ComfyUI does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from nodegraph import Widget, node

from ..late import np
from ..params import Pixels
from ..values import Floats, Image, Mask
from .scaling import scaled

CATEGORY = "ComfyUI"
Kernel = Annotated[int, Field(ge=3, le=999), Widget("number", step=1)]


class Split(NamedTuple):
    image: Image
    mask: Mask


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


@node(version=1, title="SplitImageWithAlpha", category=CATEGORY)
def SplitImageWithAlpha(image: Image) -> Split:
    """A picture and its transparency. Pictures on edges have none, so the mask selects nothing.

    Returns:
        image: As it came.
        mask: Nothing.
    """
    return Split(image, Mask(np.zeros((image.batch, image.height, image.width), np.float32)))


@node(version=1, title="Morphology", category=CATEGORY)
def Morphology(
    image: Image,
    operation: Literal["erode", "dilate", "open", "close", "gradient", "bottom_hat", "top_hat"] = "erode",
    kernel_size: Kernel = 3,
) -> Image:
    """Shrink or grow what is bright, by a square.

    Args:
        operation: "open" shrinks and grows again, "close" grows and shrinks; "gradient" is how far both differ, the
            hats are what the other two take away or fill.
        kernel_size: The side of the square, in pixels.
    """
    from scipy.ndimage import maximum_filter, minimum_filter

    size = (1, 1, kernel_size, kernel_size)

    def erode(pixels: Floats) -> Floats:
        return np.asarray(minimum_filter(pixels, size, mode="nearest"))

    def dilate(pixels: Floats) -> Floats:
        return np.asarray(maximum_filter(pixels, size, mode="nearest"))

    given = image.pixels
    made: Mapping[str, Callable[[], Floats]] = {
        "erode": lambda: erode(given),
        "dilate": lambda: dilate(given),
        "open": lambda: dilate(erode(given)),
        "close": lambda: erode(dilate(given)),
        "gradient": lambda: dilate(given) - erode(given),
        "top_hat": lambda: given - dilate(erode(given)),
        "bottom_hat": lambda: erode(dilate(given)) - given,
    }
    return Image(made[operation]())
