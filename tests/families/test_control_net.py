"""ControlNets: one and several, in every family that has them, against diffusers' pipelines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from PIL import Image as Pillow
from safetensors.torch import load_file, save_file

from families import models
from families.parity import (
    NEGATIVE,
    PROMPT,
    chained,
    close,
    document,
    engine,
    noise,
    picture,
    run,
    save,
    theirs,
    with_part,
)
from harness import link
from nodegraph import Engine
from nodegraph_diffusion.checkpoint import ModelError
from nodegraph_diffusion.checkpoint.controls import open_control
from nodegraph_diffusion.families.flows import packed

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]
PIPELINES = {
    "sd1": "StableDiffusionControlNetPipeline",
    "sdxl": "StableDiffusionXLControlNetPipeline",
    "sd3": "StableDiffusion3ControlNetPipeline",
    "flux_dev": "FluxControlNetPipeline",
}
NETS = [*PIPELINES, "sd3_zero"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("models")
    for name in PIPELINES:
        models.FAMILIES[name]().save_pretrained(base / name)
        models.control_net(name).save_pretrained(base / f"{name}-control")
    models.control_net("sd3", 13).save_pretrained(base / "sd3_zero-control")
    models.control_net("sdxl", 14).save_pretrained(base / "sdxl-other")
    save(picture(), base / "picture.png")
    return base


@pytest.fixture(scope="module")
def made(folder: Path) -> Iterator[Engine]:
    with engine(folder) as found:
        yield found


def controlled(folder: Path, name: str, *nets: tuple[str, dict[str, Any]], **settings: Any) -> dict[str, Any]:
    return chained(document(name, **settings), "ApplyControlNet@1", folder / "picture.png", nets, vae=link("model.vae"))


def pipeline(name: str, net: Any) -> Any:
    return with_part(getattr(diffusers, PIPELINES[name]), name, controlnet=net)


@pytest.mark.parametrize("name", NETS)
def test_it_is_diffusers(name: str, made: Engine, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The pipelines of SD 3 and Flux draw a latent of the hint; we take its mean.
    monkeypatch.setattr(DiagonalGaussianDistribution, "sample", lambda self, generator=None: self.mode())
    family = name.partition("_zero")[0]
    net = models.control_net(family, 13 if name == "sd3_zero" else 12)
    channels = 4 if family in ("sd1", "sdxl") else 16
    start = noise(1, channels, 8, 8)
    shown = torch.from_numpy(picture().pixels.copy())
    flux = family == "flux_dev"
    settings: dict[str, Any] = {"guidance_scale": 2.0} if flux else {"guidance_scale": 5.0, "negative_prompt": NEGATIVE}
    expected = theirs(
        pipeline(family, net),
        prompt=PROMPT,
        height=64,
        width=64,
        num_inference_steps=4,
        latents=packed(start) if flux else start,
        controlnet_conditioning_scale=0.8,
        control_guidance_end=0.5,
        # Tensors these pipelines of SD 3 and Flux take for pictures of -1 to 1.
        **({"image": shown} if channels == 4 else {"control_image": Pillow.fromarray(picture().to_bytes()[0])}),
        **settings,
    )
    how = {"strength": 0.8, "end": 0.5}
    ours: dict[str, Any] = {"negative": False, "guidance": 2.0} if flux else {}
    found = run(made, controlled(folder, family, (f"{name}-control", how), **ours))
    plain = run(made, document(family, **ours))
    assert np.abs(found - plain).max() > 0.005, "it changes nothing"
    close(found, expected)


def test_several_are_summed(made: Engine, folder: Path) -> None:
    nets = [models.control_net("sdxl"), models.control_net("sdxl", 14)]
    shown = torch.from_numpy(picture().pixels.copy())
    expected = theirs(
        pipeline("sdxl", nets), prompt=PROMPT, negative_prompt=NEGATIVE, guidance_scale=5.0, image=[shown, shown],
        height=64, width=64, num_inference_steps=4, latents=noise(1, 4, 8, 8), controlnet_conditioning_scale=[0.5, 1.0],
        control_guidance_start=[0.0, 0.5],
    )  # fmt: skip
    used = [("sdxl-control", {"strength": 0.5}), ("sdxl-other", {"start": 0.5})]
    close(run(made, controlled(folder, "sdxl", *used)), expected)


def test_single_files(made: Engine, folder: Path) -> None:
    """By diffusers' names, whose configuration is read from the shapes."""
    for name in ("sd1", "sdxl"):
        weights = load_file(folder / f"{name}-control" / "diffusion_pytorch_model.safetensors")
        save_file(weights, folder / f"{name}.safetensors")
        one = run(made, controlled(folder, name, (f"{name}.safetensors", {})))
        assert np.array_equal(one, run(made, controlled(folder, name, (f"{name}-control", {}))))


def test_another_familys_is_refused_while_checking(made: Engine, folder: Path) -> None:
    nodes = controlled(folder, "sdxl", ("sd1-control", {}))
    found = made.check(made.read({"nodes": nodes}))
    assert [(p.code, p.port) for p in found] == [("mismatch", "source"), ("mismatch", "model")]
    assert "sd1-control is a ControlNet for Stable Diffusion 1.x, but the model is Stable Diffusion XL" in str(found[0])
    nodes = controlled(folder, "sd3", ("sd3-control", {}))
    del nodes["adapter_0"]["inputs"]["vae"]
    (problem,) = made.check(made.read({"nodes": nodes}))
    assert (problem.port, "reads latents; link the model's VAE" in str(problem)) == ("vae", True)


def test_what_is_no_control_net(folder: Path) -> None:
    save_file({"conv_in.weight": torch.zeros(2, 2)}, folder / "none.safetensors")
    with pytest.raises(ModelError, match="is no ControlNet: it has neither"):
        open_control(folder / "none.safetensors")
    with pytest.raises(ModelError, match="is AutoencoderKL, needed a ControlNet that is one of ControlNetModel, Flux"):
        open_control(folder / "sd1" / "vae")
