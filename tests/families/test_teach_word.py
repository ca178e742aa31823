"""Textual inversions: what diffusers makes of them, in one text encoder and in two."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from families import models
from families.parity import close, document, engine, noise, run, theirs
from harness import link, step
from nodegraph import Engine
from nodegraph_diffusion.checkpoint import ModelError
from nodegraph_diffusion.checkpoint.words import open_word

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]
VECTORS = torch.randn(2, 64, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def folder(module_folder: Path) -> Path:
    for name in ("sd1", "sdxl"):
        models.FAMILIES[name]().save_pretrained(module_folder / name)
    save_file({"emb_params": VECTORS}, module_folder / "one.safetensors")
    save_file({"<fox>": VECTORS.clone()}, module_folder / "diffusers.safetensors")
    save_file({"clip_l": VECTORS.clone(), "clip_g": VECTORS.flip(0).clone()}, module_folder / "two.safetensors")
    save_file({"emb_params": torch.zeros(1, 768)}, module_folder / "wide.safetensors")
    return module_folder


@pytest.fixture(scope="module")
def made(folder: Path) -> Iterator[Engine]:
    with engine(folder) as found:
        yield found


def taught(name: str, source: str, text: str) -> dict[str, Any]:
    nodes = document(name)
    nodes["word"] = step("TeachWord@1", text_encoder=link("model.text_encoder"), source=source, word="<fox>")
    nodes["prompt"]["inputs"] |= {"text_encoder": link("word.text_encoder"), "text": text}
    return nodes


@pytest.mark.parametrize("name", ["sd1", "sdxl"])
def test_it_is_diffusers(name: str, made: Engine) -> None:
    pipeline = models.FAMILIES[name].__wrapped__()  # type: ignore[attr-defined]  # it is changed: not the shared one
    pipeline.load_textual_inversion({"<fox>": VECTORS}, token="<fox>")
    if name == "sdxl":
        second = {"text_encoder": pipeline.text_encoder_2, "tokenizer": pipeline.tokenizer_2}
        pipeline.load_textual_inversion({"<fox>": VECTORS.flip(0)}, token="<fox>", **second)
    text = "a <fox> in the snow"
    expected = theirs(
        pipeline, prompt=text, negative_prompt="blurry", height=64, width=64, num_inference_steps=4,
        guidance_scale=5.0, latents=noise(1, 4, 8, 8),
    )  # fmt: skip
    source = "one.safetensors" if name == "sd1" else "two.safetensors"
    close(run(made, taught(name, source, text)), expected)
    other = run(made, taught(name, source, "a cat in the snow"))
    assert np.abs(other - expected).max() > 0.01


def test_files_and_weights_of_it(made: Engine) -> None:
    one = run(made, taught("sd1", "one.safetensors", "a (<fox>:1.3)"))
    assert np.array_equal(run(made, taught("sd1", "diffusers.safetensors", "a (<fox>:1.3)")), one)
    assert np.abs(run(made, taught("sd1", "one.safetensors", "a <fox>")) - one).max() > 1e-4


def test_what_does_not_fit_is_refused_while_checking(made: Engine, folder: Path) -> None:
    for name, source, words in (
        ("sd1", "wide.safetensors", "has vectors of width 768, but the text encoders read 64"),
        ("sdxl", "one.safetensors", "has vectors of width 64, but the text encoders read 64 64"),
    ):
        found = made.check(made.read({"nodes": taught(name, source, "a")}))
        assert [(p.code, p.port) for p in found] == [("mismatch", "source"), ("mismatch", "text_encoder")]
        assert words in str(found[0])
    with pytest.raises(ModelError, match="is no textual inversion"):
        open_word(folder / "sd1" / "unet" / "diffusion_pytorch_model.safetensors")
