"""A picture as a latent."""

from __future__ import annotations

from nodegraph import Context, Facts, Known, NodeError, node

from .estimates import coding
from .handles import Vae
from .late import np
from .sizes import common_batch, goes_with
from .values import Image, Latent, Mask


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
    hidden = mask is not None and vae.hides
    pixels = torch.from_numpy(image.pixels.copy())
    tiled = True if ctx.tight else None
    if tiled:
        ctx.warn("works in tiles")
        ctx.note(memory="in tiles")
    with ctx.lease(vae.autoencoder) as autoencoder:
        report = share(ctx.progress, 0, 1 + hidden)
        samples = encode(autoencoder, pixels, tiled=tiled, report=report, multiple=vae.multiple).numpy()
        masked = None
        if mask is not None and hidden:
            values = torch.from_numpy(mask.values.copy())
            masked = encode_hidden(
                autoencoder, pixels, values, tiled=tiled, report=share(ctx.progress, 1, 2), multiple=vae.multiple
            ).numpy()
    return Latent(
        image.width,
        image.height,
        batch,
        np.repeat(samples, batch // len(samples), axis=0),
        None if mask is None else mask.values,
        None if masked is None else np.repeat(masked, batch // len(masked), axis=0),
    )


@encode_image.facts
def _facts(known: Known) -> dict[str, Facts]:
    for side in ("width", "height"):
        known.agree(side, "image", "mask", hint="resize one to the other")
    known.agree("batch", "image", "mask", hint="one goes with any number", same=goes_with)
    coding(known, known["image"])
    sizes = known["image"].only("width", "height", "batch")
    content = "a picture with a mask" if "mask" in known else "a picture"
    return {"latent": known["vae"].only("latent space", "channels") | sizes | {"content": content}}
