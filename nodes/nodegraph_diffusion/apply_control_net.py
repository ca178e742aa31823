"""A ControlNet on a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated

from nodegraph import Choices, Context, Facts, Folders, Known, NodeError, choices, node

from .checkpoint import Checkpoint
from .checkpoint.controls import open_control
from .control_files import ControlFiles
from .families import FAMILIES
from .handles import Model, Vae
from .params import Hold, Unit
from .values import ControlHint, Floats, Image

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
    """
    found = CONTROL_NETS.open(source, ctx.folders)
    if model.family.control is None or found.family != model.family.name:
        raise NodeError(CONTROL_NETS.unlike(found, model.family.title), "source")
    hint = hint_of(ctx, found, image, vae)
    return replace(model, controls=(*model.controls, ControlHint(found, hint, strength, start, end)))


def hint_of(ctx: Context, found: Checkpoint, image: Image, vae: Vae | None) -> Floats:
    """What a ControlNet reads: the picture, or its latent."""
    family = FAMILIES[found.family]
    if family.control is None or not family.control.latent(found.denoiser.config):
        return image.pixels
    if vae is None:
        raise NodeError(f"{found.name} reads latents; link the model's VAE", "vae")
    import torch

    from .diffusion import spaces
    from .diffusion.pictures import encode

    pixels = torch.from_numpy(image.pixels.copy())
    with ctx.lease(vae.autoencoder) as autoencoder:
        latents = encode(autoencoder, pixels, report=ctx.progress, multiple=family.multiple)
        if not family.control.shifted(found.denoiser.config):
            latents = latents + spaces.shift(autoencoder) * spaces.factor(autoencoder)
    return latents.numpy()


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
    return {"model": known["model"]}


@choices("controlnets")
def controlnets(folders: Folders) -> Mapping[str, str]:
    """The ControlNets in the folders of models, each with what it is for."""
    return CONTROL_NETS.listed(folders)
