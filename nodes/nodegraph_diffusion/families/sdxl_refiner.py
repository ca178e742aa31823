"""The refiner of Stable Diffusion XL: goes on from the base model's latents, and is told how beautiful to be."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..checkpoint import original
from ..checkpoint.header import Header
from . import unets
from .family import Encoder, Family, Job, Parts
from .sdxl import FAMILY as SDXL

if TYPE_CHECKING:
    from torch import Tensor

    from ..diffusion.denoiser import Prompt

OPEN_CLIP = "conditioner.embedders.0.model."


def _predict(network: Any, x: Tensor, time: Tensor, prompt: Prompt, job: Job) -> Tensor:
    import torch

    from ..diffusion.denoiser import Pair

    own = torch.tensor([[job.height, job.width, 0.0, 0.0]])
    sizes = (own if prompt.sizes is None else prompt.sizes[:, :4]).expand(len(x), -1).to(x)
    scores = torch.full((len(x), 1), prompt.score).to(x)
    if isinstance(prompt, Pair):
        scores[: len(x) // 2] = prompt.negative_score
    told = replace(prompt, sizes=torch.cat([sizes, scores], dim=1))
    return SDXL.predict(network, x, time, told, job)


def _recognise(header: Header) -> bool:
    if found := unets.alone(header):
        return found.family == "sdxl_refiner"
    return unets.has_unet(header) and bool(header.under(OPEN_CLIP)) and unets.is_labelled(header)


def _config() -> dict[str, Any]:
    """Four levels, as in 1.x, of which the middle two attend."""
    levels = ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"]
    return original.shipped("sdxl", "unet") | {
        "block_out_channels": [384, 768, 1536, 1536],
        "down_block_types": levels,
        "up_block_types": [kind.replace("Down", "Up") for kind in reversed(levels)],
        "transformer_layers_per_block": [4, 4, 4, 4],
    }


def _read(header: Header) -> Parts:
    if found := unets.alone(header):
        return unets.read_alone(header, found, "sdxl", _config())
    shipped = original.shipped
    unet = original.unet(header, _config())
    open_clip = original.open_clip(header, shipped("sdxl", "text_encoder_2"), OPEN_CLIP)
    return Parts(
        original.part(header, *unets.UNET, unet, original.DENOISER),
        (original.part(header, "text_encoder_2", "CLIPTextModelWithProjection", open_clip, OPEN_CLIP),),
        original.autoencoder(header, "sdxl"),
        original.scheduler(header, "sdxl"),
        "epsilon",
    )


FAMILY: Family = replace(
    SDXL,
    name="sdxl_refiner",
    title="Stable Diffusion XL refiner",
    encoders=(Encoder("text_encoder_2", ("CLIPTextModelWithProjection",), unets.clip(2, normed=False, pooled=True)),),
    predict=_predict,
    recognise=_recognise,
    read=_read,
    adapts=lambda header: False,
    control=None,
    guides=lambda config: False,
    refines=True,
)
