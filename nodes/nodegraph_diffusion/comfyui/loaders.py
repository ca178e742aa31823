"""Parts of models in files of their own, as ComfyUI opens them.

What a file holds besides the part that is asked for is not read, so whole models serve too. A file that holds a text
encoder or VAE alone does not say what it is for: so its loader has one input more than its namesake, the model.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from nodegraph import Choices, Context, Fact, Facts, Folders, Known, NodeError, node

from ..checkpoint import (
    DEMO,
    Checkpoint,
    Component,
    ModelError,
    find_file,
    lone,
    open_model,
    with_text_encoders,
    with_vae,
)
from ..checkpoint.header import digest
from ..checkpoint.spaces import STABLE_DIFFUSION, Space, space
from ..families import FAMILIES
from ..handles import Model, TextEncoder, Vae
from ..load_model import latent_space

CATEGORY = "ComfyUI"
Source = Annotated[str, Choices("models")]
Device = Literal["default", "cpu"]
Single = Literal[
    "stable_diffusion", "stable_cascade", "sd3", "stable_audio", "mochi", "ltxv", "pixart", "cosmos", "lumina2", "wan",
    "hidream", "chroma", "ace", "omnigen2", "qwen_image", "hunyuan_image", "flux2", "ovis",
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
def VAELoader(ctx: Context, vae_name: Source, model: Model | None = None) -> Vae:
    """Open a VAE. Its weights load when a node first uses them.

    Args:
        vae_name: A file or folder in the folders of models.
        model: What it is for. A file that holds a VAE alone does not say it.
    """
    found = _pictures(vae_name, None if model is None else model.checkpoint, ctx.folders)
    # Which denoiser it is for need not be known here, so a hole is always encoded too.
    return Vae(found, multiple=FAMILIES[found.family].multiple, hides=True)


@node(version=1, title="CLIPLoader", lane="io", category=CATEGORY)
def CLIPLoader(
    ctx: Context, clip_name: Source, type: Single = "stable_diffusion", device: Device = "default",
    model: Model | None = None,
) -> TextEncoder:  # fmt: skip
    """Open a model's text encoder. Its weights load when a node first uses them.

    Args:
        clip_name: A file or folder in the folders of models.
        type: Is not read: what it is for is found out from the model, or the file.
        device: Whether to compute on the processor.
        model: What it is for. A file that holds a text encoder alone does not say it.
    """
    return _encoders(ctx, device, model, clip_name=clip_name)


@node(version=1, title="DualCLIPLoader", lane="io", category=CATEGORY)
def DualCLIPLoader(
    ctx: Context, clip_name1: Source, clip_name2: Source, type: Double = "sdxl", device: Device = "default",
    model: Model | None = None,
) -> TextEncoder:  # fmt: skip
    """Open a model's two text encoders. Their weights load when a node first uses them.

    Args:
        clip_name1: A file or folder in the folders of models.
        clip_name2: The same, for the other.
        type: Is not read: what they are for is found out from the model, or the files.
        device: Whether to compute on the processor.
        model: What they are for. Files that hold text encoders alone do not say it.
    """
    return _encoders(ctx, device, model, clip_name1=clip_name1, clip_name2=clip_name2)


@node(version=1, title="TripleCLIPLoader", lane="io", category=CATEGORY)
def TripleCLIPLoader(
    ctx: Context, clip_name1: Source, clip_name2: Source, clip_name3: Source, model: Model | None = None
) -> TextEncoder:
    """Open a model's three text encoders. Their weights load when a node first uses them.

    Args:
        clip_name1: A file or folder in the folders of models.
        clip_name2: The same, for the second.
        clip_name3: The same, for the third.
        model: What they are for. Files that hold text encoders alone do not say it.
    """
    return _encoders(ctx, "default", model, clip_name1=clip_name1, clip_name2=clip_name2, clip_name3=clip_name3)


@node(version=1, title="QuadrupleCLIPLoader", lane="io", category=CATEGORY)
def QuadrupleCLIPLoader(
    ctx: Context, clip_name1: Source, clip_name2: Source, clip_name3: Source, clip_name4: Source,
    model: Model | None = None,
) -> TextEncoder:  # fmt: skip
    """Open a model's four text encoders. Their weights load when a node first uses them.

    Args:
        clip_name1: A file or folder in the folders of models.
        clip_name2: The same, for the second.
        clip_name3: The same, for the third.
        clip_name4: The same, for the fourth.
        model: What they are for. Files that hold text encoders alone do not say it.
    """
    names = {"clip_name1": clip_name1, "clip_name2": clip_name2, "clip_name3": clip_name3, "clip_name4": clip_name4}
    return _encoders(ctx, "default", model, **names)


def _opened(name: str, folders: Folders, port: str) -> Checkpoint:
    try:
        return open_model(name, folders.models)
    except ModelError as error:
        raise NodeError(str(error), port) from error


def _pictures(name: str, model: Checkpoint | None, folders: Folders) -> Checkpoint:
    """The model that a VAE is of, or `model` with it."""
    try:
        found = open_model(name, folders.models) if model is None else with_vae(model, name, folders.models)
    except ModelError as error:
        raise NodeError(str(error), "vae_name") from error
    if found.vae is None:
        raise NodeError(f"{found.name} holds no VAE; name a file that does", "vae_name")
    return found


def _encoders(ctx: Context, device: Device, model: Model | None, **names: str) -> TextEncoder:
    found = _texts(None if model is None else model.checkpoint, ctx.folders, **names)
    return TextEncoder(found, device="cpu" if device == "cpu" else "auto")


def _texts(model: Checkpoint | None, folders: Folders, **names: str) -> Checkpoint:
    """The model that text encoders are of, or `model` with them."""
    port, name = next(iter(names.items()))
    several = ",".join(dict.fromkeys(names.values()))
    try:
        if model is None and "," in several:
            raise ModelError(f"{several}: of text encoders in several files the model must be known; link it")
        found = (
            open_model(name, folders.models) if model is None else with_text_encoders(model, several, folders.models)
        )
    except ModelError as error:
        raise NodeError(str(error), port) from error
    if not found.text_encoders:
        raise NodeError(f"{found.name} holds no text encoder; name a file that does", port)
    return found


def _space(found: Checkpoint) -> Space:
    return SPACES[FAMILIES[found.family].space] if found.vae is None else space(found.vae)


def _revision(folders: Folders, **names: str) -> str:
    """What changes when one of the files does."""
    return "\0".join(_state(name, folders, port) for port, name in names.items())


def _state(name: str, folders: Folders, port: str) -> str:
    try:
        path = DEMO if name == DEMO else _file(name, folders)
        if path is None:
            found = open_model(name, folders.models)
            return f"{found.path}\0{found.revision}"
    except ModelError as error:
        raise NodeError(str(error), port) from error
    return DEMO if path == DEMO else f"{path}\0{digest([Path(path)], [], mtime=True)}"


def _file(name: str, folders: Folders) -> Path | None:
    """The file of that name; None where it is the folder of a whole model."""
    given = Path(name).expanduser()
    tried = [given] if given.is_absolute() else [base / given for base in folders.models]
    return None if any(path.is_dir() for path in tried) else find_file(name, folders.models)


@UNETLoader.fingerprint
def _denoiser_revision(unet_name: str, folders: Folders) -> str:
    found = _opened(unet_name, folders, "unet_name")
    return f"{found.path}\0{found.revision}"


@VAELoader.fingerprint
def _vae_revision(vae_name: str, folders: Folders) -> str:
    return _revision(folders, vae_name=vae_name)


@CLIPLoader.fingerprint
def _one_revision(clip_name: str, folders: Folders) -> str:
    return _revision(folders, clip_name=clip_name)


@DualCLIPLoader.fingerprint
def _two_revision(clip_name1: str, clip_name2: str, folders: Folders) -> str:
    return _revision(folders, clip_name1=clip_name1, clip_name2=clip_name2)


@TripleCLIPLoader.fingerprint
def _three_revision(clip_name1: str, clip_name2: str, clip_name3: str, folders: Folders) -> str:
    return _revision(folders, clip_name1=clip_name1, clip_name2=clip_name2, clip_name3=clip_name3)


@QuadrupleCLIPLoader.fingerprint
def _four_revision(clip_name1: str, clip_name2: str, clip_name3: str, clip_name4: str, folders: Folders) -> str:
    return _revision(
        folders, clip_name1=clip_name1, clip_name2=clip_name2, clip_name3=clip_name3, clip_name4=clip_name4
    )


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
    name, family = known.value("vae_name"), known["model"].get("family")
    if name is None:
        return {}
    if family in FAMILIES and (part := _alone(str(name), known.folders, "vae_name", str(family))):
        own: dict[str, Fact | None] = {"latent space": FAMILIES[str(family)].space, "weights": part[0].bytes}
        return {"vae": Facts(own) | known["model"].only("channels")}
    found = _pictures(str(name), None, known.folders)
    told: dict[str, Fact | None] = {
        "latent space": latent_space(FAMILIES[found.family], found),
        "channels": space(found.autoencoder).channels,
        "weights": found.autoencoder.bytes,
    }
    return {"vae": Facts(told)}


@CLIPLoader.facts
@DualCLIPLoader.facts
@TripleCLIPLoader.facts
@QuadrupleCLIPLoader.facts
def _encoded(known: Known) -> Mapping[str, Facts]:
    ports = ("clip_name", *(f"clip_name{number}" for number in range(1, 5)))
    values = {port: known.value(port) for port in ports}
    names = {port: str(value) for port, value in values.items() if value is not None}
    family = known["model"].get("family")
    if not names:
        return {}
    several = ",".join(dict.fromkeys(names.values()))
    if family in FAMILIES and (parts := _alone(several, known.folders, next(iter(names)), str(family))):
        weights: dict[str, Fact | None] = {"weights": sum(part.bytes for part in parts)}
        return {"text_encoder": known["model"].only("family", "prompt") | weights}
    if len(set(names.values())) > 1:
        port = next(iter(names))
        known.refuse(port, f"{several} are no files with one text encoder of one model each; name one model for all")
        return {}
    found = _texts(None, known.folders, **names)
    told: dict[str, Fact | None] = {
        "family": found.family,
        "prompt": _prompt(found),
        "weights": sum(part.bytes for part in found.text_encoders),
    }
    return {"text_encoder": Facts(told)}


def _alone(names: str, folders: Folders, port: str, family: str) -> tuple[Component, ...]:
    """The parts that files hold alone, for a model of that family; none where they hold something else."""
    try:
        paths = [None if name == DEMO else _file(name, folders) for name in names.split(",")]
        files = [path for path in paths if path is not None]
        if len(files) < len(paths) or any(path.suffix != ".safetensors" for path in files):
            return ()
        if port == "vae_name":
            part = lone.vae(files[0], FAMILIES[family])
            return () if part is None else (part,)
        return lone.text_encoders(files, FAMILIES[family]) or ()
    except ModelError as error:
        raise NodeError(str(error), port) from error
