"""What the denoiser's stage asks of a network."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from diffusers import DDPMScheduler
from torch import Tensor

from nodegraph_diffusion.training.denoiser import SCHEDULE, DenoiserStage, LatentSet, fresh, tokenize
from nodegraph_diffusion.training.scenes import Split
from nodegraph_diffusion.training.tokenizer import make_tokenizer
from training import toys


def loss_of(kind: str, wrong: float) -> float:
    """The loss of a network that takes the clean latents to be `wrong` more than they are."""
    recipe, scenes = toys.RECIPE.denoiser, toys.scenes()
    tokenizer = make_tokenizer(scenes.sentences(), recipe.tokens)
    latents = torch.randn(8, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    ids = tokenize(tokenizer, [scenes.caption(Split.DENOISER, i) for i in range(8)])
    start = fresh(recipe, tokenizer, 8, 4, 0)._replace(schedule={**SCHEDULE, "prediction_type": kind})
    stage = DenoiserStage(recipe, tokenizer, start, LatentSet(latents, ids), LatentSet(latents, ids), 0)

    def network(noisy: Tensor, times: Tensor, tokens: Tensor) -> Any:
        signal = stage.scheduler.alphas_cumprod[times].view(-1, 1, 1, 1)
        clean = latents + wrong
        noise = (noisy - signal.sqrt() * clean) / (1 - signal).sqrt()
        velocity = signal.sqrt() * noise - (1 - signal).sqrt() * clean
        return SimpleNamespace(sample=noise if kind == "epsilon" else velocity)

    generator = torch.Generator().manual_seed(1)
    return stage._loss(network, stage.text_encoder, latents, ids, generator).item()  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction"])
def test_a_network_that_is_right_has_no_loss(kind: str) -> None:
    assert loss_of(kind, 0.0) < 1e-5


@pytest.mark.parametrize(("kind", "more"), [("epsilon", 0), ("v_prediction", 1)])
def test_an_error_in_the_picture_counts_by_the_noise_it_was_seen_through(kind: str, more: int) -> None:
    times = torch.linspace(0, 999, 8000).long()
    signal = DDPMScheduler(**SCHEDULE).alphas_cumprod[times]
    expected = 0.1**2 * (signal / (1 - signal) + more).clamp(*toys.RECIPE.denoiser.snr).mean().item()
    assert loss_of(kind, 0.1) == pytest.approx(expected, rel=0.15)
