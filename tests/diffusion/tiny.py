"""The smallest models of Stable Diffusion 1's true architecture: four levels, two layers a block, three with
cross-attention; random weights, the same in every process."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel

from nodegraph_diffusion.diffusion.denoiser import GuidedDenoiser, Prompt
from nodegraph_diffusion.families import FAMILIES, Job

WIDTH = 16
"""Of the tokens."""
FACTOR = 8
"""Pixels a latent cell."""


@cache
def unet(channels: int = 4) -> UNet2DConditionModel:
    """A UNet that reads `channels` (9 for inpainting). Its output is scaled to about unit spread."""
    with torch.random.fork_rng():
        torch.manual_seed(channels)
        made = UNet2DConditionModel(
            sample_size=8,
            in_channels=channels,
            out_channels=4,
            down_block_types=("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
            up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
            block_out_channels=(8, 16, 16, 16),
            layers_per_block=2,
            cross_attention_dim=WIDTH,
            attention_head_dim=2,
            norm_num_groups=4,
        ).eval()
        # Fresh weights hardly look at the prompt and the time: a comparison would not notice wrong ones.
        for name, weights in made.named_parameters():
            if name.startswith("conv_out"):
                weights.data *= 3
            elif "attn2" in name or "time_emb" in name:
                weights.data *= 2.5
    return made.requires_grad_(False)


@cache
def vae() -> AutoencoderKL:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return (
            AutoencoderKL(
                sample_size=64,
                down_block_types=("DownEncoderBlock2D",) * 4,
                up_block_types=("UpDecoderBlock2D",) * 4,
                block_out_channels=(8, 8, 16, 16),
                layers_per_block=2,
                norm_num_groups=4,
            )
            .eval()
            .requires_grad_(False)
        )


@cache
def text_encoder() -> CLIPTextModel:
    with torch.random.fork_rng():
        torch.manual_seed(2)
        config = CLIPTextConfig(
            vocab_size=128,
            bos_token_id=126,
            eos_token_id=127,
            hidden_size=WIDTH,
            intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
        )
        return CLIPTextModel(config).eval().requires_grad_(False)


def tokens(seed: int, batch: int = 1, length: int = 7) -> torch.Tensor:
    """What stands for an encoded prompt."""
    return torch.randn(batch, length, WIDTH, generator=torch.Generator().manual_seed(seed))


def noise(seed: int, batch: int = 1, size: int = 8) -> torch.Tensor:
    """Unit noise of a latent's shape."""
    return torch.randn(batch, 4, size, size, generator=torch.Generator().manual_seed(seed))


def denoiser(
    unet: Callable[..., Any],
    positive: Tensor,
    negative: Tensor | None = None,
    hole: Tensor | None = None,
    **settings: Any,
) -> GuidedDenoiser:
    """Stable Diffusion 1's denoiser, over a UNet or what is called as one."""
    job = Job(8, 8, hole=hole)
    return GuidedDenoiser(
        lambda x, time, prompt: FAMILIES["sd1"].predict(unet, x, time, prompt, job),
        Prompt(positive),
        None if negative is None else Prompt(negative),
        dtype=getattr(unet, "dtype", None),
        **settings,
    )
