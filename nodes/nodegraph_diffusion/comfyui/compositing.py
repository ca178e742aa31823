"""Pictures with transparency as ComfyUI composes them: a picture and a mask of what is transparent of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from nodegraph import Widget, node

from ..late import np
from ..sizes import common_batch
from ..values import Floats, Image, Mask
from .scaling import scaled
from .shapes import Split

if TYPE_CHECKING:
    from numpy.typing import NDArray

CATEGORY = "ComfyUI"
Mode = Literal[
    "ADD", "CLEAR", "DARKEN", "DST", "DST_ATOP", "DST_IN", "DST_OUT", "DST_OVER", "LIGHTEN", "MULTIPLY", "OVERLAY",
    "SCREEN", "SRC", "SRC_ATOP", "SRC_IN", "SRC_OUT", "SRC_OVER", "XOR",
]  # fmt: skip


@node(version=1, title="PorterDuffImageComposite", category=CATEGORY)
def PorterDuffImageComposite(
    source: Image, source_alpha: Mask, destination: Image, destination_alpha: Mask, mode: Mode = "DST"
) -> Split:
    """Compose two pictures by an operator of Porter and Duff (1984), or a blend mode of that family.

    Args:
        source: The picture on top. What else is linked is brought to its size.
        source_alpha: What of it is transparent.
        destination: The picture below.
        destination_alpha: What of it is transparent.
        mode: How both are composed.
    Returns:
        image: The composition.
        mask: What of it is transparent.
    """
    common_batch(("source", source.batch), ("destination", destination.batch))
    size = (source.width, source.height)

    def fitting(values: Floats) -> Floats:
        same = (values.shape[3], values.shape[2]) == size
        return values if same else scaled(values, *size, "bicubic", "center")

    sa, da = (1 - fitting(mask.values[:, None]) for mask in (source_alpha, destination_alpha))
    s, d = source.pixels * sa, fitting(destination.pixels) * da
    over = sa + da - sa * da
    outside = (1 - da) * s + (1 - sa) * d
    colour, opaque = {
        "ADD": (s + d, sa + da),
        "CLEAR": (0 * s * d, 0 * sa * da),
        "DARKEN": (outside + np.minimum(s, d), over),
        "DST": (d, da),
        "DST_ATOP": (sa * d + (1 - da) * s, sa),
        "DST_IN": (sa * d, sa * da),
        "DST_OUT": ((1 - sa) * d, (1 - sa) * da),
        "DST_OVER": (d + (1 - da) * s, over),
        "LIGHTEN": (outside + np.maximum(s, d), over),
        "MULTIPLY": (s * d, sa * da),
        "OVERLAY": (np.where(2 * d < da, 2 * s * d, sa * da - 2 * (da - d) * (sa - s)), over),
        "SCREEN": (s + d - s * d, over),
        "SRC": (s, sa),
        "SRC_ATOP": (da * s + (1 - sa) * d, da),
        "SRC_IN": (s * da, sa * da),
        "SRC_OUT": ((1 - da) * s, (1 - da) * sa),
        "SRC_OVER": (s + (1 - sa) * d, over),
        "XOR": (outside, (1 - da) * sa + (1 - sa) * da),
    }[mode]
    opaque = np.broadcast_to(opaque.clip(0, 1), (len(colour), 1, *colour.shape[2:]))
    plain = np.divide(colour, opaque, out=np.zeros_like(colour), where=opaque > 1e-5)
    return Split(Image(plain.clip(0, 1)), Mask(1 - opaque[:, 0]))


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
