"""A latent as a picture."""

from __future__ import annotations

from typing import Literal

from nodegraph import Context, Facts, Known, NodeError, node

from .encode_low_res import SMALL
from .estimates import coding
from .handles import Vae
from .values import Image, Latent

TILED = {"auto": None, "always": True, "never": False}


@node(version=1, lane="gpu", category="latent")
def decode(ctx: Context, vae: Vae, latent: Latent, tiled: Literal["auto", "always", "never"] = "auto") -> Image:
    """Turn a latent into a picture.

    Args:
        latent: A sampled one, or an encoded picture.
        tiled: Whether to work on overlapping tiles, which takes little memory and changes pixels a little. By default
            only for large pictures.
    """
    if latent.samples is None:
        raise NodeError("an empty latent holds no picture yet; put `Sample` between", "latent")
    if latent.sigma > 0:
        ctx.warn(f"the latent still holds noise (sigma {latent.sigma:.3g}); sample it to the end first")
    import torch

    from .diffusion import pictures

    samples = torch.from_numpy(latent.samples.copy())
    in_tiles = TILED[tiled]
    if in_tiles is None and ctx.tight:
        ctx.warn("works in tiles")
        ctx.note(memory="in tiles")
        in_tiles = True
    with ctx.lease(vae.autoencoder) as autoencoder:
        try:
            made = pictures.decode(autoencoder, samples, latent.width, latent.height, in_tiles, report=ctx.progress)
        except ValueError as error:
            raise NodeError(str(error), "latent") from error
    return Image(made.numpy())


@decode.facts
def _facts(known: Known) -> dict[str, Facts]:
    known.agree("latent space", "vae", "latent", hint="decode it with the VAE of the model that made it")
    if known["latent"].get("content") in ("nothing", SMALL):
        known.refuse("latent", "an empty latent holds no picture yet; put `Sample` between")
    coding(known, known["latent"])
    return {"image": known["latent"].only("width", "height", "batch")}
