"""Stable Diffusion XL (Podell et al. 2023, arXiv:2307.01952): two text encoders; told sizes and crops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..checkpoint import memory, original
from ..checkpoint.header import Header
from . import unets
from .family import Encoded, Encoder, Family, Job, Parts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from ..diffusion.denoiser import Prompt

CLIP = "conditioner.embedders.0.transformer."
OPEN_CLIP = "conditioner.embedders.1.model."


def _added(x: Tensor, prompt: Prompt, job: Job) -> dict[str, Any]:
    import torch

    if prompt.pooled is None:
        raise ValueError("Stable Diffusion XL reads a pooled encoding too; encode the prompt with its text encoders")
    own = torch.tensor([[job.height, job.width, 0, 0, job.height, job.width]])
    sizes = (own if prompt.sizes is None else prompt.sizes).expand(len(x), -1).to(x)
    return {"added_cond_kwargs": {"text_embeds": prompt.pooled, "time_ids": sizes}}


def _predict(network: Any, x: Tensor, time: Tensor, prompt: Prompt, job: Job) -> Tensor:
    out: Tensor = network(
        unets.with_hole(x, job),
        time,
        encoder_hidden_states=prompt.tokens,
        return_dict=False,
        **_added(x, prompt, job),
        **job.residuals,
    )[0]
    return out


def _joined(encoded: Sequence[Encoded | None], width: int) -> Encoded:
    from ..diffusion.prompts import side_by_side

    return side_by_side(*encoded)


def _recognise(header: Header) -> bool:
    if found := unets.alone(header):
        return found.family == "sdxl"
    return unets.has_unet(header) and bool(header.under(OPEN_CLIP)) and unets.is_labelled(header)


def _read(header: Header) -> Parts:
    if found := unets.alone(header):
        return unets.read_alone(header, found, "sdxl")
    shipped = original.shipped
    unet = original.unet(header, shipped("sdxl", "unet"))
    clip = original.clip(header, shipped("sdxl", "text_encoder"), CLIP)
    open_clip = original.open_clip(header, shipped("sdxl", "text_encoder_2"), OPEN_CLIP)
    predicts, source = original.told(header) or ("epsilon", "the family")
    return Parts(
        original.part(header, *unets.UNET, unet, original.DENOISER),
        (
            original.part(header, "text_encoder", "CLIPTextModel", clip, CLIP),
            original.part(header, "text_encoder_2", "CLIPTextModelWithProjection", open_clip, OPEN_CLIP),
        ),
        original.autoencoder(header, "sdxl"),
        original.scheduler(header, "sdxl"),
        predicts,
        source,
    )


FAMILY = Family(
    name="sdxl",
    title="Stable Diffusion XL",
    denoiser=unets.UNET,
    encoders=(
        Encoder("text_encoder", ("CLIPTextModel",), unets.clip(2, normed=False)),
        Encoder("text_encoder_2", ("CLIPTextModelWithProjection",), unets.clip(2, normed=False, pooled=True)),
    ),
    space="sdxl",
    scaling=0.13025,
    owns=lambda configs: configs["unet"].get("addition_embed_type") == "text_time",
    predict=_predict,
    joined=_joined,
    table=unets.table,
    activations=memory.unet,
    width=unets.width,
    together="repeat",
    prediction="epsilon",
    sampler="dpmpp_2m",
    schedule="karras",
    inpaints=unets.is_inpainting,
    hole=unets.hole,
    recognise=_recognise,
    shipped="sdxl",
    read=_read,
    convert=unets.converted,
    adapts=lambda header: "sdxl" in unets.adapts(header),
    adapted=unets.adapted,
    revises=True,
    guides=lambda config: config["adapter_type"] == "full_adapter_xl",
    control=unets.control(lambda config: config.get("addition_embed_type") == "text_time", _added),
)
