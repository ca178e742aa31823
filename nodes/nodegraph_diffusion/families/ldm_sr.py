"""Latent Diffusion's own super-resolution (Rombach et al. 2022, arXiv:2112.10752): reads a small picture, no prompt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from . import unets
from .family import Encoded, Family, Job

if TYPE_CHECKING:
    from torch import Tensor

    from ..diffusion.denoiser import Prompt


def _predict(network: Any, x: Tensor, time: Tensor, prompt: Prompt, job: Job) -> Tensor:
    assert job.low_res is not None
    out: Tensor = network(unets.beside(x, job.low_res), time, return_dict=False)[0]
    return out


def _joined(encoded: Sequence[Encoded | None], width: int) -> Encoded:
    """A prompt that says nothing."""
    import torch

    return Encoded(torch.zeros(1, 1, 0))


FAMILY = Family(
    name="ldm_sr",
    title="Latent Diffusion super-resolution",
    denoiser=("unet", "UNet2DModel"),
    encoders=(),
    vae=("vqvae", "VQModel"),
    vae_config={"scaling_factor": 1.0},  # it was trained on latents as they are; the folder's number is a default
    owns=lambda configs: int(configs["unet"]["in_channels"]) == 6,
    space="ldm_sr",
    scaling=1.0,
    predict=_predict,
    joined=_joined,
    table=unets.table,
    width=lambda config: 0,
    multiple=32,
    prediction="epsilon",
    sampler="dpmpp_2m",
    schedule="karras",
    enlarges=True,
)
