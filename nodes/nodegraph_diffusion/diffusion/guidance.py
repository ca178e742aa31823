"""Other ways to combine what a network says of the positive and of the negative prompt: diffusers' guiders.

Each is a function of both outputs (B, C, h, w) and the guidance scale. What one remembers of earlier steps is a value
that the caller keeps, so that a run may be taken up anywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

Combine = Callable[[Tensor, Tensor, float], Tensor]


@dataclass(slots=True)
class Memory:
    """The running sum of the changes of earlier evaluations, each `momentum` times less than the next."""

    momentum: float
    running_average: Tensor | float = 0.0

    def update(self, change: Tensor) -> None:
        self.running_average = change + self.momentum * self.running_average


def projected(eta: float, limit: float, memory: Memory | None = None) -> Combine:
    """Adaptive projected guidance (Sadat et al. 2024, arXiv:2410.02416), which does not burn at a high scale.

    Args:
        eta: How much of the change along the positive output stays: 0 takes away what saturates, 1 leaves it.
        limit: The largest norm of the change; 0 is none.
        memory: Of the changes so far; a negative momentum pushes away from where they went.
    """
    from diffusers.guiders.adaptive_projected_guidance import normalized_guidance

    def combine(negative: Tensor, positive: Tensor, cfg: float) -> Tensor:
        # Counted from the negative, as everywhere here: scale 1 is the positive alone.
        made: Tensor = normalized_guidance(positive, negative, cfg, memory, eta, limit)
        return made

    return combine


def zero_star() -> Combine:
    """The scaling of CFG-Zero* (Fan et al. 2025, arXiv:2503.18886) for flow models: the negative is scaled to what of
    it lies along the positive."""
    from diffusers.guiders.classifier_free_zero_star_guidance import cfg_zero_star_scale

    def combine(negative: Tensor, positive: Tensor, cfg: float) -> Tensor:
        scale: Tensor = cfg_zero_star_scale(positive.flatten(1), negative.flatten(1)).view(-1, 1, 1, 1)
        return negative * scale + cfg * (positive - negative * scale)

    return combine


def tangential() -> Combine:
    """Tangential damping (Kwon et al. 2025, arXiv:2503.18137): of the negative only what both have in common counts."""
    from diffusers.guiders.tangential_classifier_free_guidance import normalized_guidance

    def combine(negative: Tensor, positive: Tensor, cfg: float) -> Tensor:
        made: Tensor = normalized_guidance(positive, negative, cfg)
        return made

    return combine
