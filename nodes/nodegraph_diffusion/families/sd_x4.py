"""The x4 upscaler of Stable Diffusion 2: reads a small picture beside the latent, and how much noise hides it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from . import unets
from .family import Family, Job
from .sd2 import FAMILY as SD2

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


FAMILY: Family = replace(
    SD2,
    name="sd_x4",
    title="Stable Diffusion x4 upscaler",
    owns=lambda configs: bool(configs["unet"].get("num_class_embeds")) and int(configs["unet"]["in_channels"]) == 7,
    space="sd_x4",
    scaling=0.08333,
    predict=_predict,
    multiple=4,
    recognise=lambda header: False,
    read=None,
    shipped="",
    adapts=lambda header: False,
    control=None,
    enlarges=True,
)
