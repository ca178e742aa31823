"""Colours that go on where one picture ends and another begins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from nodegraph import NodeError, Widget, node

from .late import np
from .morphology import grown
from .params import Unit
from .sizes import common_batch
from .values import Image, Mask

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .values import Floats

Ring = Annotated[int, Field(ge=1, le=256), Widget("number", step=1)]


@node(version=1, category="image")
def match_colours(
    image: Image,
    reference: Image,
    mask: Mask,
    ring: Ring = 8,
    how: Literal["smooth", "shift", "none"] = "smooth",
    amount: Unit = 1.0,
) -> Image:
    """Correct the colours of a painted hole by those of its surroundings.

    Both pictures show the surroundings: where they differ on a ring around the hole, the model and its VAE have moved
    colours, and what lies in the hole is moved back as far.

    Args:
        image: The picture with the painted hole.
        reference: The picture before, of the same size.
        mask: The hole, of the same size.
        ring: Pixels around the hole that are compared.
        how: Move each part of the hole as the ring near it ("smooth"), all of it alike ("shift"), or nothing.
        amount: How far.
    """
    sizes = {(part.width, part.height) for part in (image, reference, mask)}
    if len(sizes) > 1:
        listed = ", ".join(f"{width} x {height}" for width, height in sorted(sizes))
        raise NodeError(
            f"needs two pictures and a mask of one size, and these are {listed} pixels; resize them", "image"
        )
    batch = common_batch(("image", image.batch), ("reference", reference.batch), ("mask", mask.batch))
    if how == "none":
        return Image(np.repeat(image.pixels, batch // image.batch, axis=0))
    around = ring_around(mask.values, ring)
    parts = (np.repeat(part, batch // len(part), axis=0) for part in (image.pixels, reference.pixels, around))
    made = [
        picture + np.float32(amount) * _moved(picture, before, where, how)
        for picture, before, where in zip(*parts, strict=True)
    ]
    return Image(np.stack(made).clip(0, 1))


def ring_around(values: Floats, width: int) -> NDArray[np.bool_]:
    """The pixels (B, H, W) that are not selected at all and lie within `width` pixels of one that is."""
    selected = (values > 0).astype(np.float32)
    ring: NDArray[np.bool_] = (grown(selected, width) > 0) & (selected == 0)
    return ring


def _moved(picture: Floats, before: Floats, ring: NDArray[np.bool_], how: str) -> Floats:
    """By how much to move each pixel (3, H, W)."""
    from scipy.ndimage import gaussian_filter

    if not ring.any():
        return np.zeros_like(picture)
    apart = np.where(ring, before - picture, np.float32(0))
    mean: Floats = apart.sum(axis=(1, 2), keepdims=True) / np.float32(ring.sum())
    if how == "shift":
        return np.broadcast_to(mean, picture.shape)
    sigma = max(2.0, max(picture.shape[1:]) / 8)
    weight = gaussian_filter(ring.astype(np.float32), sigma, mode="constant", truncate=8)
    spread = gaussian_filter(apart, (0, sigma, sigma), mode="constant", truncate=8)
    # Far from the ring, where its weight runs out, the mean takes over
    least = np.float32(1e-4)
    made: Floats = (spread + least * mean) / (weight + least)
    return made
