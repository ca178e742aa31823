"""Guiders are those of diffusers."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from diffusers import guiders
from torch import Tensor

from nodegraph_diffusion.apply_guidance import apply_guidance
from nodegraph_diffusion.diffusion import guidance
from nodegraph_diffusion.load_model import load_model

CFG = 6.0
THEIRS: dict[str, tuple[Any, guidance.Combine]] = {
    "projected": (
        guiders.AdaptiveProjectedGuidance(CFG, adaptive_projected_guidance_rescale=5.0, eta=0.3),
        guidance.projected(0.3, 5.0),
    ),
    "zero_star": (guiders.ClassifierFreeZeroStarGuidance(CFG, zero_init_steps=0), guidance.zero_star()),
    "tangential": (guiders.TangentialClassifierFreeGuidance(CFG), guidance.tangential()),
}


def outputs() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(2, 4, 8, 8, generator=generator), torch.randn(2, 4, 8, 8, generator=generator)


@pytest.mark.parametrize("kind", THEIRS)
def test_it_is_diffusers(kind: str) -> None:
    guider, ours = THEIRS[kind]
    negative, positive = outputs()
    guider.set_state(step=0, num_inference_steps=4, timestep=torch.tensor(0))
    expected = guider.forward(positive, negative).pred
    torch.testing.assert_close(ours(negative, positive, CFG), expected)
    assert (expected - (negative + CFG * (positive - negative))).abs().max() > 0.1


def test_momentum_is_diffusers_too() -> None:
    guider = guiders.AdaptiveProjectedGuidance(CFG, -0.5, 5.0, eta=0.3)
    memory = guidance.Memory(-0.5)
    ours = guidance.projected(0.3, 5.0, memory)
    for index in range(3):
        guider.set_state(step=index, num_inference_steps=4, timestep=torch.tensor(0))
        generator = torch.Generator().manual_seed(index)
        negative, positive = torch.randn(2, 1, 4, 8, 8, generator=generator)
        guider.prepare_inputs({"x": (positive, negative)})
        torch.testing.assert_close(ours(negative, positive, CFG), guider.forward(positive, negative).pred)
    assert isinstance(memory.running_average, Tensor)


def test_without_projection_and_limit_it_is_the_usual() -> None:
    negative, positive = outputs()
    made = guidance.projected(1.0, 0.0)(negative, positive, CFG)
    torch.testing.assert_close(made, negative + CFG * (positive - negative))


@pytest.mark.parametrize("kind", THEIRS)
def test_a_model_carries_it(kind: Any) -> None:
    model = apply_guidance(load_model("demo").model, kind, 0.3, 5.0)
    assert model.guider is not None
    negative, positive = outputs()
    torch.testing.assert_close(
        model.guider.combine()(negative, positive, CFG), THEIRS[kind][1](negative, positive, CFG)
    )
