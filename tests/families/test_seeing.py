"""Where words act, in every family that has a UNet."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diffusion import layouts
from families import models
from families.parity import picture
from nodegraph_diffusion.attention_maps import attention_maps
from nodegraph_diffusion.encode_prompt import encode_prompt
from nodegraph_diffusion.load_model import load_model
from nodegraph_diffusion.values import Latent

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


def inpainting(folder: Path) -> None:
    layouts.save_folder(layouts.build("sd15", 9), folder)


def saved(make: Callable[[], Any]) -> Callable[[Path], None]:
    return lambda folder: make().save_pretrained(folder)


FAMILIES: dict[str, Callable[[Path], None]] = {
    "sd1 for inpainting": inpainting,
    "sdxl": saved(models.sdxl),
    "sdxl_refiner": saved(models.sdxl_refiner),
    "sd_x4": saved(models.sd_x4),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_each_word_has_its_map_on_each_step(name: str, tmp_path: Path) -> None:
    FAMILIES[name](tmp_path / "model")
    model, texts, _ = load_model(str(tmp_path / "model"))
    cell = model.space.cell
    samples = np.random.default_rng(0).normal(size=(1, model.space.channels, 64 // cell, 64 // cell))
    latent = Latent(64, 64, 1, samples.astype(np.float32))
    before = encode_prompt(texts, "a red fox").tokens
    made = attention_maps(model, texts, picture(), latent, "a red fox", looks=3)
    assert made.words.split() == ["a", "red", "fox"]
    assert (len(made.overlays.pixels), len(made.steps.pixels)) == (3, 9)
    looks = made.steps.pixels.reshape(3, 3, -1)
    assert np.abs(looks[1] - looks[2]).max(axis=1).min() > 0.01, "words act alike"
    assert np.abs(looks[:, 0] - looks[:, 2]).max() > 0.01, "steps are alike"
    assert np.array_equal(encode_prompt(texts, "a red fox").tokens, before)
