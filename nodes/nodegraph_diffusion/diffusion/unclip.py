"""Pictures in the place of a prompt's pooled encoding (unCLIP, Ramesh et al. 2022, arXiv:2204.06125; with Stable
Diffusion XL Revision), under some noise, which lets the network go away from them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import torch
from torch import Tensor

LEVELS = 1000


def merged(pictures: Sequence[tuple[Tensor, float, float]], seed: int) -> Tensor:
    """Pictures as one vector: float32 (1, D).

    Args:
        pictures: What CLIP says of each (D,), how much it counts, and how much noise it is put under, 0..1.
        seed: Of the noise, which is the same for each. A sum of several is put under the least noise once more.
    """
    draw = torch.Generator()
    made: list[Tensor] = []
    for vector, strength, noise in pictures:
        draw.manual_seed(seed)
        made.append(_noised(vector[None], round((LEVELS - 1) * noise), draw) * strength)
    return made[0] if len(made) == 1 else _noised(torch.stack(made).sum(0), 0, draw)


def _noised(vector: Tensor, level: int, draw: torch.Generator) -> Tensor:
    kept = _kept()[level]
    return kept.sqrt() * vector + (1 - kept).sqrt() * torch.randn(vector.shape, generator=draw)


@cache
def _kept() -> Tensor:
    """How much of a vector is left at each level (Nichol and Dhariwal 2021, arXiv:2102.09672, equation 17)."""
    from diffusers import DDPMScheduler

    kept: Tensor = DDPMScheduler(LEVELS, beta_schedule="squaredcos_cap_v2").alphas_cumprod
    return kept
