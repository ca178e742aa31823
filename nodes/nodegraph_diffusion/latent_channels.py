"""What a latent looks like before it is decoded."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from nodegraph import NodeError, Widget, node

from .late import np
from .sizes import check_size
from .values import Image, Latent

Spread = Annotated[float, Field(gt=0, le=100), Widget("number", step=0.5)]
Enlarged = Annotated[int, Field(ge=1, le=64), Widget("number", step=1)]


@node(version=1, category="inside")
def latent_channels(latent: Latent, spread: Spread = 3.0, enlarge: Enlarged = 8) -> Image:
    """Show every channel of a latent as a grey picture: 0 is middle grey.

    The pictures are a batch: all channels of the first picture, then those of the second. Grid lays them out.

    Args:
        latent: A sampled one, or an encoded picture.
        spread: What is white; as much below 0 is black. Latents mostly lie within -3 and 3.
        enlarge: How many times wider and higher, with hard pixels.
    """
    if latent.samples is None:
        raise NodeError("an empty latent has no channels yet; put `Sample` between", "latent")
    batch, channels, height, width = latent.samples.shape
    check_size(width * enlarge, height * enlarge, batch * channels, "enlarge")
    grey = (0.5 + latent.samples / (2 * spread)).clip(0, 1).reshape(-1, 1, height, width)
    large = grey.repeat(enlarge, axis=2).repeat(enlarge, axis=3)
    return Image(np.repeat(large, 3, axis=1))
