"""Pictures laid over each other and blended, as ComfyUI does; with transparency as a mask of what is transparent."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from nodegraph import Widget, node

from ..late import np
from ..params import Unit
from ..sizes import common_batch
from ..values import Floats, Image, Mask
from .scaling import scaled

CATEGORY = "ComfyUI"
Mode = Literal[
    "ADD", "CLEAR", "DARKEN", "DST", "DST_ATOP", "DST_IN", "DST_OUT", "DST_OVER", "LIGHTEN", "MULTIPLY", "OVERLAY",
    "SCREEN", "SRC", "SRC_ATOP", "SRC_IN", "SRC_OUT", "SRC_OVER", "XOR",
]  # fmt: skip


Side = Annotated[int, Field(ge=0, le=16384), Widget("number", step=8)]


class Split(NamedTuple):
    image: Image
    mask: Mask


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


@node(version=1, title="SplitImageWithAlpha", category=CATEGORY)
def SplitImageWithAlpha(image: Image) -> Split:
    """A picture and its transparency. Pictures on edges have none, so the mask selects nothing.

    Returns:
        image: As it came.
        mask: Nothing.
    """
    return Split(image, Mask(np.zeros((image.batch, image.height, image.width), np.float32)))
