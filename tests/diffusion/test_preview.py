from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL
from torch.nn import functional

import nodegraph_diffusion
from diffusion import tiny
from nodegraph_diffusion.diffusion.preview import PROJECTIONS, preview

DEMO = Path(nodegraph_diffusion.__path__[0]) / "assets" / "demo" / "vae"


def test_the_demo_models_latents_look_like_their_pictures() -> None:
    vae = AutoencoderKL.from_pretrained(DEMO, torch_dtype=torch.float32, local_files_only=True).eval()
    generator = torch.Generator().manual_seed(0)
    y, x = torch.meshgrid(torch.arange(128), torch.arange(128), indexing="ij")
    inside = ((x - 60) ** 2 + (y - 72) ** 2 < 36**2).float()
    ground, colour = torch.rand(2, 12, 3, 1, 1, generator=generator)
    pictures = ground * (1 - inside) + colour * inside
    with torch.inference_mode():
        latents = vae.encode(pictures * 2 - 1).latent_dist.mode() * vae.config["scaling_factor"]
    shown = preview(latents, vae.config["scaling_factor"])
    assert shown.shape == (16, 12 * 16, 3)
    cells = functional.avg_pool2d(pictures, 8).permute(2, 0, 3, 1).flatten(1, 2).numpy()
    for channel in range(3):
        correlation = np.corrcoef(shown[..., channel].ravel(), cells[..., channel].ravel())[0, 1]
        assert correlation > 0.6
    assert np.abs(shown / 255 - cells).mean() < 0.13


def test_stable_diffusions_projection() -> None:
    grey = preview(torch.zeros(1, 4, 2, 3), 0.18215)
    assert grey.shape == (2, 3, 3)
    assert grey.dtype == np.uint8
    assert set(grey.ravel()) == {128}
    light = torch.tensor([1.0, 1, 0, -1])[None, :, None, None]  # brightens every colour in the published numbers
    assert (preview(light, 0.18215) > 180).all()
    assert (preview(100 * light, 0.18215) == 255).all()


@pytest.mark.parametrize("channels", [1, 2, 3, 16])
def test_an_unknown_space_shows_its_first_channels(channels: int) -> None:
    latent = tiny.noise(1, 2)[:, [0] * channels]
    shown = preview(latent, 0.5)
    assert shown.shape == (8, 16, 3)
    assert (shown.min(), shown.max()) == (0, 255)
    known_factor = next(iter(PROJECTIONS))  # a space of other channels that happens to share a factor
    assert preview(latent, known_factor).shape == (8, 16, 3)


def test_nothing_breaks_it() -> None:
    assert preview(torch.full((1, 4, 2, 2), torch.nan), 0.18215).shape == (2, 2, 3)
    assert preview(torch.ones(1, 3, 2, 2), 7.0).max() == 0
    with torch.inference_mode():
        latent = torch.ones(1, 4, 2, 2, dtype=torch.bfloat16)
    assert preview(latent, 0.18215).shape == (2, 2, 3)
