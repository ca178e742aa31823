"""Latents as ComfyUI changes them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from nodegraph import NodeError, Widget, node

from ..late import np
from ..params import Unit
from ..sizes import check_size, common_batch
from ..values import Latent, Mask
from .scaling import Crop, LatentMethod, scaled

if TYPE_CHECKING:
    from ..values import Floats

CATEGORY = "ComfyUI"
CELL = 8
"""How many pixels wide a cell of an empty latent is taken to be."""
Side = Annotated[int, Field(ge=0, le=16384), Widget("number", step=8)]
Factor = Annotated[float, Field(ge=0.01, le=8), Widget("number", step=0.01)]


@node(version=1, title="SetLatentNoiseMask", category=CATEGORY)
def SetLatentNoiseMask(samples: Latent, mask: Mask) -> Latent:
    """Say which part of a latent is sampled; the rest is kept.

    Args:
        samples: An encoded picture, or a sampled one.
        mask: 1 where to sample. Of any size.
    """
    return replace(samples, mask=fitted(mask, samples.width, samples.height), keeps=True)


@node(version=1, title="LatentUpscale", category=CATEGORY)
def LatentUpscale(
    samples: Latent, upscale_method: LatentMethod = "nearest-exact", width: Side = 512, height: Side = 512,
    crop: Crop = "disabled",
) -> Latent:  # fmt: skip
    """Change the size of a latent.

    Args:
        upscale_method: How its values are averaged.
        width: Of the picture, in pixels. 0 keeps the proportions.
        height: Of the picture, in pixels. 0 keeps the proportions.
        crop: Whether what is too much for the new proportions is cut off.
    """
    if width == 0 and height == 0:
        return samples
    across = width or max(64, round(samples.width * height / samples.height))
    down = height or max(64, round(samples.height * width / samples.width))
    scale = 1 if samples.samples is None else scale_of(samples)
    return _resized(samples, max(across // scale, 1), max(down // scale, 1), upscale_method, crop)


@node(version=1, title="LatentUpscaleBy", category=CATEGORY)
def LatentUpscaleBy(samples: Latent, upscale_method: LatentMethod = "nearest-exact", scale_by: Factor = 1.5) -> Latent:
    """Change the size of a latent by a factor.

    Args:
        upscale_method: How its values are averaged.
        scale_by: How many times wider and higher.
    """
    scale = scale_of(samples)
    across = max(round(samples.width / scale * scale_by), 1)
    return _resized(samples, across, max(round(samples.height / scale * scale_by), 1), upscale_method, "disabled")


@node(version=1, title="LatentComposite", category=CATEGORY)
def LatentComposite(samples_to: Latent, samples_from: Latent, x: Side = 0, y: Side = 0, feather: Side = 0) -> Latent:
    """Lay one latent over another.

    Args:
        samples_to: Below.
        samples_from: On top.
        x: Where its left edge lies, in pixels of the picture.
        y: Where its upper edge lies, in pixels of the picture.
        feather: How wide its edges fade, in pixels of the picture; not those that lie at the picture's own.
    """
    below, above = samples_to.samples, samples_from.samples
    if below is None or above is None:
        raise NodeError("needs latents with something in them, and one is empty", "samples_from")
    scale = scale_of(samples_to)
    left, top, fade = x // scale, y // scale, feather // scale
    made = below.copy()
    height, width = min(above.shape[2], made.shape[2] - top), min(above.shape[3], made.shape[3] - left)
    if height <= 0 or width <= 0:
        raise NodeError(f"at {x}, {y} it lies wholly outside of the latent below; move it", "x")
    shown = above[:, :, :height, :width]
    amount = np.ones((1, 1, height, width), np.float32)
    for step in range(min(fade, height, width)):
        share = np.float32((step + 1) / fade)
        if top > 0:
            amount[:, :, step] *= share
        if top + height < made.shape[2]:
            amount[:, :, height - 1 - step] *= share
        if left > 0:
            amount[:, :, :, step] *= share
        if left + width < made.shape[3]:
            amount[:, :, :, width - 1 - step] *= share
    place = np.s_[:, :, top : top + height, left : left + width]
    made[place] = shown * amount + made[place] * (1 - amount)
    return replace(samples_to, batch=len(made), samples=made)


@node(version=1, title="LatentBlend", category=CATEGORY)
def LatentBlend(samples1: Latent, samples2: Latent, blend_factor: Unit = 0.5) -> Latent:
    """Mix two latents.

    Args:
        samples1: The result has its size.
        samples2: What it is mixed with.
        blend_factor: How much the first counts.
    """
    one, other = values_of(samples1, "samples1"), values_of(samples2, "samples2")
    common_batch(("samples1", len(one)), ("samples2", len(other)))
    if one.shape[2:] != other.shape[2:]:
        other = scaled(other, one.shape[3], one.shape[2], "bicubic", "center")
    return with_values(samples1, one * np.float32(blend_factor) + other * np.float32(1 - blend_factor))


@node(version=1, title="LatentFlip", category=CATEGORY)
def LatentFlip(
    samples: Latent, flip_method: Literal["x-axis: vertically", "y-axis: horizontally"] = "x-axis: vertically"
) -> Latent:
    """Mirror a latent. Few models draw what they were given mirrored: sample it again.

    Args:
        flip_method: At which axis.
    """
    return with_values(samples, np.flip(values_of(samples, "samples"), 2 if flip_method.startswith("x") else 3))


@node(version=1, title="LatentRotate", category=CATEGORY)
def LatentRotate(
    samples: Latent, rotation: Literal["none", "90 degrees", "180 degrees", "270 degrees"] = "none"
) -> Latent:
    """Turn a latent by right angles.

    Args:
        rotation: Clockwise.
    """
    turns = 0 if rotation == "none" else int(rotation.split()[0]) // 90
    turned = with_values(samples, np.rot90(values_of(samples, "samples"), -turns, (2, 3)))
    return replace(turned, width=samples.height, height=samples.width) if turns % 2 else turned


def values_of(latent: Latent, port: str) -> Floats:
    """What is in a latent. Raises `NodeError` at `port` where there is nothing."""
    if latent.samples is None:
        raise NodeError("needs a latent with something in it, and this one is empty", port)
    return latent.samples


def with_values(latent: Latent, samples: Floats) -> Latent:
    """The latent with other values; what was masked of the old ones is not theirs."""
    return replace(latent, samples=samples, batch=len(samples), masked=None)


def repeated(values: Floats | None, amount: int) -> Floats | None:
    return None if values is None else np.concatenate([values] * amount)


def scale_of(latent: Latent) -> int:
    """How many pixels wide a cell is; 8 for an empty one, which has none yet."""
    return CELL if latent.samples is None else -(-latent.width // latent.samples.shape[3])


def _resized(latent: Latent, across: int, down: int, method: LatentMethod, crop: Crop) -> Latent:
    """The latent with this number of cells, or pixels where it is empty."""
    scale = 1 if latent.samples is None else scale_of(latent)
    width, height = across * scale, down * scale
    check_size(width, height, latent.batch, "samples")
    samples = None if latent.samples is None else scaled(latent.samples, across, down, method, crop)
    masked = None if latent.masked is None else scaled(latent.masked, across, down, method, crop)
    mask = None if latent.mask is None else scaled(latent.mask[:, None], width, height, "bilinear", crop)[:, 0]
    return replace(latent, width=width, height=height, samples=samples, mask=mask, masked=masked)


def fitted(mask: Mask, width: int, height: int) -> Floats:
    if (mask.width, mask.height) == (width, height):
        return mask.values
    return scaled(mask.values[:, None], width, height, "bilinear")[:, 0]
