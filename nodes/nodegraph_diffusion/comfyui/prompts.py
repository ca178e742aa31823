"""Encoded prompts as ComfyUI changes them."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field

from nodegraph import Context, Facts, Known, NodeError, Widget, node

from ..encode_prompt import encoded
from ..families import UNTOLD
from ..handles import TextEncoder
from ..late import np
from ..params import Guidance, Text, Unit
from ..values import Conditioning, Latent, Mask, Window

CATEGORY = "ComfyUI"
CHUNK = 77
"""Tokens of an empty prompt for CLIP."""
Strength = Annotated[float, Field(ge=0, le=10), Widget("number", step=0.01)]
Length = Annotated[int, Field(ge=64, le=16384), Widget("number", step=8)]
Side = Annotated[int, Field(ge=0, le=16384), Widget("number", step=8)]
Tokens = Annotated[int, Field(ge=0, le=10_000), Widget("number", step=1)]
Score = Annotated[float, Field(ge=0, le=1000), Widget("number", step=0.01)]


@node(version=1, title="ConditioningSetArea", category=CATEGORY)
def ConditioningSetArea(
    conditioning: Conditioning, width: Length = 64, height: Length = 64, x: Side = 0, y: Side = 0,
    strength: Strength = 1.0,
) -> Conditioning:  # fmt: skip
    """Ask the model about a box of the picture by itself with this prompt.

    Args:
        width: In pixels.
        height: In pixels.
        x: Its left edge, in pixels.
        y: Its upper edge, in pixels.
        strength: How much the answer counts beside others.
    """
    window = Window(x, y, width, height)
    return conditioning.each(lambda part: replace(part, window=window, weight=strength))


@node(version=1, title="ConditioningSetAreaPercentage", category=CATEGORY)
def ConditioningSetAreaPercentage(
    conditioning: Conditioning, width: Unit = 1.0, height: Unit = 1.0, x: Unit = 0.0, y: Unit = 0.0,
    strength: Strength = 1.0,
) -> Conditioning:  # fmt: skip
    """Ask the model about a box of the picture by itself with this prompt.

    Args:
        width: As a part of the picture's.
        height: As a part of the picture's.
        x: Its left edge, as a part of the picture's width.
        y: Its upper edge, as a part of the picture's height.
        strength: How much the answer counts beside others.
    """
    window = Window(x, y, width, height, parts=True)
    return conditioning.each(lambda part: replace(part, window=window, weight=strength))


@node(version=1, title="ConditioningSetAreaStrength", category=CATEGORY)
def ConditioningSetAreaStrength(conditioning: Conditioning, strength: Strength = 1.0) -> Conditioning:
    """Change how much a prompt counts beside others.

    Args:
        strength: 1 is as much as one that says nothing of it.
    """
    return conditioning.each(lambda part: replace(part, weight=strength))


@node(version=1, title="ConditioningSetMask", category=CATEGORY)
def ConditioningSetMask(
    conditioning: Conditioning, mask: Mask, strength: Strength = 1.0,
    set_cond_area: Literal["default", "mask bounds"] = "default",
) -> Conditioning:  # fmt: skip
    """Let a prompt count in a part of the picture alone.

    Args:
        mask: Where it counts; it lies over the whole picture.
        strength: How much it counts there beside others.
        set_cond_area: Ask the model about the whole picture, or about the smallest box around the mask by itself.
    """
    if mask.batch != 1:
        raise NodeError(f"takes one mask, but a batch of {mask.batch} is given; take one out of it", "mask")
    bounded = set_cond_area == "mask bounds"
    return conditioning.each(lambda part: replace(part, mask=mask.values, weight=strength, bounded=bounded))


@node(version=1, title="ConditioningSetTimestepRange", category=CATEGORY)
def ConditioningSetTimestepRange(conditioning: Conditioning, start: Unit = 0.0, end: Unit = 1.0) -> Conditioning:
    """Let a prompt count on a part of the way from noise to picture alone, as the model was trained on it.

    Args:
        start: From which part of the noise on.
        end: Up to which part of it.
    """
    return conditioning.each(lambda part: replace(part, start=start, end=end, by_noise=True))


@node(version=1, title="FluxGuidance", category=CATEGORY)
def FluxGuidance(conditioning: Conditioning, guidance: Guidance = 3.5) -> Conditioning:
    """Tell a model that was distilled from guidance how strictly to follow this prompt.

    Args:
        guidance: Other models do not read it.
    """
    return conditioning.each(lambda part: replace(part, guidance=guidance))


@node(version=1, title="ReferenceLatent", category=CATEGORY)
def ReferenceLatent(conditioning: Conditioning, latent: Latent | None = None) -> Conditioning:
    """Show a model for editing, such as Flux.1 Kontext, a picture beside what it makes.

    Args:
        latent: The picture, encoded. Several nodes behind each other show several.
    """
    if latent is None:
        return conditioning
    if latent.samples is None or latent.batch != 1:
        given = "an empty latent" if latent.samples is None else f"a batch of {latent.batch}"
        raise NodeError(f"needs one encoded picture, got {given}; link EncodeImage", "latent")
    seen = latent.samples
    return conditioning.each(lambda part: replace(part, references=(*part.references, seen)))


@node(version=1, title="CLIPTextEncodeSD3", lane="gpu", category=CATEGORY)
def CLIPTextEncodeSD3(
    ctx: Context, clip: TextEncoder, clip_l: Text = "", clip_g: Text = "", t5xxl: Text = "",
    empty_padding: Literal["none", "empty_prompt"] = "none",
) -> Conditioning:  # fmt: skip
    """Encode a prompt of its own with each of Stable Diffusion 3's text encoders.

    Args:
        clip_l: What the smaller CLIP reads.
        clip_g: What the larger CLIP reads.
        t5xxl: What T5 reads.
        empty_padding: What stands for prompts that are empty: nothing, of T5 but its end, or an empty prompt as it is
            encoded. Of the CLIPs nothing does only where both are empty.
    """
    if empty_padding == "none" and not t5xxl:
        clip = replace(clip, filled=(0, 1))
    said = _each(ctx, clip, "sd3", clip_l, clip_g, t5xxl)
    if empty_padding == "empty_prompt" or clip_l or clip_g:
        return said
    assert said.pooled is not None
    rest = said.tokens[:, CHUNK:] if said.tokens.shape[1] > CHUNK else np.zeros_like(said.tokens)
    return replace(said, tokens=rest, pooled=np.zeros_like(said.pooled))


@node(version=1, title="CLIPTextEncodeHiDream", lane="gpu", category=CATEGORY)
def CLIPTextEncodeHiDream(
    ctx: Context, clip: TextEncoder, clip_l: Text = "", clip_g: Text = "", t5xxl: Text = "", llama: Text = ""
) -> Conditioning:
    """Encode a prompt of its own with each of HiDream's text encoders.

    Args:
        clip_l: What the smaller CLIP reads.
        clip_g: What the larger CLIP reads.
        t5xxl: What T5 reads.
        llama: What Llama reads.
    """
    return _each(ctx, clip, "hidream", clip_l, clip_g, t5xxl, llama)


@node(version=1, title="CLIPTextEncodeFlux", lane="gpu", category=CATEGORY)
def CLIPTextEncodeFlux(
    ctx: Context, clip: TextEncoder, clip_l: Text = "", t5xxl: Text = "", guidance: Guidance = 3.5
) -> Conditioning:
    """Encode a prompt of its own with each of Flux's text encoders.

    Args:
        clip_l: What CLIP reads.
        t5xxl: What T5 reads.
        guidance: What a model that was distilled from guidance is told.
    """
    return replace(_each(ctx, clip, "flux1", clip_l, t5xxl), guidance=guidance)


@node(version=1, title="CLIPTextEncodeSDXL", lane="gpu", category=CATEGORY)
def CLIPTextEncodeSDXL(
    ctx: Context, clip: TextEncoder, width: Side = 1024, height: Side = 1024, crop_w: Side = 0, crop_h: Side = 0,
    target_width: Side = 1024, target_height: Side = 1024, text_g: Text = "", text_l: Text = "",
) -> Conditioning:  # fmt: skip
    """Encode a prompt of its own with each of Stable Diffusion XL's text encoders, and tell it sizes.

    Args:
        width: Of the picture that it was cut from.
        height: Of the picture that it was cut from.
        crop_w: How much was cut off on the left.
        crop_h: How much was cut off above.
        target_width: Of the picture that was seen.
        target_height: Of the picture that was seen.
        text_g: What the larger text encoder reads.
        text_l: What the smaller one reads.
    """
    sizes = np.array([[height, width, crop_h, crop_w, target_height, target_width]], np.float32)
    return replace(_each(ctx, clip, "sdxl", text_l, text_g), sizes=sizes)


@node(version=1, title="CLIPTextEncodeSDXLRefiner", lane="gpu", category=CATEGORY)
def CLIPTextEncodeSDXLRefiner(
    ctx: Context, clip: TextEncoder, ascore: Score = 6.0, width: Side = 1024, height: Side = 1024, text: Text = ""
) -> Conditioning:
    """Encode a prompt for the refiner of Stable Diffusion XL, and tell it how beautiful the picture is.

    Args:
        ascore: How beautiful, 0 to 10.
        width: Of the picture.
        height: Of the picture.
        text: The prompt.
    """
    sizes = np.array([[height, width, 0, 0, height, width]], np.float32)
    return replace(_each(ctx, clip, "sdxl_refiner", text), sizes=sizes, score=ascore)


def _each(ctx: Context, clip: TextEncoder, family: str, *texts: str) -> Conditioning:
    if clip.family.name != family:
        raise NodeError(f"its text encoders are those of {clip.family.title}; use CLIPTextEncode", "clip")
    return encoded(ctx, clip.as_comfyui(), texts, 0)


@node(version=1, title="T5TokenizerOptions", category=CATEGORY)
def T5TokenizerOptions(clip: TextEncoder, min_padding: Tokens = 0, min_length: Tokens = 0) -> TextEncoder:
    """Say how far prompts are filled up for T5.

    Args:
        min_padding: With so many tokens at least.
        min_length: To so many tokens at least.
    """
    return replace(clip, filled=(min_padding, min_length))


@node(version=1, title="FluxDisableGuidance", category=CATEGORY)
def FluxDisableGuidance(conditioning: Conditioning) -> Conditioning:
    """Tell a model that was distilled from guidance, such as Flux.1 dev, nothing of it."""
    return conditioning.each(lambda part: replace(part, guidance=UNTOLD))


@ConditioningSetArea.facts
@ConditioningSetAreaPercentage.facts
@ConditioningSetAreaStrength.facts
@ConditioningSetMask.facts
@ConditioningSetTimestepRange.facts
@FluxDisableGuidance.facts
@FluxGuidance.facts
@ReferenceLatent.facts
def _kept(known: Known) -> dict[str, Facts]:
    return {"conditioning": known["conditioning"]}


@T5TokenizerOptions.facts
def _filled(known: Known) -> dict[str, Facts]:
    return {"text_encoder": known["clip"]}


@CLIPTextEncodeFlux.facts
@CLIPTextEncodeHiDream.facts
@CLIPTextEncodeSDXL.facts
@CLIPTextEncodeSDXLRefiner.facts
def _encoded(known: Known) -> dict[str, Facts]:
    return {"conditioning": known["clip"].only("prompt", "family")}
