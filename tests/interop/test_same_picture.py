"""A converted prompt gives what ComfyUI's recipe gives, which is written out here for Euler on the shipped model.

The recipe's noise levels and timesteps are those that ComfyUI printed (`comfyui_sigmas.json`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
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
from nodegraph import Engine, Folders, Registry, RunFailed
from nodegraph.interop import open_document
from nodegraph.workflow import Ref
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
    "5": node("EmptyLatentImage", width=128, height=128, batch_size=2),
    "6": node("LoadImage", image="picture.png"),
    "7": node("VAEEncode", pixels_="6.0", vae_="1.2"),
}


@pytest.fixture(scope="module")
def folder(module_folder: Path) -> Path:
    y, x = np.mgrid[:128, :128]
    pixels = np.stack([x * 2, y * 2, 255 - x, 255 * ((x - 60) ** 2 + (y - 70) ** 2 > 1200)], axis=-1)
    Pillow.fromarray(pixels.astype(np.uint8)).save(module_folder / "picture.png")
    return module_folder


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
    outputs = {"latent": Ref(opened.origin[id], "latent")}
    return engine.run(opened.workflow.model_copy(update={"outputs": outputs}), targets=["latent"])["latent"]


def recipe(
    start: Tensor,
    way: str = "normal/10",
    first: int = 0,
    last: int | None = None,
    mask: Tensor | Callable[[int], Tensor] | None = None,
    noise: bool = True,
    finish: bool = False,
    parts: Callable[[int], list[tuple[str, tuple[slice, slice], Tensor]]] | None = None,
    levels: list[float] | None = None,
    timesteps: list[int] | None = None,
) -> Tensor:
    """Steps `first` to `last` of the schedule `way` from a clean latent, or on from a noisy one; or those levels."""
    model, text_encoder, _ = load_model("demo")
    sigmas = levels or SIGMAS[way]["sigmas"][first : None if last is None else last + 1]
    if finish:
        sigmas = [*sigmas[:-1], 0.0]
    told = timesteps or SIGMAS[way]["timesteps"][first : None if last is None else last + 1]
    unet = model.denoiser.load(lambda done, total: None)

    def ask(words: str, x: Tensor, step: int) -> Tensor:
        tokens = torch.from_numpy(encode_prompt(text_encoder, words).tokens.repeat(len(x), 0))
        made: Tensor = unet(x / math.hypot(1, sigmas[step]), told[step], tokens).sample
        return made

    def averaged(x: Tensor, step: int) -> Tensor:
        """What several prompts say of their parts of the latent, each with its weights."""
        assert parts is not None
        total, weights = torch.zeros_like(x), torch.zeros(x.shape[-2:])
        for words, part, weight in parts(step):
            total[..., *part] += ask(words, x[..., *part], step) * weight
            weights[part] += weight
        return total / weights

    drawn = torch.randn(start.shape, generator=torch.Generator().manual_seed(SEED)) * noise
    at_top = math.isclose(sigmas[0], 14.614641, rel_tol=1e-5)
    x = start + drawn * (math.hypot(1, sigmas[0]) if at_top else sigmas[0])
    for step, (sigma, target) in enumerate(pairwise(sigmas)):
        hole = mask(step) if callable(mask) else mask
        seen = x if hole is None else x * hole + (start + drawn * sigma) * (1 - hole)
        with torch.no_grad():
            positive = averaged(seen, step) if parts else ask(WORDS, seen, step)
            negative = ask(NOT_WORDS.replace("[", "\\[").replace("]", "\\]"), seen, step)
        x0 = seen - sigma * (negative + CFG * (positive - negative))
        if hole is not None:
            x0 = x0 * hole + start * (1 - hole)
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
    same(made, recipe(torch.zeros(2, 12, 16, 16), "normal/10"))


def test_denoise_is_the_end_of_a_longer_way(engine: Engine, folder: Path) -> None:
    start, _ = encoded(folder)
    same(sampled(engine, {"3": euler("7.0", 10, 0.5, "karras")}, "3"), recipe(start, "karras/20", 10))
    # Where a schedule takes one step more than asked, the end has as many as asked all the same.
    same(sampled(engine, {"3": euler("7.0", 4, 0.6, "ddim_uniform")}, "3"), recipe(start, "ddim_uniform/6", 3))


def test_a_whole_way_begins_upon_the_picture(engine: Engine, folder: Path) -> None:
    start, _ = encoded(folder)
    same(sampled(engine, {"3": euler("7.0")}, "3"), recipe(start, "normal/10"))


def advanced(latent: str, first: int, last: int, add: str = "enable", leave: str = "disable") -> dict[str, Any]:
    return node(
        "KSamplerAdvanced", add_noise=add, noise_seed=SEED, steps=10, cfg=CFG, sampler_name="euler",
        scheduler="normal", start_at_step=first, end_at_step=last, return_with_leftover_noise=leave,
        model_="1.0", positive_="2.0", negative_="4.0", latent_image_=latent,
    )  # fmt: skip


def test_two_samplers_share_a_way(engine: Engine) -> None:
    prompt = {"10": advanced("5.0", 0, 6, leave="enable"), "11": advanced("10.0", 6, 10000, "disable")}
    between = recipe(torch.zeros(2, 12, 16, 16), "normal/10", 0, 6)
    same(sampled(engine, prompt, "10"), between)
    same(sampled(engine, prompt, "11"), recipe(between, "normal/10", 6, noise=False))


@pytest.mark.parametrize(
    ("first", "last", "add", "leave"),
    [
        (0, 6, "enable", "disable"),
        (3, 7, "enable", "enable"),
        (3, 7, "disable", "disable"),
        (0, 10000, "disable", "disable"),
        (7, 20, "enable", "enable"),
        (4, 4, "enable", "enable"),
        (10, 10000, "enable", "disable"),
    ],
)
@pytest.mark.parametrize("noisy", [False, True], ids=["clean", "noisy"])
def test_any_part_of_a_way(
    engine: Engine, folder: Path, first: int, last: int, add: str, leave: str, noisy: bool
) -> None:
    start, _ = encoded(folder)
    prompt = {
        "10": advanced("7.0", 1, 3, leave="enable"),
        "11": advanced("10.0" if noisy else "7.0", first, last, add, leave),
    }
    if noisy:
        start = recipe(start, "normal/10", 1, 3)
    given = sampled(engine, prompt, "11")
    early = leave == "disable" and last < 10
    expected = (
        start
        if first >= min(last, 10)
        else recipe(start, "normal/10", first, last, noise=add == "enable", finish=early)
    )
    same(given, expected)


def test_noise_is_added_to_what_holds_noise_and_to_nothing(engine: Engine, folder: Path) -> None:
    start, _ = encoded(folder)
    prompt = {"10": advanced("7.0", 1, 3, leave="enable"), "3": euler("10.0")}
    same(sampled(engine, prompt, "3"), recipe(recipe(start, "normal/10", 1, 3), "normal/10"))
    same(sampled(engine, {"3": euler("5.0", 10, 0.5)}, "3"), recipe(torch.zeros(2, 12, 16, 16), "normal/20", 10))
    same(sampled(engine, {"3": advanced("5.0", 4, 10000)}, "3"), recipe(torch.zeros(2, 12, 16, 16), "normal/10", 4))


def custom(latent: str, sigmas: str, noise: dict[str, Any]) -> Prompt:
    return {
        "20": node("KSamplerSelect", sampler_name="euler"),
        "21": noise,
        "22": node("CFGGuider", model_="1.0", positive_="2.0", negative_="4.0", cfg=CFG),
        "23": node(
            "SamplerCustomAdvanced", noise_="21.0", guider_="22.0", sampler_="20.0", sigmas_=sigmas,
            latent_image_=latent,
        ),
    }  # fmt: skip


def test_noise_levels_are_split(engine: Engine, folder: Path) -> None:
    start, _ = encoded(folder)
    random, none = node("RandomNoise", noise_seed=SEED), node("DisableNoise")
    way = {
        "30": node("BasicScheduler", model_="1.0", scheduler="normal", steps=5, denoise=0.5),
        "31": node("SplitSigmas", sigmas_="30.0", step=2),
    }
    between = recipe(start, "normal/10", 5, 7)
    same(sampled(engine, {**way, **custom("7.0", "31.0", random)}, "23"), between)
    first = {f"1{id}": each for id, each in custom("7.0", "31.0", random).items()}
    for each in first.values():
        each["inputs"] = {n: [f"1{v[0]}", v[1]] if isinstance(v, list) and v[0] in ("20", "21", "22") else v
                          for n, v in each["inputs"].items()}  # fmt: skip
    prompt = {**way, **first, **custom("123.0", "31.1", none)}
    same(sampled(engine, prompt, "23"), recipe(between, "normal/10", 7, noise=False))


def test_a_picture_is_walked_back_to_noise(engine: Engine, folder: Path) -> None:
    """Up the levels of a schedule, from where there is almost none."""
    start, _ = encoded(folder)
    way = {
        "30": node("BasicScheduler", model_="1.0", scheduler="karras", steps=4, denoise=1.0),
        "31": node("FlipSigmas", sigmas_="30.0"),
    }
    made = sampled(engine, {**way, **custom("7.0", "31.0", node("DisableNoise"))}, "23")
    top, *rest = SIGMAS["karras/4"]["sigmas"][-2::-1]
    told = [0, *SIGMAS["karras/4"]["timesteps"][3::-1]]
    wanted = recipe(start, levels=[0.0001, top, *rest], timesteps=told, noise=False)
    same(made, wanted)
    assert made.sigma == pytest.approx(rest[-1])
    dpm = {**way, **custom("7.0", "31.0", node("DisableNoise"))}
    dpm["20"] = node("KSamplerSelect", sampler_name="dpmpp_2m")
    with pytest.raises(RunFailed, match="use euler, heun or ddim"):
        sampled(engine, dpm, "23")


WHOLE = (slice(None), slice(None))


def test_boxes_are_looked_at_by_themselves(engine: Engine) -> None:
    """A box in the lower left corner of three quarters, which fades at the two inner edges: over eight cells, or a
    quarter of its own if that is less."""
    prompt = {
        "8": node("EmptyLatentImage", width=256, height=256, batch_size=1),
        "11": text("1.1", "a dog"),
        "12": node("ConditioningSetArea", conditioning_="11.0", width=192, height=192, x=0, y=64, strength=2.0),
        "13": node("ConditioningCombine", conditioning_1_="2.0", conditioning_2_="12.0"),
        "3": sampler("1.0", "13.0", "4.0", "8.0", SEED, 4, CFG, "euler", "karras"),
    }
    fade = (torch.arange(1, 25) / 6).clamp(max=1)
    weight = 2 * fade[:, None] * fade.flip(0)[None]
    part = (slice(8, 32), slice(0, 24))
    expected = recipe(
        torch.zeros(1, 12, 32, 32), "karras/4",
        parts=lambda step: [(WORDS, WHOLE, torch.ones(32, 32)), ("a dog", part, weight)],
    )  # fmt: skip
    same(sampled(engine, prompt, "3"), expected)
    parts = node(
        "ConditioningSetAreaPercentage", conditioning_="11.0", width=0.75, height=0.75, x=0.0, y=0.25, strength=2.0
    )
    same(sampled(engine, prompt | {"12": parts}, "3"), expected)


def test_a_box_around_a_mask_is_looked_at_by_itself(engine: Engine) -> None:
    """A mask of 80 x 32 pixels on a picture of 128 x 128 whose cells are 8 wide: 10 cells, and 8 at least."""
    prompt = {
        "8": node("SolidMask", value=0.0, width=128, height=128),
        "9": node("SolidMask", value=1.0, width=80, height=32),
        "10": node("MaskComposite", destination_="8.0", source_="9.0", x=16, y=24, operation="add"),
        "11": text("1.1", "a dog"),
        "12": node(
            "ConditioningSetMask", conditioning_="11.0", mask_="10.0", strength=1.5, set_cond_area="mask bounds"
        ),
        "13": node("ConditioningCombine", conditioning_1_="2.0", conditioning_2_="12.0"),
        "3": sampler("1.0", "13.0", "4.0", "5.0", SEED, 4, CFG, "euler", "karras"),
    }
    weight = torch.zeros(8, 10)
    weight[:4] = 1.5
    made = recipe(
        torch.zeros(2, 12, 16, 16), "karras/4",
        parts=lambda step: [(WORDS, WHOLE, torch.ones(16, 16)), ("a dog", (slice(3, 11), slice(2, 12)), weight)],
    )  # fmt: skip
    same(sampled(engine, prompt, "3"), made)


def test_prompts_count_on_a_part_of_the_noise(engine: Engine) -> None:
    prompt = {
        "11": text("1.1", "a dog"),
        "12": node("ConditioningSetTimestepRange", conditioning_="2.0", start=0.0, end=0.6),
        "14": node("ConditioningSetTimestepRange", conditioning_="11.0", start=0.6, end=1.0),
        "13": node("ConditioningCombine", conditioning_1_="12.0", conditioning_2_="14.0"),
        "3": sampler("1.0", "13.0", "4.0", "5.0", SEED, 10, CFG, "euler", "karras"),
    }
    told = SIGMAS["karras/10"]["timesteps"]
    assert len([t for t in told if t >= 0.4 * 999]) == 5  # and not six of ten, as there would be by steps
    made = recipe(
        torch.zeros(2, 12, 16, 16), "karras/10",
        parts=lambda step: [(WORDS if told[step] >= 0.4 * 999 else "a dog", WHOLE, torch.ones(16, 16))],
    )  # fmt: skip
    same(sampled(engine, prompt, "3"), made)


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


def test_darker_parts_of_a_mask_are_kept_the_longer(engine: Engine, folder: Path) -> None:
    start, _ = encoded(folder)
    prompt = {
        "8": node("SolidMask", value=1.0, width=128, height=128),
        "10": node("FeatherMask", left=128, top=0, right=0, bottom=0, mask_="8.0"),
        "9": node("SetLatentNoiseMask", samples_="7.0", mask_="10.0"),
        "11": node("DifferentialDiffusion", model_="1.0"),
        "3": sampler("11.0", "2.0", "4.0", "9.0", SEED, 10, CFG, "euler", "normal", 0.5),
    }
    ramp = (torch.arange(128) + 1).view(1, 1, 1, 128).expand(1, 1, 128, 128) / 128
    cells = functional.interpolate(ramp, (16, 16), mode="bilinear")
    told = SIGMAS["normal/20"]["timesteps"][10:]
    hard = [(cells >= t / told[0]).float() for t in told[:10]]
    assert hard[0].mean() < hard[5].mean() < hard[9].mean()
    same(sampled(engine, prompt, "3"), recipe(start, "normal/20", 10, mask=lambda step: hard[step]))


def test_a_hole_is_greyed_and_grown(engine: Engine, folder: Path) -> None:
    loaded = load_image(folder / "picture.png")
    hard = torch.from_numpy(loaded.mask.values.copy()).round()
    greyed = (torch.from_numpy(loaded.image.pixels.copy()) - 0.5) * (1 - hard[:, None]) + 0.5
    samples = encode_image(load_model("demo").vae, Image(greyed.numpy())).samples
    assert samples is not None
    kernel = torch.ones(1, 1, 6, 6)
    grown = functional.conv2d(hard[:, None], kernel, padding=3).clamp(0, 1).round()[:, :, :128, :128]
    cells = functional.interpolate(grown, (16, 16), mode="bilinear")
    prompt = {
        "8": node("VAEEncodeForInpaint", pixels_="6.0", vae_="1.2", mask_="6.1"),
        "3": euler("8.0"),
    }
    same(sampled(engine, prompt, "3"), recipe(torch.from_numpy(samples.copy()), "normal/10", mask=cells))
