"""Pictures made into latents, whole or with a hole, as ComfyUI does: what is no whole cell is cut off."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Annotated, NamedTuple

from pydantic import Field

from nodegraph import Context, Facts, Known, Widget, node

from ..checkpoint.spaces import space
from ..estimates import coding
from ..handles import Vae
from ..late import np
from ..sizes import check_size
from ..values import Conditioning, Floats, Image, Latent, Mask
from .latents import fitted, repeated

CATEGORY = "ComfyUI"
Tile = Annotated[int, Field(ge=64, le=4096), Widget("number", step=64)]
Overlap = Annotated[int, Field(ge=0, le=4096), Widget("number", step=32)]
Frames = Annotated[int, Field(ge=4, le=4096), Widget("number", step=4)]


class Hole(NamedTuple):
    positive: Conditioning
    negative: Conditioning
    latent: Latent


@node(version=1, title="VAEEncode", lane="gpu", category=CATEGORY)
def VAEEncode(ctx: Context, pixels: Image, vae: Vae) -> Latent:
    """Turn a picture into the latent that a model works on.

    Args:
        pixels: The picture. What is beyond a multiple of a cell, mostly of 8 pixels, is cut off on both sides.
    """
    picture, _ = _cropped(pixels, _empty(pixels), vae)
    return Latent(picture.width, picture.height, picture.batch, _encode(ctx, vae, picture))


@node(version=1, title="VAEEncodeTiled", lane="gpu", category=CATEGORY)
def VAEEncodeTiled(
    ctx: Context, pixels: Image, vae: Vae, tile_size: Tile = 512, overlap: Overlap = 64, temporal_size: Frames = 64,
    temporal_overlap: Frames = 8,
) -> Latent:  # fmt: skip
    """Turn a picture into the latent that a model works on, in tiles.

    Args:
        pixels: The picture. What is beyond a multiple of a cell, mostly of 8 pixels, is cut off on both sides.
        tile_size: Is not read: tiles have the size that fits here.
        overlap: Is not read either.
        temporal_size: Is for films.
        temporal_overlap: Is for films.
    """
    latent: Latent = VAEEncode.fn(ctx, pixels, vae)
    return latent


@node(version=1, title="VAEEncodeForInpaint", lane="gpu", category=CATEGORY)
def VAEEncodeForInpaint(
    ctx: Context, pixels: Image, vae: Vae, mask: Mask,
    grow_mask_by: Annotated[int, Field(ge=0, le=64), Widget("number", step=1)] = 6,
) -> Latent:  # fmt: skip
    """Encode a picture with its hole greyed, to be sampled at full strength.

    Args:
        pixels: The picture. What is beyond a multiple of a cell is cut off on both sides.
        mask: The hole. Hard at one half.
        grow_mask_by: How many pixels wide the hole is grown for sampling, which hides its seam.
    """
    picture, hole = _cropped(pixels, fitted(mask, pixels.width, pixels.height), vae)
    samples = _encode(ctx, vae, _greyed(picture, hole))
    return _latent(picture, samples, _grown(hole, grow_mask_by), samples if _inpaints(vae) else None)


@node(version=1, title="InpaintModelConditioning", lane="gpu", category=CATEGORY)
def InpaintModelConditioning(
    ctx: Context, positive: Conditioning, negative: Conditioning, vae: Vae, pixels: Image, mask: Mask,
    noise_mask: bool = True,
) -> Hole:  # fmt: skip
    """Prepare a picture with a hole for models that were trained to fill one.

    Args:
        positive: Passed on.
        negative: Passed on.
        pixels: The picture. What is beyond a multiple of a cell is cut off on both sides.
        mask: The hole.
        noise_mask: Also keep what is around the hole. Without it only the model sees the hole, which has to read one.
    Returns:
        positive: As it came.
        negative: As it came.
        latent: The picture and its hole.
    """
    picture, hole = _cropped(pixels, fitted(mask, pixels.width, pixels.height), vae)
    samples = _encode(ctx, vae, picture)
    hidden = _encode(ctx, vae, _greyed(picture, hole)) if _inpaints(vae) else None
    return Hole(positive, negative, replace(_latent(picture, samples, hole, hidden), keeps=noise_mask))


@node(version=1, title="InstructPixToPixConditioning", lane="gpu", category=CATEGORY)
def InstructPixToPixConditioning(
    ctx: Context, positive: Conditioning, negative: Conditioning, vae: Vae, pixels: Image
) -> Hole:
    """Prepare a picture for models that were trained to make another of it.

    Those are InstructPix2Pix, HiDream-E1, Flux.1 Canny and Depth.

    Args:
        positive: Passed on.
        negative: Passed on.
        pixels: The picture. What is beyond a multiple of a cell is cut off on both sides.
    Returns:
        positive: As it came.
        negative: As it came.
        latent: An empty latent of its size, with the picture beside it.
    """
    picture, _ = _cropped(pixels, _empty(pixels), vae)
    seen = _encode(ctx, vae, picture)
    latent = Latent(picture.width, picture.height, len(seen), np.zeros_like(seen), None, seen, keeps=False)
    return Hole(positive, negative, latent)


def _empty(image: Image) -> Floats:
    return np.zeros((1, image.height, image.width), np.float32)


def _cropped(image: Image, mask: Floats, vae: Vae) -> tuple[Image, Floats]:
    """A picture and its mask without what is beyond a multiple of a cell."""
    cell = space(vae.checkpoint.autoencoder).cell
    height, width = image.height // cell * cell, image.width // cell * cell
    check_size(width, height, image.batch, "pixels")
    y, x = (image.height - height) // 2, (image.width - width) // 2
    return Image(image.pixels[:, :, y : y + height, x : x + width]), mask[:, y : y + height, x : x + width]


def _greyed(image: Image, hole: Floats) -> Image:
    return Image((image.pixels - np.float32(0.5)) * (1 - np.rint(hole[:, None])) + np.float32(0.5))


def _grown(hole: Floats, width: int) -> Floats:
    """The hard hole, grown by a square of this many pixels."""
    if width == 0:
        return np.rint(hole)
    from scipy.ndimage import maximum_filter

    return np.asarray(maximum_filter(np.rint(hole), size=(1, width, width), mode="constant"), np.float32)


def _inpaints(vae: Vae) -> bool:
    return vae.hides


def _encode(ctx: Context, vae: Vae, image: Image) -> Floats:
    import torch

    from ..diffusion.pictures import encode

    with ctx.lease(vae.autoencoder) as autoencoder:
        return encode(autoencoder, torch.from_numpy(image.pixels.copy()), report=ctx.progress).numpy()


def encoded_picture(ctx: Context, vae: Vae, image: Image) -> Floats:
    """The latent (B, C, h, w) of a picture, without what is beyond a multiple of a cell."""
    return _encode(ctx, vae, _cropped(image, _empty(image), vae)[0])


def _latent(image: Image, samples: Floats, mask: Floats, masked: Floats | None) -> Latent:
    batch = math.lcm(len(samples), len(mask))
    whole = repeated(samples, batch // len(samples))
    hidden = None if masked is None else repeated(masked, batch // len(masked))
    return Latent(image.width, image.height, batch, whole, mask, hidden)


@VAEEncode.facts
@VAEEncodeTiled.facts
def _encoded(known: Known) -> dict[str, Facts]:
    coding(known, known["pixels"])
    made = known["vae"].only("latent space", "channels") | known["pixels"].only("batch") | {"content": "a picture"}
    return {"latent": made}
