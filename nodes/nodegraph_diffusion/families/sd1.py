"""Stable Diffusion 1.x (Rombach et al. 2022, arXiv:2112.10752) and the many models tuned from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..checkpoint import memory, original
from ..checkpoint.header import Header
from . import unets
from .family import Encoder, Family, Parts

if TYPE_CHECKING:
    from torch import Tensor

CLIP = "cond_stage_model.transformer."
SCALING = 0.18215


def _recognise(header: Header) -> bool:
    if found := unets.alone(header):
        return found.family == "sd1"
    return unets.has_unet(header) and bool(header.under(CLIP)) and not unets.is_labelled(header)


def _read(header: Header) -> Parts:
    if found := unets.alone(header):
        return unets.read_alone(header, found, "sd15")
    shipped = original.shipped
    unet = original.unet(header, shipped("sd15", "unet"))
    clip = original.clip(header, shipped("sd15", "text_encoder"), CLIP)
    predicts, source = original.told(header) or ("epsilon", "the family")
    return Parts(
        original.part(header, *unets.UNET, unet, original.DENOISER),
        (original.part(header, "text_encoder", "CLIPTextModel", clip, CLIP),),
        original.autoencoder(header, "sd15"),
        original.scheduler(header, "sd15"),
        predicts,
        source,
    )


def _edits(config: Mapping[str, Any]) -> bool:
    return int(config["in_channels"]) == 2 * int(config["out_channels"])


def _hole(mask: Tensor | None, hidden: Tensor) -> Tensor:
    """What is read beside the latent: the mask and the hidden picture, or a whole picture as the VAE gives it."""
    return hidden / SCALING if mask is None else unets.hole(mask, hidden)


FAMILY = Family(
    name="sd1",
    title="Stable Diffusion 1.x",
    denoiser=unets.UNET,
    encoders=(Encoder("text_encoder", ("CLIPTextModel",), unets.clip(1, normed=True)),),
    space="sd",
    scaling=SCALING,
    # OpenAI's CLIP, which 1.x reads, has the quick GELU; OpenCLIP, which 2.x reads, the exact one.
    owns=lambda configs: (
        configs["text_encoder"].get("hidden_act") != "gelu" and not configs["unet"].get("addition_embed_type")
    ),
    predict=unets.predict,
    table=unets.table,
    activations=memory.unet,
    width=unets.width,
    together="repeat",
    prediction="epsilon",
    sampler="dpmpp_2m",
    schedule="karras",
    inpaints=lambda config: unets.is_inpainting(config) or _edits(config),
    hole=_hole,
    edits=_edits,
    recognise=_recognise,
    shipped="sd15",
    read=_read,
    convert=unets.converted,
    adapts=lambda header: "sd1" in unets.adapts(header),
    adapted=unets.adapted,
    control=unets.control(
        lambda config: config["cross_attention_dim"] != 1024 and not config.get("addition_embed_type")
    ),
    guides=lambda config: config["adapter_type"] in ("full_adapter", "light_adapter"),
    grounds=True,
    rank=0,
)
