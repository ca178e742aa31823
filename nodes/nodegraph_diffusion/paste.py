"""A region back into its picture, and proof that nothing else changed."""

from __future__ import annotations

from typing import NamedTuple

from nodegraph import Context, NodeError, node

from .late import np
from .match_colours import ring_around
from .regions import Region
from .resampling import resampled
from .sizes import common_batch
from .values import Image, Mask

SEAM = 4
"""Pixels around the mask where the seam is measured."""


class Pasted(NamedTuple):
    image: Image
    outside: float
    seam: float


@node(version=1, category="image")
def paste(ctx: Context, base: Image, over: Image, mask: Mask, region: Region) -> Pasted:
    """Put a region that CropToMask cut out back into its picture, where the mask selects.

    Every pixel that the mask does not select at all stays as it is, to the bit: that is checked, and the figures enter
    the receipt of the picture.

    Args:
        base: The picture that the region was cut from.
        over: The region, of any size: it is brought to the one it had.
        mask: Where it shows, of the picture's size; between 0 and 1 both are mixed.
        region: Where it lies.
    Returns:
        image: The picture.
        outside: The largest difference to the picture before, outside of the mask: 0.
        seam: How far the region's colours are from the picture's on a ring around the mask, 0 to 1. Much above 0.02 the
            edge can be seen.
    """
    if (mask.width, mask.height) != (base.width, base.height):
        sizes = f"{mask.width} x {mask.height}, the picture {base.width} x {base.height}"
        raise NodeError(f"needs a mask in the size of the picture, and the mask is {sizes}; resize one", "mask")
    if region.right > base.width or region.bottom > base.height:
        message = (
            f"the region reaches to {region.right}, {region.bottom}, and the picture is {base.width} x {base.height}"
        )
        raise NodeError(f"{message}; link the picture that CropToMask cut it from", "base")
    batch = common_batch(("base", base.batch), ("over", over.batch), ("mask", mask.batch))
    content = over.pixels
    if (over.width, over.height) != (region.width, region.height):
        content = resampled(content, region.width, region.height, "lanczos")
    made = np.repeat(base.pixels, batch // base.batch, axis=0)
    place = made[..., *region.part]
    amount = mask.values[:, None, *region.part]
    place[:] = np.where(amount > 0, place + (content - place) * amount, place)
    if outside_of_region(mask, region):
        message = "the mask selects pixels outside of the region, which cannot be painted"
        raise NodeError(f"{message}; link the mask that CropToMask was given", "mask")
    before = np.repeat(base.pixels, batch // base.batch, axis=0)
    kept = np.broadcast_to(np.repeat(mask.values, batch // mask.batch, axis=0)[:, None] == 0, made.shape)
    outside = float(abs(made - before)[kept].max(initial=0))
    assert outside == 0, f"pixels outside of the mask changed by up to {outside}"
    ring = np.repeat(ring_around(mask.values[..., *region.part], SEAM), batch // mask.batch, axis=0)
    apart = abs(content - before[..., *region.part]).mean(axis=1)
    seam = round(float(apart[ring].mean()), 5) if ring.any() else 0.0
    ctx.note(max_abs_diff_outside=f"{outside:g}", seam=f"{seam:g}")
    return Pasted(Image(made), outside, seam)


def outside_of_region(mask: Mask, region: Region) -> bool:
    """Whether anything is selected that lies outside of `region`."""
    inside = mask.values[..., *region.part]
    return bool(np.count_nonzero(mask.values) > np.count_nonzero(inside))
