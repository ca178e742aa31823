"""Stable Diffusion XL and its refiner, against diffusers' pipelines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from families import models
from families.parity import NEGATIVE, PROMPT, close, document, engine, noise, run, theirs
from nodegraph import Engine

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("models")
    for name in ("sdxl", "sdxl_refiner"):
        models.FAMILIES[name]().save_pretrained(base / name)
    return base


@pytest.fixture(scope="module")
def made(folder: Path) -> Iterator[Engine]:
    with engine(folder) as found:
        yield found


def test_text_to_image(made: Engine) -> None:
    expected = theirs(
        models.sdxl(), prompt=PROMPT, negative_prompt=NEGATIVE, height=64, width=64, num_inference_steps=4,
        guidance_scale=5.0, latents=noise(1, 4, 8, 8),
    )  # fmt: skip
    close(run(made, document("sdxl")), expected)
