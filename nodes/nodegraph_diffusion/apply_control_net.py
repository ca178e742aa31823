"""A ControlNet on a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from nodegraph import Choices, Context, Facts, Folders, Known, NodeError, choices, node

from .checkpoint import Checkpoint
from .checkpoint.controls import open_control
from .control_files import ControlFiles
from .families import FAMILIES
from .handles import Model, Vae
from .params import Hold, Unit
from .sizes import common_batch
from .values import ControlHint, Floats, Image, Mask

if TYPE_CHECKING:
    from torch import Tensor

CONTROL_NETS = ControlFiles(open_control, what="ControlNet")


@node(version=1, title="Apply ControlNet", lane="gpu", category="model")
def apply_control_net(
    ctx: Context,
    model: Model,
    image: Image,
    source: Annotated[str, Choices("controlnets")],
    vae: Vae | None = None,
    strength: Hold = 1.0,
    start: Unit = 0.0,
    end: Unit = 1.0,
    mask: Mask | None = None,
) -> Model:
    """Hold a model to the structure of a picture: its edges, depths, poses.

    Several are applied one behind the other; what they add is summed.

    Args:
        image: What the ControlNet was trained to read, such as the edges that Canny finds. It is brought to the size of
            the picture that is made.
        source: A ControlNet in the folders of models: a diffusers folder, or a file for Stable Diffusion 1, 2 or XL.
        vae: That of the model. ControlNets for Stable Diffusion 3, Flux.1 and Qwen-Image read latents and need it.
        strength: How strictly it is followed.
        start: From which part of the steps on it acts.
        end: Up to which part of the steps it acts.
        mask: The hole, of the picture's size, for ControlNets that fill one: that of Qwen-Image for inpainting.
    """
    found = CONTROL_NETS.open(source, ctx.folders)
    if model.family.control is None or found.family != model.family.name:
        raise NodeError(CONTROL_NETS.unlike(found, model.family.title), "source")
    if found.denoiser.cls == model.family.control.union:
        message = f"{found.name} knows pictures of several kinds"
        raise NodeError(f"{message}; say which one with SetUnionControlNetType and ControlNetApplyAdvanced", "source")
    if mask is not None and not model.family.control.hides(found.denoiser.config):
        raise NodeError(f"{found.name} fills no hole, so it reads no mask; take it away", "mask")
    hint = hint_of(ctx, found, image, vae, mask)
    return replace(model, controls=(*model.controls, ControlHint(found, hint, strength, start, end)))


def hint_of(ctx: Context, found: Checkpoint, image: Image, vae: Vae | None, mask: Mask | None = None) -> Floats:
    """What a ControlNet reads: the picture, or its latent, and what of it is no hole."""
    family = FAMILIES[found.family]
    if family.control is None or not family.control.latent(found.denoiser.config):
        return image.pixels
    if vae is None:
        raise NodeError(f"{found.name} reads latents; link the model's VAE", "vae")
    import torch
    from torch.nn import functional

    from .diffusion import spaces
    from .diffusion.pictures import encode

    pixels = torch.from_numpy(image.pixels.copy())
    hole = _hole(found, image, mask) if family.control.hides(found.denoiser.config) else None
    if hole is not None:
        pixels = pixels * (hole < 0.5)
    with ctx.lease(vae.autoencoder) as autoencoder:
        latents = encode(autoencoder, pixels, report=ctx.progress, multiple=family.multiple)
        if not family.control.shifted(found.denoiser.config):
            latents = latents + spaces.shift(autoencoder) * spaces.factor(autoencoder)
    if hole is not None:
        kept = functional.interpolate(1 - hole, latents.shape[-2:], mode="nearest-exact")
        batch = common_batch(("image", len(latents)), ("mask", len(kept)))
        latents = torch.cat([each.repeat(batch // len(each), 1, 1, 1) for each in (latents, kept)], dim=1)
    return latents.numpy()


def _hole(found: Checkpoint, image: Image, mask: Mask | None) -> Tensor:
    """What is to be filled: (1 or B, 1, H, W)."""
    import torch

    if mask is None:
        raise NodeError(f"{found.name} fills a hole, which no mask says; use ApplyControlNet with one")
    if (mask.width, mask.height) != (image.width, image.height):
        given = f"the mask is {mask.width} x {mask.height}, the picture {image.width} x {image.height}"
        raise NodeError(f"{given}; resize one to the other", "mask")
    return torch.from_numpy(mask.values.copy())[:, None]


@apply_control_net.fingerprint
def _revision(source: str, folders: Folders) -> str:
    return CONTROL_NETS.revision(source, folders)


@apply_control_net.facts
def _facts(known: Known) -> Mapping[str, Facts]:
    known.agree("latent space", "model", "vae", hint="use the VAE of the same model")
    found = CONTROL_NETS.fitting(known)
    control = None if found is None else FAMILIES[found.family].control
    if found and control and control.latent(found.denoiser.config) and "vae" not in known:
        known.refuse("vae", f"{found.name} reads latents; link the model's VAE")
    if found and control and control.hides(found.denoiser.config) and "mask" not in known:
        known.refuse("mask", f"{found.name} fills a hole; link a mask")
    return {"model": known["model"]}


@choices("controlnets")
def controlnets(folders: Folders) -> Mapping[str, str]:
    """The ControlNets in the folders of models, each with what it is for."""
    return CONTROL_NETS.listed(folders)
