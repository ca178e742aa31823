"""A picture as a latent."""

from __future__ import annotations

import numpy as np

from nodegraph import Context, NodeError, node

from .handles import Vae
from .sizes import common_batch
from .values import Image, Latent, Mask

INPAINTING = 9


@node(version=1, lane="gpu", category="latent")
def encode_image(ctx: Context, vae: Vae, image: Image, mask: Mask | None = None) -> Latent:
    """Turn a picture into the latent that a model works on.

    Args:
        image: Of any size.
        mask: What is to be made anew; the rest is kept. Of the picture's size.
    """
    import torch

    from .diffusion.pictures import encode, encode_hidden
    from .diffusion.progress import share

    batch = image.batch
    if mask is not None:
        if (mask.width, mask.height) != (image.width, image.height):
            raise NodeError(
                f"the mask is {mask.width} x {mask.height}, the picture {image.width} x {image.height}; resize one to "
                "the other",
                "mask",
            )
        batch = common_batch(("image", image.batch), ("mask", mask.batch))
    # Only inpainting models read the picture with its hole hidden, and encoding it takes as long as the picture.
    hidden = mask is not None and vae.checkpoint.in_channels == INPAINTING
    pixels = torch.from_numpy(image.pixels.copy())
    with ctx.lease(vae.autoencoder) as autoencoder:
        samples = encode(autoencoder, pixels, report=share(ctx.progress, 0, 1 + hidden)).numpy()
        masked = None
        if mask is not None and hidden:
            values = torch.from_numpy(mask.values.copy())
            masked = encode_hidden(autoencoder, pixels, values, report=share(ctx.progress, 1, 2)).numpy()
    return Latent(
        image.width,
        image.height,
        batch,
        np.repeat(samples, batch // len(samples), axis=0),
        None if mask is None else mask.values,
        None if masked is None else np.repeat(masked, batch // len(masked), axis=0),
    )
