"""Pictures blurred, sharpened, traced, grown and painted with few colours, as ComfyUI does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from nodegraph import Widget, node

from ..canny import traced
from ..late import np
from ..values import Floats, Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

CATEGORY = "ComfyUI"
Radius = Annotated[int, Field(ge=1, le=31), Widget("number", step=1)]
Sigma = Annotated[float, Field(ge=0.1, le=10), Widget("number", step=0.1)]
Threshold = Annotated[float, Field(ge=0.01, le=0.99), Widget("number", step=0.01)]
Kernel = Annotated[int, Field(ge=3, le=999), Widget("number", step=1)]


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


@node(version=1, title="ImageQuantize", category=CATEGORY)
def ImageQuantize(
    image: Image, colors: Annotated[int, Field(ge=1, le=256), Widget("number", step=1)] = 256,
    dither: Literal["none", "floyd-steinberg", "bayer-2", "bayer-4", "bayer-8", "bayer-16"] = "none",
) -> Image:  # fmt: skip
    """Paint a picture with few colours, which are chosen for it.

    Args:
        colors: How many.
        dither: How colours between are made of them: not, by passing on what is missing (Floyd and Steinberg 1976), or
            by a pattern of so many pixels (Bayer 1973).
    """
    return Image.from_bytes(np.stack([_quantised(picture, colors, dither) for picture in image.to_bytes()]))


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


def _quantised(picture: NDArray[np.uint8], colors: int, dither: str) -> NDArray[np.uint8]:
    """A picture (H, W, 3) with the colours that a median cut chooses."""
    from PIL import Image as Pillow

    original = Pillow.fromarray(picture)
    palette = original.quantize(colors)
    if dither.startswith("bayer-"):
        side = int(dither.removeprefix("bayer-"))
        spread = 256 / colors ** (1 / 3)
        rows, columns = (-(-length // side) for length in picture.shape[:2])
        pattern = np.tile(_bayer(side), (rows, columns))[: picture.shape[0], : picture.shape[1], None]
        original = Pillow.fromarray((picture + spread * pattern).round().clip(0, 255).astype(np.uint8))
    passed = dither == "floyd-steinberg"
    how = Pillow.Dither.FLOYDSTEINBERG if passed else Pillow.Dither.NONE
    return np.asarray(original.quantize(colors, palette=palette, dither=how).convert("RGB"))


def _bayer(side: int) -> Floats:
    """The thresholds of ordered dithering (side, side), -0.5 to 0.5, whose mean is 0."""
    made = np.zeros((1, 1))
    while len(made) < side:
        made = np.block([[4 * made, 4 * made + 2], [4 * made + 3, 4 * made + 1]])
    return np.asarray((made + 0.5) / made.size - 0.5, np.float32)
