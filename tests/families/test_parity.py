"""Every family, end to end: our document's picture is that of diffusers' pipeline, for the same weights, noise,
scheduler and settings."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from inspect import signature
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
from torch import Tensor

from families import models
from families.parity import (
    NEGATIVE,
    PROMPT,
    SEED,
    close,
    document,
    engine,
    hole,
    noise,
    picture,
    run,
    save,
    theirs,
)
from harness import link, step
from nodegraph import Engine
from nodegraph_diffusion.families.flows import packed

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


@dataclass(frozen=True)
class Case:
    """How a family's pipeline is called.

    Args:
        start: What stands for the noise that our sampler draws.
        settings: Of the pipeline.
        ours: Of our `Sample`, where it is not what the pipeline is told.
    """

    shape: tuple[int, ...]
    start: Callable[[Tensor], Tensor] = lambda noise: noise
    settings: Mapping[str, Any] = field(default_factory=dict)
    ours: Mapping[str, Any] = field(default_factory=dict)
    negative: bool = True
    image_to_image: str = ""
    inpaint: str = ""


CFG = {"guidance_scale": 5.0, "negative_prompt": NEGATIVE}
SIXTEEN = (1, 16, 8, 8)
CASES = {
    "sd1": Case(
        (1, 4, 8, 8),
        settings=CFG,
        image_to_image="StableDiffusionImg2ImgPipeline",
        inpaint="StableDiffusionInpaintPipeline",
    ),
    "sdxl": Case(
        (1, 4, 8, 8),
        settings=CFG,
        image_to_image="StableDiffusionXLImg2ImgPipeline",
        inpaint="StableDiffusionXLInpaintPipeline",
    ),
    "sd3": Case(
        SIXTEEN,
        settings=CFG,
        image_to_image="StableDiffusion3Img2ImgPipeline",
        inpaint="StableDiffusion3InpaintPipeline",
    ),
    "flux_dev": Case(
        SIXTEEN,
        packed,
        {"guidance_scale": 2.0},
        {"guidance": 2.0},
        negative=False,
        image_to_image="FluxImg2ImgPipeline",
        inpaint="FluxInpaintPipeline",
    ),
    "flux_schnell": Case(SIXTEEN, packed, {"true_cfg_scale": 5.0, "negative_prompt": NEGATIVE}),
    "chroma": Case(SIXTEEN, packed, CFG, image_to_image="ChromaImg2ImgPipeline", inpaint="ChromaInpaintPipeline"),
    "hidream": Case(SIXTEEN, settings=CFG),
    "flux2_dev": Case((1, 128, 4, 4), settings={"guidance_scale": 4.0}, negative=False, ours={"guidance": 4.0}),
    "flux2_klein": Case((1, 128, 4, 4), settings={"guidance_scale": 1.0}, negative=False, ours={"cfg": 1.0}),
    "qwen_image": Case(
        SIXTEEN,
        packed,
        {"true_cfg_scale": 5.0, "negative_prompt": NEGATIVE},
        image_to_image="QwenImageImg2ImgPipeline",
        inpaint="QwenImageInpaintPipeline",
    ),
    "z_image": Case(
        SIXTEEN,
        settings=CFG,
        ours={"cfg": 6.0},  # its pipeline counts from the positive
        image_to_image="ZImageImg2ImgPipeline",
        inpaint="ZImageInpaintPipeline",
    ),
}


@pytest.fixture(scope="module")
def made(module_folder: Path) -> Iterator[Engine]:
    for name in (*CASES, "sdxl_refiner"):
        models.FAMILIES[name]().save_pretrained(module_folder / name)
    with engine(module_folder) as found:
        yield found


@pytest.mark.parametrize("name", CASES)
def test_text_to_image(name: str, made: Engine) -> None:
    case = CASES[name]
    expected = theirs(
        models.FAMILIES[name](),
        prompt=PROMPT,
        height=64,
        width=64,
        num_inference_steps=4,
        latents=case.start(noise(*case.shape)),
        **case.settings,
    )
    close(run(made, document(name, negative=case.negative, **case.ours)), expected)


def other(name: str, cls: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Another pipeline over the same parts, that takes the mean of an encoded picture, as we do, and draws nothing."""
    found = getattr(diffusers, cls)
    monkeypatch.setattr(sys.modules[found.__module__], "retrieve_latents", mean)
    parts = {k: v for k, v in models.FAMILIES[name]().components.items() if k in signature(found.__init__).parameters}
    return models.quiet(found(**parts))


def mean(encoded: Any, generator: Any = None, sample_mode: str = "sample") -> Tensor:
    found: Tensor = encoded.latent_dist.mode()
    return found


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.image_to_image])
def test_image_to_image(name: str, made: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case, shown = CASES[name], picture()
    pipeline = other(name, case.image_to_image, monkeypatch)
    asked = signature(pipeline.__call__).parameters  # SDXL's takes the size of the picture
    expected = theirs(
        pipeline,
        **{side: 64 for side in ("width", "height") if side in asked},
        prompt=PROMPT,
        image=torch.from_numpy(shown.pixels.copy()),
        strength=0.75,
        num_inference_steps=4,
        generator=torch.Generator().manual_seed(SEED),
        **case.settings,
    )
    start = step("EncodeImage@1", vae=link("model.vae"), image=link("picture.image"))
    nodes = document(name, start, negative=case.negative, strength=0.75, **case.ours)
    nodes["picture"] = step("LoadImage@1", file=save(shown, tmp_path / "picture.png"))
    close(run(made, nodes), expected)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.inpaint])
def test_inpainting(name: str, made: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case, shown, mask = CASES[name], picture(), hole()
    expected = theirs(
        other(name, case.inpaint, monkeypatch),
        prompt=PROMPT,
        image=torch.from_numpy(shown.pixels.copy()),
        mask_image=torch.from_numpy(mask.values.copy())[:, None],
        strength=0.75,
        num_inference_steps=4,
        height=64,
        width=64,
        generator=torch.Generator().manual_seed(SEED),
        **case.settings,
    )
    nodes = document(name, masked(), negative=case.negative, strength=0.75, **case.ours)
    close(run(made, nodes | pictures(tmp_path)), expected)


def masked() -> dict[str, Any]:
    return step("EncodeImage@1", vae=link("model.vae"), image=link("picture.image"), mask=link("hole.image"))


def pictures(folder: Path) -> dict[str, Any]:
    return {
        "picture": step("LoadImage@1", file=save(picture(), folder / "picture.png")),
        "hole": step("LoadImage@1", file=save(hole(), folder / "hole.png")),
    }


def test_flux_fill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models.flux_fill().save_pretrained(tmp_path / "flux_fill")
    expected = theirs(
        other("flux_fill", "FluxFillPipeline", monkeypatch),
        prompt=PROMPT,
        image=torch.from_numpy(picture().pixels.copy()),
        mask_image=torch.from_numpy(hole().values.copy())[:, None],
        num_inference_steps=4,
        height=64,
        width=64,
        guidance_scale=30.0,
        generator=torch.Generator().manual_seed(SEED),
    )
    with engine(tmp_path) as made:
        nodes = document("flux_fill", masked(), negative=False, guidance=30.0)
        close(run(made, nodes | pictures(tmp_path)), expected)


def test_the_refiner_goes_on_where_the_base_model_stopped(made: Engine) -> None:
    common = {"prompt": PROMPT, "negative_prompt": NEGATIVE, "num_inference_steps": 8, "guidance_scale": 5.0}
    half = models.sdxl()(
        **common, denoising_end=0.5, height=64, width=64, latents=noise(1, 4, 8, 8), output_type="latent"
    ).images
    expected = theirs(models.sdxl_refiner(), **common, denoising_start=0.5, image=half)
    nodes = document("sdxl", steps=8, end_step=4)
    second = document("sdxl_refiner", steps=8, start_step=4)
    second["sample"]["inputs"]["latent"] = link("first.latent")
    nodes["first"] = nodes.pop("sample")
    refiner = {"model": "refiner", "prompt": "prompt_2", "negative": "negative_2"}

    def moved(value: Any) -> Any:
        if not isinstance(value, dict) or "$from" not in value:
            return value
        node, _, port = value["$from"].partition(".")
        return link(f"{refiner.get(node, node)}.{port}")

    for id in ("model", "prompt", "negative", "sample", "decode"):
        inputs = {name: moved(value) for name, value in second[id]["inputs"].items()}
        nodes[refiner.get(id, id)] = second[id] | {"inputs": inputs}
    close(run(made, nodes), expected)


def test_latent_diffusions_own_first_model(tmp_path: Path) -> None:
    pipeline = models.ldm(tmp_path)
    pipeline.save_pretrained(tmp_path / "ldm")
    expected = theirs(
        pipeline, prompt=PROMPT, height=64, width=64, num_inference_steps=4, guidance_scale=5.0,
        latents=noise(1, 4, 8, 8),
    )  # fmt: skip
    with engine(tmp_path) as made:
        nodes = document("ldm", sampler="ddim")
        nodes["negative"]["inputs"]["text"] = ""  # its pipeline knows no other
        close(run(made, nodes), expected)
