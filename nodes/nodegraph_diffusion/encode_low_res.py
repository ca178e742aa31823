"""A small picture for a model that enlarges."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from nodegraph import Facts, Known, NodeError, Widget, node

from .handles import Vae
from .sizes import check_size
from .values import Image, Latent

SMALL = "a small picture"
"""The fact "content" of what this node gives."""
NoiseLevel = Annotated[int, Field(ge=0, le=350), Widget("slider", min=0, max=100, step=1)]
UNLIKE = (
    "needs the VAE of an upscaling model (the x4 upscaler, Latent Diffusion's super-resolution); use EncodeImage for "
    "others"
)


@node(version=1, title="Encode low-res image", category="latent")
def encode_low_res(vae: Vae, image: Image, noise_level: NoiseLevel = 20) -> Latent:
    """Begin a larger picture from a small one, for models that were trained to enlarge.

    The picture that Sample makes has as many times the size as a cell of the model's latent has pixels: 4 for the x4
    upscaler and for Latent Diffusion's super-resolution.

    Args:
        vae: That of the model.
        image: The small picture.
        noise_level: Of the x4 upscaler: how much noise hides the small picture, so that more of it is made up. Other
            models do not read it.
    """
    from .checkpoint.spaces import space

    if not vae.enlarges:
        raise NodeError(f"{vae.checkpoint.name!r}: {UNLIKE}", "vae")
    scale = space(vae.checkpoint.autoencoder).cell
    width, height = image.width * scale, image.height * scale
    check_size(width, height, image.batch, "image")
    return Latent(width, height, image.batch, low_res=image.pixels, noise_level=noise_level)


@encode_low_res.facts
def _facts(known: Known) -> dict[str, Facts]:
    vae, image = known["vae"], known["image"]
    scale = vae.size("enlarges")
    if scale is None and "latent space" in vae:
        known.refuse("vae", UNLIKE)
    made = image.only("batch") | {"content": SMALL}
    for side in ("width", "height"):
        length = image.size(side)
        made |= {side: None if scale is None or length is None else length * scale}
    return {"latent": vae.only("latent space", "channels") | made}
