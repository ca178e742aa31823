"""Parts of models in files of their own, as ComfyUI opens them.

What a file holds besides the part that is asked for is not read, so whole models serve too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from nodegraph import Choices, Context, Fact, Facts, Folders, Known, NodeError, node

from ..checkpoint import Checkpoint, ModelError, open_model
from ..checkpoint.spaces import STABLE_DIFFUSION, Space, space
from ..families import FAMILIES
from ..handles import Model, TextEncoder, Vae
from ..load_model import latent_space

CATEGORY = "ComfyUI"
Source = Annotated[str, Choices("models")]
Device = Literal["default", "cpu"]
Single = Literal[
    "stable_diffusion", "stable_cascade", "sd3", "stable_audio", "mochi", "ltxv", "pixart", "cosmos", "lumina2", "wan",
    "hidream", "chroma", "ace", "omnigen2", "qwen_image", "hunyuan_image",
]  # fmt: skip
Double = Literal["sdxl", "sd3", "flux", "hunyuan_video", "hidream", "hunyuan_image"]
SPACES: Mapping[str, Space] = {
    "sd": STABLE_DIFFUSION,
    "sdxl": Space(4, 8, 0.13025),
    "sd3": Space(16, 8, 1.5305),
    "flux1": Space(16, 8, 0.3611),
    "qwen": Space(16, 8, None),
    "flux2": Space(128, 16, None),
}
"""The latent spaces of families, by their names, for files that hold a denoiser alone."""


@node(version=1, title="UNETLoader", lane="io", category=CATEGORY)
def UNETLoader(
    ctx: Context, unet_name: Source,
    weight_dtype: Literal["default", "fp8_e4m3fn", "fp8_e4m3fn_fast", "fp8_e5m2"] = "default",
) -> Model:  # fmt: skip
    """Open a denoiser. Its weights load when a node first uses them.

    Args:
        unet_name: A file or folder in the folders of models.
        weight_dtype: Is not read: weights have the precision that fits the device.
    """
    found = _opened(unet_name, ctx.folders, "unet_name")
    return Model(found, space=_space(found))


@node(version=1, title="VAELoader", lane="io", category=CATEGORY)
def VAELoader(ctx: Context, vae_name: Source) -> Vae:
    """Open a VAE. Its weights load when a node first uses them.

    Args:
        vae_name: A file or folder in the folders of models.
    """
    found = _opened(vae_name, ctx.folders, "vae_name")
    if found.vae is None:
        raise NodeError(f"{found.name} holds no VAE; name a file that does", "vae_name")
    # Which denoiser it is for is not known here, so a hole is always encoded too.
    return Vae(found, multiple=FAMILIES[found.family].multiple, hides=True)


@node(version=1, title="CLIPLoader", lane="io", category=CATEGORY)
def CLIPLoader(
    ctx: Context, clip_name: Source, type: Single = "stable_diffusion", device: Device = "default"
) -> TextEncoder:
    """Open a model's text encoder. Its weights load when a node first uses them.

    Args:
        clip_name: A file or folder in the folders of models.
        type: Is not read: what it is for is found out from the file.
        device: Whether to compute on the processor.
    """
    return _encoders(ctx, device, clip_name=clip_name)


@node(version=1, title="DualCLIPLoader", lane="io", category=CATEGORY)
def DualCLIPLoader(
    ctx: Context, clip_name1: Source, clip_name2: Source, type: Double = "sdxl", device: Device = "default"
) -> TextEncoder:
    """Open a model's two text encoders. Their weights load when a node first uses them.

    Args:
        clip_name1: A file or folder in the folders of models.
        clip_name2: The same, for the other.
        type: Is not read: what they are for is found out from the files.
        device: Whether to compute on the processor.
    """
    return _encoders(ctx, device, clip_name1=clip_name1, clip_name2=clip_name2)


@node(version=1, title="TripleCLIPLoader", lane="io", category=CATEGORY)
def TripleCLIPLoader(ctx: Context, clip_name1: Source, clip_name2: Source, clip_name3: Source) -> TextEncoder:
    """Open a model's three text encoders. Their weights load when a node first uses them.

    Args:
        clip_name1: A file or folder in the folders of models.
        clip_name2: The same, for the second.
        clip_name3: The same, for the third.
    """
    return _encoders(ctx, "default", clip_name1=clip_name1, clip_name2=clip_name2, clip_name3=clip_name3)


def _opened(name: str, folders: Folders, port: str) -> Checkpoint:
    try:
        return open_model(name, folders.models)
    except ModelError as error:
        raise NodeError(str(error), port) from error


def _encoders(ctx: Context, device: Device, **names: str) -> TextEncoder:
    return TextEncoder(_encoding(ctx.folders, **names), device="cpu" if device == "cpu" else "auto")


def _encoding(folders: Folders, **names: str) -> Checkpoint:
    """The model that all of these name."""
    port, name = next(iter(names.items()))
    found = _opened(name, folders, port)
    if not found.text_encoders:
        raise NodeError(f"{found.name} holds no text encoder; name a file that does", port)
    for other, named in names.items():
        if _opened(named, folders, other).path != found.path:
            message = f"text encoders of one model go together, but these are of {name!r} and {named!r}"
            raise NodeError(f"{message}; name one model for all", other)
    return found


def _space(found: Checkpoint) -> Space:
    return SPACES[FAMILIES[found.family].space] if found.vae is None else space(found.vae)


def _revision(*found: Checkpoint) -> str:
    return "\0".join(f"{each.path}\0{each.revision}" for each in found)


@UNETLoader.fingerprint
def _denoiser_revision(unet_name: str, folders: Folders) -> str:
    return _revision(_opened(unet_name, folders, "unet_name"))


@VAELoader.fingerprint
def _vae_revision(vae_name: str, folders: Folders) -> str:
    return _revision(_opened(vae_name, folders, "vae_name"))


@CLIPLoader.fingerprint
def _one_revision(clip_name: str, folders: Folders) -> str:
    return _revision(_encoding(folders, clip_name=clip_name))


@DualCLIPLoader.fingerprint
def _two_revision(clip_name1: str, clip_name2: str, folders: Folders) -> str:
    return _revision(_encoding(folders, clip_name1=clip_name1, clip_name2=clip_name2))


@TripleCLIPLoader.fingerprint
def _three_revision(clip_name1: str, clip_name2: str, clip_name3: str, folders: Folders) -> str:
    names = {"clip_name1": clip_name1, "clip_name2": clip_name2, "clip_name3": clip_name3}
    return _revision(_encoding(folders, **names))


def _prompt(found: Checkpoint) -> str:
    family = FAMILIES[found.family]
    return f"{family.name} of width {family.width(found.denoiser.config)}"


@UNETLoader.facts
def _denoiser(known: Known) -> Mapping[str, Facts]:
    name = known.value("unet_name")
    if name is None:
        return {}
    found = _opened(str(name), known.folders, "unet_name")
    family = FAMILIES[found.family]
    told: dict[str, Fact | None] = {
        "family": family.name,
        "latent space": family.space if found.vae is None else latent_space(family, found),
        "channels": _space(found).channels,
        "prompt": _prompt(found),
        "prompt width": family.width(found.denoiser.config),
        "prediction": found.prediction,
        "refines": family.refines or None,
        "inpaints": family.inpaints(found.denoiser.config) or None,
        "weights": found.denoiser.bytes,
    }
    return {"model": Facts(told)}


@VAELoader.facts
def _autoencoder(known: Known) -> Mapping[str, Facts]:
    name = known.value("vae_name")
    if name is None:
        return {}
    found = _opened(str(name), known.folders, "vae_name")
    if found.vae is None:
        known.refuse("vae_name", f"{found.name} holds no VAE; name a file that does")
        return {}
    told: dict[str, Fact | None] = {
        "latent space": latent_space(FAMILIES[found.family], found),
        "channels": space(found.vae).channels,
        "weights": found.vae.bytes,
    }
    return {"vae": Facts(told)}


@CLIPLoader.facts
@DualCLIPLoader.facts
@TripleCLIPLoader.facts
def _texts(known: Known) -> Mapping[str, Facts]:
    values = {port: known.value(port) for port in ("clip_name", "clip_name1", "clip_name2", "clip_name3")}
    names = {port: str(value) for port, value in values.items() if value is not None}
    if not names:
        return {}
    found = _encoding(known.folders, **names)
    told: dict[str, Fact | None] = {
        "family": found.family,
        "prompt": _prompt(found),
        "weights": sum(part.bytes for part in found.text_encoders),
    }
    return {"text_encoder": Facts(told)}
