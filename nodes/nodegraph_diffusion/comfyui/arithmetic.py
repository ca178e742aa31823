"""Latents added, taken apart and put together, as ComfyUI does.

There they are not scaled, and not centred either where the family's latents have a centre: a sum is then another.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from pydantic import Field

from nodegraph import NodeError, Widget, node

from ..late import np
from ..params import Unit
from ..sizes import common_batch
from ..values import Floats, Latent, Mask
from .latents import Side, scale_of, values_of, with_values
from .scaling import scaled

CATEGORY = "ComfyUI"
Times = Annotated[float, Field(ge=-10, le=10), Widget("number", step=0.01)]


@node(version=1, title="LatentAdd", category=CATEGORY)
def LatentAdd(samples1: Latent, samples2: Latent) -> Latent:
    """The sum of two latents.

    Args:
        samples1: The result has its size.
        samples2: What is added.
    """
    one, other = _two(samples1, samples2)
    return with_values(samples1, one + other)


@node(version=1, title="LatentSubtract", category=CATEGORY)
def LatentSubtract(samples1: Latent, samples2: Latent) -> Latent:
    """The difference of two latents.

    Args:
        samples1: The result has its size.
        samples2: What is taken away.
    """
    one, other = _two(samples1, samples2)
    return with_values(samples1, one - other)


@node(version=1, title="LatentMultiply", category=CATEGORY)
def LatentMultiply(samples: Latent, multiplier: Times = 1.0) -> Latent:
    """A latent times a number.

    Args:
        multiplier: The number.
    """
    return with_values(samples, values_of(samples, "samples") * np.float32(multiplier))


@node(version=1, title="LatentInterpolate", category=CATEGORY)
def LatentInterpolate(samples1: Latent, samples2: Latent, ratio: Unit = 1.0) -> Latent:
    """Mix the directions of two latents in each cell, and their lengths.

    Args:
        samples1: The result has its size.
        samples2: The other.
        ratio: How much the first counts.
    """
    one, other = _two(samples1, samples2)
    share, rest = np.float32(ratio), np.float32(1 - ratio)
    lengths = [np.linalg.norm(each, axis=1, keepdims=True) for each in (one, other)]
    mixed = _unit(one, lengths[0]) * share + _unit(other, lengths[1]) * rest
    made = _unit(mixed, np.linalg.norm(mixed, axis=1, keepdims=True)) * (lengths[0] * share + lengths[1] * rest)
    return with_values(samples1, made)


@node(version=1, title="LatentCrop", category=CATEGORY)
def LatentCrop(samples: Latent, width: Side = 512, height: Side = 512, x: Side = 0, y: Side = 0) -> Latent:
    """Cut a part out of a latent.

    Args:
        width: Of the part, in pixels of the picture.
        height: Of the part, in pixels of the picture.
        x: Its left edge, in pixels of the picture.
        y: Its upper edge, in pixels of the picture.
    """
    whole, scale = values_of(samples, "samples"), scale_of(samples)
    left, top = (min(at // scale, side - 8) for at, side in ((x, whole.shape[3]), (y, whole.shape[2])))
    cut = whole[:, :, max(top, 0) : top + height // scale, max(left, 0) : left + width // scale]
    if not cut.size:
        raise NodeError(f"a part of {width} x {height} pixels has no cell; take a larger one", "width")
    made = with_values(samples, cut)
    return replace(made, width=cut.shape[3] * scale, height=cut.shape[2] * scale, mask=None)


@node(version=1, title="LatentCompositeMasked", category=CATEGORY)
def LatentCompositeMasked(
    destination: Latent, source: Latent, x: Side = 0, y: Side = 0, resize_source: bool = False,
    mask: Mask | None = None,
) -> Latent:  # fmt: skip
    """Lay one latent over another, as far as a mask says.

    Args:
        destination: Below.
        source: On top.
        x: Where its left edge lies, in pixels of the picture.
        y: Where its upper edge lies, in pixels of the picture.
        resize_source: Bring what is on top to the size of what is below first.
        mask: Where it shows; it lies over what is on top. All of it by default.
    """
    below, above = values_of(destination, "destination").copy(), values_of(source, "source")
    if resize_source:
        above = scaled(above, below.shape[3], below.shape[2], "bilinear")
    common_batch(("destination", len(below)), ("source", len(above)))
    left, top = x // scale_of(destination), y // scale_of(destination)
    rows, columns = min(above.shape[2], below.shape[2] - top), min(above.shape[3], below.shape[3] - left)
    if rows <= 0 or columns <= 0:
        return destination
    amount = np.ones((1, 1, *above.shape[2:]), np.float32)
    if mask is not None:
        common_batch(("destination", len(below)), ("mask", mask.batch))
        amount = scaled(mask.values[:, None], above.shape[3], above.shape[2], "bilinear")
    place = np.s_[:, :, top : top + rows, left : left + columns]
    share = amount[:, :, :rows, :columns]
    below[place] = share * above[:, :, :rows, :columns] + (1 - share) * below[place]
    return with_values(destination, below)


def _two(samples1: Latent, samples2: Latent) -> tuple[Floats, Floats]:
    """The values of both, the second at the size of the first."""
    one, other = values_of(samples1, "samples1"), values_of(samples2, "samples2")
    common_batch(("samples1", len(one)), ("samples2", len(other)))
    if one.shape[2:] != other.shape[2:]:
        other = scaled(other, one.shape[3], one.shape[2], "bicubic", "center")
    return one, other


def _unit(values: Floats, lengths: Floats) -> Floats:
    return np.divide(values, lengths, out=np.zeros_like(values), where=lengths != 0)
