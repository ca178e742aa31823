"""A converted prompt gives what ComfyUI's recipe gives, which is written out here for Euler on the shipped model.

The recipe's noise levels and timesteps are those that ComfyUI printed (`comfyui_sigmas.json`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from torch import Tensor
from torch.nn import functional

import nodegraph_diffusion.comfyui
from interop.wirings import Prompt, node, sampler, text
from nodegraph import Engine, Folders, Registry
from nodegraph.interop import open_document
from nodegraph.workflow import Link
from nodegraph_diffusion.encode_image import encode_image
from nodegraph_diffusion.encode_prompt import encode_prompt
from nodegraph_diffusion.load_image import load_image
from nodegraph_diffusion.load_model import load_model
from nodegraph_diffusion.values import Image, Latent

SIGMAS = json.loads((Path(__file__).parents[1] / "diffusion" / "comfyui_sigmas.json").read_text())
WORDS, NOT_WORDS = "a (cat:1.3) on a blue background", "a [dog]"
SEED, CFG = 1002496614778823, 4.0
BASE: Prompt = {
    "1": node("CheckpointLoaderSimple", ckpt_name="demo"),
    "2": text("1.1", WORDS),
    "4": text("1.1", NOT_WORDS),
    "5": node("EmptyLatentImage", width=64, height=64, batch_size=2),
    "6": node("LoadImage", image="picture.png"),
    "7": node("VAEEncode", pixels_="6.0", vae_="1.2"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("input")
    y, x = np.mgrid[:64, :64]
    pixels = np.stack([x * 4, y * 4, 255 - x * 2, 255 * ((x - 30) ** 2 + (y - 35) ** 2 > 300)], axis=-1)
    Pillow.fromarray(pixels.astype(np.uint8)).save(made / "picture.png")
    return made


@pytest.fixture(scope="module")
def engine(folder: Path) -> Iterator[Engine]:
    made = Engine(
        Registry(nodegraph_diffusion.pack, nodegraph_diffusion.comfyui.pack),
        folders=Folders(base=folder, output=folder / "output"),
    )
    yield made
    made.close()


def sampled(engine: Engine, prompt: Prompt, id: str) -> Any:
    """What the node that `id` became gives."""
    opened = open_document(json.dumps({**BASE, **prompt}).encode(), engine.registry)
    assert opened.notes == () or all(note.code == "changed" for note in opened.notes)
    outputs = {"latent": Link(**{"$from": f"{opened.origin[id]}.latent"})}
    return engine.run(opened.workflow.model_copy(update={"outputs": outputs}), targets=["latent"])["latent"]


def recipe(
    start: Tensor,
    way: str,
    first: int = 0,
    last: int | None = None,
    mask: Tensor | None = None,
    noise: bool = True,
) -> Tensor:
    """Steps `first` to `last` of the schedule `way` from a clean latent, or on from a noisy one."""
    model, text_encoder, _ = load_model("demo")
    sigmas = SIGMAS[way]["sigmas"][first : None if last is None else last + 1]
    timesteps = SIGMAS[way]["timesteps"][first : None if last is None else last + 1]
    conditioning = [
        encode_prompt(text_encoder, t).tokens for t in (WORDS, NOT_WORDS.replace("[", "\\[").replace("]", "\\]"))
    ]
    unet = model.denoiser.load(lambda done, total: None)
    drawn = torch.randn(start.shape, generator=torch.Generator().manual_seed(SEED))
    at_top = math.isclose(sigmas[0], 14.614641, rel_tol=1e-5)
    x = start + drawn * (math.hypot(1, sigmas[0]) if at_top else sigmas[0]) if noise else start
    for step, (sigma, target) in enumerate(pairwise(sigmas)):
        seen = x if mask is None or step == 0 else x * mask + (start + drawn * sigma) * (1 - mask)
        with torch.no_grad():
            positive, negative = (
                unet(seen / math.hypot(1, sigma), timesteps[step], torch.from_numpy(c.repeat(len(x), 0))).sample
                for c in conditioning
            )
        x0 = seen - sigma * (negative + CFG * (positive - negative))
        if mask is not None:
            x0 = x0 * mask + start * (1 - mask)
        x = x + (x - x0) / sigma * (target - sigma)
    return x


def encoded(folder: Path) -> tuple[Tensor, Tensor]:
    loaded = load_image(folder / "picture.png")
    latent = encode_image(load_model("demo").vae, loaded.image)
    assert latent.samples is not None
    return torch.from_numpy(latent.samples.copy()), torch.from_numpy(loaded.mask.values.copy())


def same(given: Latent, expected: Tensor) -> None:
    assert given.samples is not None
    difference = np.abs(given.samples - expected.numpy()).max()
    assert difference < 2e-4 * float(expected.abs().max())


def euler(latent: str, steps: int = 10, denoise: float = 1.0, scheduler: str = "normal") -> dict[str, Any]:
    return sampler("1.0", "2.0", "4.0", latent, SEED, steps, CFG, "euler", scheduler, denoise)


def test_from_noise_in_a_batch(engine: Engine) -> None:
    made = sampled(engine, {"3": euler("5.0")}, "3")
    same(made, recipe(torch.zeros(2, 4, 16, 16), "normal/10"))


def test_denoise_is_the_end_of_a_longer_way(engine: Engine, folder: Path) -> None:
    start, _ = encoded(folder)
    same(sampled(engine, {"3": euler("7.0", 10, 0.5, "karras")}, "3"), recipe(start, "karras/20", 10))
    # Where a schedule takes one step more than asked, the end has as many as asked all the same.
    same(sampled(engine, {"3": euler("7.0", 4, 0.6, "ddim_uniform")}, "3"), recipe(start, "ddim_uniform/6", 3))


def test_a_whole_way_begins_upon_the_picture(engine: Engine, folder: Path) -> None:
    start, _ = encoded(folder)
    same(sampled(engine, {"3": euler("7.0")}, "3"), recipe(start, "normal/10"))


def test_two_samplers_share_a_way(engine: Engine) -> None:
    def part(latent: str, first: int, last: int, seed: int, begin: bool) -> dict[str, Any]:
        return node(
            "KSamplerAdvanced", add_noise="enable" if begin else "disable", noise_seed=seed, steps=10, cfg=CFG,
            sampler_name="euler", scheduler="normal", start_at_step=first, end_at_step=last,
            return_with_leftover_noise="enable" if begin else "disable", model_="1.0", positive_="2.0", negative_="4.0",
            latent_image_=latent,
        )  # fmt: skip

    prompt = {"10": part("5.0", 0, 6, SEED, True), "11": part("10.0", 6, 10000, 0, False)}
    between = recipe(torch.zeros(2, 4, 16, 16), "normal/10", 0, 6)
    same(sampled(engine, prompt, "10"), between)
    same(sampled(engine, prompt, "11"), recipe(between, "normal/10", 6, noise=False))


def test_a_soft_mask_is_read_at_the_middle_of_each_cell(engine: Engine, folder: Path) -> None:
    start, mask = encoded(folder)
    soft = node("GrowMask", expand=3, tapered_corners=True, mask_="6.1")
    prompt = {
        "8": soft,
        "9": node("SetLatentNoiseMask", samples_="7.0", mask_="8.0"),
        "3": euler("9.0", 10, 0.5),
    }
    grown = mask
    for _ in range(3):  # in four directions, a pixel at a time
        padded = functional.pad(grown, (1, 1, 1, 1))
        sides = (padded[:, 1:-1, :-2], padded[:, 1:-1, 2:], padded[:, :-2, 1:-1], padded[:, 2:, 1:-1])
        grown = torch.stack([grown, *sides]).amax(0)
    cells = functional.interpolate(grown[:, None], (16, 16), mode="bilinear")
    assert 0 < cells.mean() < 1
    same(sampled(engine, prompt, "3"), recipe(start, "normal/20", 10, mask=cells))


def test_a_hole_is_greyed_and_grown(engine: Engine, folder: Path) -> None:
    loaded = load_image(folder / "picture.png")
    hard = torch.from_numpy(loaded.mask.values.copy()).round()
    greyed = (torch.from_numpy(loaded.image.pixels.copy()) - 0.5) * (1 - hard[:, None]) + 0.5
    samples = encode_image(load_model("demo").vae, Image(greyed.numpy())).samples
    assert samples is not None
    kernel = torch.ones(1, 1, 6, 6)
    grown = functional.conv2d(hard[:, None], kernel, padding=3).clamp(0, 1).round()[:, :, :64, :64]
    cells = functional.interpolate(grown, (16, 16), mode="bilinear")
    prompt = {
        "8": node("VAEEncodeForInpaint", pixels_="6.0", vae_="1.2", mask_="6.1"),
        "3": euler("8.0"),
    }
    same(sampled(engine, prompt, "3"), recipe(torch.from_numpy(samples.copy()), "normal/10", mask=cells))
