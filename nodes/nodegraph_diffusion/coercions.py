"""What a link may turn into something else by itself."""

from __future__ import annotations

from nodegraph import coercion

from .colours import luminance
from .late import np
from .values import Image, Mask


@coercion
def mask_to_image(mask: Mask) -> Image:
    """White where it selects. Back through `image_to_mask` it is the same mask."""
    return Image(np.repeat(mask.values[:, None], 3, axis=1))


@coercion
def image_to_mask(image: Image) -> Mask:
    """Select by luminance."""
    return Mask(luminance(image.pixels))
