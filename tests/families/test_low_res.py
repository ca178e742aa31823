"""Models that enlarge a small picture, against diffusers' pipelines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from families import models
from families.parity import NEGATIVE, PROMPT, close, document, engine, noise, picture, run, save
from harness import link, step
from nodegraph import Engine, NodeError, RunFailed
from nodegraph_diffusion.encode_low_res import encode_low_res
from nodegraph_diffusion.encode_prompt import encode_prompt
from nodegraph_diffusion.load_model import load_model
from nodegraph_diffusion.sample import sample
from nodegraph_diffusion.values import Latent

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]
SIDE, LARGE = 16, 64


@pytest.fixture(scope="module")
def folder(module_folder: Path) -> Path:
    models.sd_x4().save_pretrained(module_folder / "sd_x4")
    models.ldm_sr().save_pretrained(module_folder / "ldm_sr")
    models.sd1().save_pretrained(module_folder / "sd1")
    save(picture(SIDE, SIDE), module_folder / "picture.png")
    save(picture(18, 14), module_folder / "odd.png")
    return module_folder


@pytest.fixture(scope="module")
def made(folder: Path) -> Iterator[Engine]:
    with engine(folder) as found:
        yield found


def enlarged(folder: Path, source: str, file: str = "picture", level: int = 20, **settings: Any) -> dict[str, Any]:
    start = step("EncodeLowRes@1", vae=link("model.vae"), image=link("picture.image"), noise_level=level)
    settings = {"sampler": "ddim", "schedule": "leading"} | settings
    return document(source, start, **settings) | {"picture": step("LoadImage@1", file=str(folder / f"{file}.png"))}


@pytest.mark.parametrize("level", [20, 200])
def test_the_x4_upscaler(made: Engine, folder: Path, level: int) -> None:
    def shown(noise_level: int) -> np.ndarray[Any, Any]:
        found = models.sd_x4()(
            prompt=PROMPT,
            negative_prompt=NEGATIVE,
            image=torch.from_numpy(picture(SIDE, SIDE).pixels.copy()),
            noise_level=noise_level,
            guidance_scale=5.0,
            num_inference_steps=4,
            latents=noise(1, 4, SIDE, SIDE),
            generator=torch.Generator().manual_seed(5 + 2**63),
            output_type="np",
        )
        pixels: np.ndarray[Any, Any] = found.images[0]
        return pixels

    close(run(made, enlarged(folder, "sd_x4", level=level)), shown(level))
    assert np.abs(shown(level) - shown(0)).max() > 0.002, "the level changes nothing"


def test_latent_diffusions_super_resolution(made: Engine, folder: Path) -> None:
    small = torch.from_numpy(picture(SIDE, SIDE).pixels.copy()) * 2 - 1
    generator = torch.Generator().manual_seed(5)
    found = models.ldm_sr()(small, num_inference_steps=4, generator=generator, output_type="np")
    close(run(made, enlarged(folder, "ldm_sr", negative=False)), found.images[0])


@pytest.mark.parametrize("source", ["sd_x4", "ldm_sr"])
def test_sizes_need_not_be_multiples(made: Engine, folder: Path, source: str) -> None:
    found = run(made, enlarged(folder, source, "odd", negative=False))
    assert found.shape == (14 * 4, 18 * 4, 3)


def test_what_does_not_go_together_is_refused_while_checking(made: Engine, folder: Path) -> None:
    def problems(nodes: dict[str, Any]) -> dict[str, str]:
        return {p.where: str(p) for p in made.check(made.read({"nodes": nodes}))}

    assert problems(enlarged(folder, "sd_x4")) == problems(enlarged(folder, "ldm_sr", negative=False)) == {}
    (said,) = problems(document("sd_x4")).items()
    assert (said[0], "needs a small picture; link EncodeLowRes" in said[1]) == ("sample.latent", True)
    (said,) = problems(enlarged(folder, "sd1")).items()
    assert (said[0], "needs the VAE of an upscaling model" in said[1]) == ("latent.vae", True)
    undecoded = enlarged(folder, "sd_x4")
    undecoded["decode"]["inputs"]["latent"] = link("latent.latent")
    assert "holds no picture yet" in problems(undecoded)["decode.latent"]
    plan = made.compile(made.read({"nodes": enlarged(folder, "sd_x4")}))
    assert dict(plan.calls["decode"].facts["image"]) == {"width": LARGE, "height": LARGE, "batch": 1}


def test_what_does_not_go_together_is_refused_while_running(made: Engine, folder: Path) -> None:
    model, text_encoder, _ = load_model(str(folder / "sd_x4"))
    with pytest.raises(NodeError, match="is an upscaling model, which needs a small picture; link EncodeLowRes"):
        sample(model, encode_prompt(text_encoder, "a"), Latent(LARGE, LARGE), steps=1)
    with pytest.raises(RunFailed, match="looks at the whole small picture; set tile to 0"):
        run(made, enlarged(folder, "sd_x4", tile=32))
    with pytest.raises(NodeError, match="'demo': needs the VAE of an upscaling model"):
        encode_low_res(load_model("demo").vae, picture())
