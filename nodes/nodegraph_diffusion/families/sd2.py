"""Stable Diffusion 2.x: the architecture of 1.x with OpenCLIP's text encoder, in part trained to predict v."""

from __future__ import annotations

from dataclasses import replace

from ..checkpoint import original
from ..checkpoint.header import Header
from ..checkpoint.value import Prediction
from . import unets
from .family import Family, Parts
from .sd1 import FAMILY as SD1

OPEN_CLIP = "cond_stage_model.model."


def _recognise(header: Header) -> bool:
    if found := unets.alone(header):
        return found.family == "sd2"
    return has_open_clip(header) and not unets.is_labelled(header)


def has_open_clip(header: Header) -> bool:
    """Whether a file holds a UNet beside one text encoder, by OpenCLIP's names."""
    return unets.has_unet(header) and bool(header.under(OPEN_CLIP))


def _read(header: Header) -> Parts:
    if found := unets.alone(header):
        parts = unets.read_alone(header, found, "sd21")
        predicts, source = _prediction(header, int(parts.denoiser.config["in_channels"]))
        return replace(parts, prediction=predicts, prediction_from=source)
    shipped = original.shipped
    unet = original.unet(header, shipped("sd21", "unet"))
    # It reads the last layer but one: the last is in the file and is never built.
    clip = original.open_clip(header, shipped("sd21", "text_encoder"), OPEN_CLIP, unused=1)
    predicts, source = _prediction(header, int(unet["in_channels"]))
    return Parts(
        original.part(header, *unets.UNET, unet, original.DENOISER),
        (original.part(header, "text_encoder", "CLIPTextModel", clip, OPEN_CLIP),),
        original.autoencoder(header, "sd21"),
        original.scheduler(header, "sd21"),
        predicts,
        source,
    )


def _prediction(header: Header, in_channels: int) -> tuple[Prediction, str]:
    """The 512 "base" models and those for inpainting predict epsilon, the 768 ones v; a header cannot tell for
    certain."""
    if (said := original.told(header)) is not None:
        return said
    if in_channels != 4:
        return "epsilon", "the family's inpainting models"
    spread = original.spread(header)
    if spread is None:
        return "v_prediction", "a guess: most Stable Diffusion 2.x models do"
    return ("v_prediction" if spread > 0.09 else "epsilon"), f"a guess from one norm's spread, {spread:.3f}"


FAMILY: Family = replace(
    SD1,
    name="sd2",
    title="Stable Diffusion 2.x",
    owns=lambda configs: (
        configs["text_encoder"].get("hidden_act") == "gelu"
        and not configs["unet"].get("addition_embed_type")
        and not configs["unet"].get("num_class_embeds")
        and not configs["unet"].get("class_embed_type")
    ),
    recognise=_recognise,
    shipped="sd21",
    read=_read,
    control=unets.control(
        lambda config: config["cross_attention_dim"] == 1024 and not config.get("addition_embed_type")
    ),
    guides=lambda config: False,
    adapts=lambda header: "sd2" in unets.adapts(header),
)
