"""What lies in a hole before a model paints in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from nodegraph import NodeError, node

from .late import np
from .params import Seed
from .sizes import common_batch
from .values import Image, Mask

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .values import Floats

GREY = 0.5


@node(version=1, category="image")
def fill_hole(
    image: Image, mask: Mask, fill: Literal["original", "edge", "mean", "noise"] = "edge", seed: Seed = 0
) -> Image:
    """Choose what a model finds in a hole.

    At a strength below 1 some of it stays; at full strength it still colours the edge of the hole a little.

    Args:
        image: A picture, or a batch of them.
        mask: The hole, of the picture's size. What is selected in part is filled in part.
        fill: The picture as it is, the colours of the hole's edge drawn inwards, the mean colour of what is kept, or
            noise of its mean and spread.
        seed: Of the noise. Picture i of a batch has that of seed + i.
    """
    if (mask.width, mask.height) != (image.width, image.height):
        sizes = f"{mask.width} x {mask.height}, the picture {image.width} x {image.height}"
        raise NodeError(f"needs a mask in the size of the picture, and the mask is {sizes}; resize one", "mask")
    batch = common_batch(("image", image.batch), ("mask", mask.batch))
    pixels = np.repeat(image.pixels, batch // image.batch, axis=0)
    if fill == "original" or not mask.values.any():
        return Image(pixels)
    values = np.repeat(mask.values, batch // mask.batch, axis=0)
    made = [_filled(p, m, fill, seed + i) for i, (p, m) in enumerate(zip(pixels, values, strict=True))]
    return Image(np.stack(made))


def _filled(picture: Floats, mask: Floats, fill: str, seed: int) -> Floats:
    kept = mask == 0
    if not kept.any():
        mean, spread = np.full((3, 1, 1), GREY, np.float32), np.full((3, 1, 1), GREY / 2, np.float32)
    else:
        mean, spread = picture[:, kept].mean(axis=1)[:, None, None], picture[:, kept].std(axis=1)[:, None, None]
    content: Floats
    if fill == "edge" and kept.any():
        content = _drawn_in(picture, kept)
    elif fill == "noise":
        noise = np.random.Generator(np.random.Philox(seed)).standard_normal(picture.shape, np.float32)
        content = (mean + spread * noise).clip(0, 1)
    else:
        content = np.broadcast_to(mean, picture.shape)
    return np.where(kept, picture, picture + (content - picture) * mask)


def _drawn_in(picture: Floats, kept: NDArray[np.bool_]) -> Floats:
    """Each pixel of the hole from its nearest kept ones: softer, the deeper it lies."""
    from scipy.ndimage import distance_transform_edt, gaussian_filter

    depth, (rows, columns) = distance_transform_edt(~kept, return_indices=True)
    nearest: Floats = picture[:, rows, columns]
    soft = gaussian_filter(nearest, (0, *(2 * [max(1.0, float(depth.max()) / 3)])), mode="nearest")
    share = (depth / max(1.0, float(depth.max()))).astype(np.float32)
    made: Floats = nearest + (soft - nearest) * share
    return made
