"""The x4 upscaler of Stable Diffusion 2: reads a small picture beside the latent, and how much noise hides it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..checkpoint import original
from ..checkpoint.header import Header
from . import unets
from .family import Family, Job, Parts
from .sd2 import FAMILY as SD2
from .sd2 import OPEN_CLIP, has_open_clip

if TYPE_CHECKING:
    from torch import Tensor

    from ..diffusion.denoiser import Prompt


def _predict(network: Any, x: Tensor, time: Tensor, prompt: Prompt, job: Job) -> Tensor:
    import torch

    assert job.low_res is not None
    out: Tensor = network(
        unets.beside(x, job.low_res),
        time,
        encoder_hidden_states=prompt.tokens,
        class_labels=torch.full((len(x),), job.noise_level, device=x.device),
        return_dict=False,
    )[0]
    return out


def _recognise(header: Header) -> bool:
    return has_open_clip(header) and f"{original.DENOISER}label_emb.weight" in header.tensors


NOISE = {"beta_start": 0.0001, "beta_end": 0.02, "beta_schedule": "scaled_linear"}
"""Of the latent and of the small picture alike."""


def _read(header: Header) -> Parts:
    shipped = original.shipped
    config = shipped("sd21", "unet") | {
        "down_block_types": ["DownBlock2D", *["CrossAttnDownBlock2D"] * 3],
        "up_block_types": [*["CrossAttnUpBlock2D"] * 3, "UpBlock2D"],
        "only_cross_attention": [True, True, True, False],
        "num_class_embeds": header.shape(f"{original.DENOISER}label_emb.weight")[0],
    }
    unet = original.unet(header, config) | {"attention_head_dim": 8}  # here it is a number of heads
    clip = original.open_clip(header, shipped("sd21", "text_encoder"), OPEN_CLIP, unused=1)
    return Parts(
        original.part(header, *unets.UNET, unet, original.DENOISER),
        (original.part(header, "text_encoder", "CLIPTextModel", clip, OPEN_CLIP),),
        original.autoencoder(header, "sd21", scaling_factor=FAMILY.scaling),
        original.scheduler(header, "sd21") | NOISE,
        "v_prediction",
        low_res_scheduler=NOISE,
    )


FAMILY: Family = replace(
    SD2,
    name="sd_x4",
    title="Stable Diffusion x4 upscaler",
    owns=lambda configs: bool(configs["unet"].get("num_class_embeds")) and int(configs["unet"]["in_channels"]) == 7,
    space="sd_x4",
    scaling=0.08333,
    predict=_predict,
    multiple=4,
    recognise=_recognise,
    read=_read,
    shipped="",
    adapts=lambda header: False,
    control=None,
    enlarges=True,
)
