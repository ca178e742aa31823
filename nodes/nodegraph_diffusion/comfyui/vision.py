"""Pictures as prompts, as ComfyUI has them: an encoder of pictures and, for Flux.1, a style model (Redux), for Stable
Diffusion XL unCLIP (Revision)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from pydantic import Field

from nodegraph import Choices, Context, Fact, Facts, Folders, Known, NodeError, Widget, choices, node

from ..adapter_files import AdapterFiles
from ..checkpoint import Checkpoint
from ..checkpoint.vision import FAMILY, StyleModel, Vision, open_style_model, open_vision
from ..families import FAMILIES
from ..late import np
from ..leases import Weights
from ..params import Unit
from ..sizes import common_batch
from ..values import Conditioning, Floats, Image, Likeness, frozen

CATEGORY = "ComfyUI"
VISIONS: AdapterFiles[Vision] = AdapterFiles(open_vision, lambda found: f"vectors of width {found.width}")
STYLES: AdapterFiles[StyleModel] = AdapterFiles(open_style_model, lambda found: f"prompts of width {found.width}")
Share = Annotated[float, Field(ge=-10, le=10), Widget("number", step=0.01)]
Strength = Annotated[float, Field(ge=0, le=10), Widget("number", step=0.001)]


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What an encoder sees in pictures: float32 (B, T, D), a vector for each patch, and CLIP's (B, P), one for each
    picture as a whole."""

    vectors: Floats
    encoder: str
    whole: Floats | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "vectors", frozen(self.vectors, 3, "Seen.vectors (batch, patch, width)"))
        if self.whole is not None:
            object.__setattr__(self, "whole", frozen(self.whole, 2, "Seen.whole (batch, width)"))


@node(version=1, title="CLIPVisionLoader", lane="io", category=CATEGORY)
def CLIPVisionLoader(ctx: Context, clip_name: Annotated[str, Choices("clip_visions")]) -> Vision:
    """Open an encoder of pictures. Its weights load when a node first uses them.

    Args:
        clip_name: SigLIP's or CLIP's, as a `.safetensors` file in the folders of models.
    """
    return VISIONS.open(clip_name, ctx.folders, "clip_name")


@node(version=1, title="CLIPVisionEncode", lane="gpu", category=CATEGORY)
def CLIPVisionEncode(
    ctx: Context, clip_vision: Vision, image: Image, crop: Literal["center", "none"] = "center"
) -> Seen:
    """See what is in a picture.

    Args:
        crop: Whether the middle square is looked at, or the whole, squeezed into a square.
    """
    from ..diffusion.images import patches_seen

    with ctx.lease(_weights(clip_vision.checkpoint)) as encoder:
        patches, whole = patches_seen(encoder, image.to_bytes(), whole=crop == "none")
    return Seen(patches.numpy(), clip_vision.checkpoint.name, None if whole is None else whole.numpy())


@node(version=1, title="unCLIPConditioning", category=CATEGORY)
def UnCLIPConditioning(
    conditioning: Conditioning, clip_vision_output: Seen, strength: Share = 1.0, noise_augmentation: Unit = 0.0
) -> Conditioning:
    """Let a picture stand for what a prompt for Stable Diffusion XL says as a whole.

    Several nodes behind each other add their pictures up.

    Args:
        conditioning: What it says word by word still counts, unless ConditioningZeroOut empties it before.
        clip_vision_output: What CLIP's encoder that belongs to the model sees, clip_vision_g.
        strength: How much the picture counts.
        noise_augmentation: How far it is hidden in noise, which lets the model go away from it.
    """
    if clip_vision_output.whole is None:
        raise NodeError(_no_clip(clip_vision_output.encoder), "clip_vision_output")
    if not strength:
        return conditioning
    shown = Likeness(clip_vision_output.whole, strength, noise_augmentation)
    return conditioning.each(lambda part: replace(part, likenesses=(*part.likenesses, shown)))


@node(version=1, title="StyleModelLoader", lane="io", category=CATEGORY)
def StyleModelLoader(ctx: Context, style_model_name: Annotated[str, Choices("style_models")]) -> StyleModel:
    """Open a style model. Its weights load when a node first uses them.

    Args:
        style_model_name: Flux.1 Redux, as a `.safetensors` file in the folders of models.
    """
    return STYLES.open(style_model_name, ctx.folders, "style_model_name")


@node(version=1, title="StyleModelApply", lane="gpu", category=CATEGORY)
def StyleModelApply(
    ctx: Context, conditioning: Conditioning, style_model: StyleModel, clip_vision_output: Seen,
    strength: Strength = 1.0, strength_type: Literal["multiply", "attn_bias"] = "multiply",
) -> Conditioning:  # fmt: skip
    """Let a picture say what a picture should show, behind a prompt for Flux.1.

    Args:
        strength: How much the picture counts.
        strength_type: How it is made to: its vectors are multiplied. The other way is known for a strength of 1 alone,
            where both are the same.
    """
    if strength_type == "attn_bias" and strength != 1:
        raise NodeError(f"a strength of {strength:g} by attn_bias is not carried; use multiply", "strength_type")
    if reason := _unread(style_model, clip_vision_output.vectors.shape[2], clip_vision_output.encoder):
        raise NodeError(reason, "clip_vision_output")
    if (width := conditioning.tokens.shape[2]) != style_model.width:
        raise NodeError(_unfit(style_model, f"it is {width} wide"), "conditioning")
    import torch

    with ctx.lease(_weights(style_model.checkpoint)) as network, torch.no_grad():
        vectors = torch.from_numpy(clip_vision_output.vectors.copy()).to(network.device, network.dtype)
        shown = network(vectors).image_embeds.float().cpu().numpy() * np.float32(strength)
    return conditioning.each(lambda part: replace(part, tokens=_joined(part.tokens, shown)))


def _joined(tokens: Floats, shown: Floats) -> Floats:
    """A prompt (B, T, D) and pictures behind it. One of either goes with several of the other."""
    batch = common_batch(("conditioning", len(tokens)), ("clip_vision_output", len(shown)))
    return np.concatenate([np.repeat(each, batch // len(each), axis=0) for each in (tokens, shown)], axis=1)


def _weights(checkpoint: Checkpoint) -> Weights[Any]:
    from ..diffusion.devices import choose_device, choose_dtype

    place = choose_device()
    return Weights(checkpoint, checkpoint.denoiser, choose_dtype(place), place)


def _no_clip(encoder: str) -> str:
    return f"{encoder} is SigLIP's encoder, and what is read is CLIP's; load clip_vision_g"


def _unread(style: StyleModel, width: int, encoder: str) -> str:
    """Why a style model does not go with an encoder; empty where it does."""
    if width == style.reads:
        return ""
    return (
        f"{style.checkpoint.name} reads vectors of width {style.reads}, but {encoder} gives {width}; load the encoder "
        "that it was trained with, SigLIP's"
    )


def _unfit(style: StyleModel, given: str) -> str:
    return (
        f"{style.checkpoint.name} makes prompts for {FAMILIES[FAMILY].title} of width {style.width}, and this prompt "
        f"is not one of those: {given}; encode it with the text encoder of such a model"
    )


@CLIPVisionLoader.fingerprint
def _vision_revision(clip_name: str, folders: Folders) -> str:
    return VISIONS.revision(clip_name, folders, "clip_name")


@StyleModelLoader.fingerprint
def _style_revision(style_model_name: str, folders: Folders) -> str:
    return STYLES.revision(style_model_name, folders, "style_model_name")


@CLIPVisionLoader.facts
def _vision(known: Known) -> Mapping[str, Facts]:
    name = known.value("clip_name")
    if name is None:
        return {}
    found = VISIONS.open(str(name), known.folders, "clip_name")
    told: dict[str, Fact | None] = {"vectors": found.width, "whole": found.whole, "encoder": found.checkpoint.name}
    return {"vision": Facts(told)}


@CLIPVisionEncode.facts
def _encoded(known: Known) -> Mapping[str, Facts]:
    return {"seen": known["clip_vision"]}


@UnCLIPConditioning.facts
def _pictured(known: Known) -> Mapping[str, Facts]:
    family, seen = known["conditioning"].get("family"), known["clip_vision_output"]
    if family in FAMILIES and not FAMILIES[str(family)].revises:
        title = FAMILIES[str(family)].title
        known.refuse("conditioning", f"{title} reads no pictures in the place of a prompt, Stable Diffusion XL does")
    if seen and "whole" not in seen:
        known.refuse("clip_vision_output", _no_clip(str(seen["encoder"])))
    return {"conditioning": known["conditioning"]}


@StyleModelLoader.facts
def _style(known: Known) -> Mapping[str, Facts]:
    name = known.value("style_model_name")
    if name is None:
        return {}
    found = STYLES.open(str(name), known.folders, "style_model_name")
    return {"style_model": Facts({"vectors": found.reads, "prompt": f"{FAMILY} of width {found.width}"})}


@StyleModelApply.facts
def _applied(known: Known) -> Mapping[str, Facts]:
    known.agree("vectors", "style_model", "clip_vision_output", hint="load the encoder that it was trained with")
    known.agree("prompt", "style_model", "conditioning", hint="a style model is for prompts of Flux.1")
    return {"conditioning": known["conditioning"]}


@choices("clip_visions")
def clip_visions(folders: Folders) -> Mapping[str, str]:
    """The encoders of pictures in the folders of models, in files of their own."""
    return VISIONS.listed(folders)


@choices("style_models")
def style_models(folders: Folders) -> Mapping[str, str]:
    """The style models in the folders of models."""
    return STYLES.listed(folders)
