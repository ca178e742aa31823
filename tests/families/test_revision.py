"""Pictures in the place of Stable Diffusion XL's pooled prompt (unCLIP), put under noise as diffusers does it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from diffusers.pipelines.stable_diffusion.stable_unclip_image_normalizer import StableUnCLIPImageNormalizer
from PIL import Image as Pillow
from safetensors.torch import save_file
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from families import adapters, models
from families.parity import NEGATIVE, PROMPT, SEED, close, document, engine, noise, picture, run, save, theirs
from harness import link, step
from nodegraph import Engine, RunFailed
from nodegraph_diffusion.sample_inputs import SEED as BEFORE
from nodegraph_diffusion.values import Image

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]


def encoder(width: int = 64) -> Any:
    small = CLIPVisionConfig(
        hidden_size=64, intermediate_size=64, num_hidden_layers=3, num_attention_heads=1, image_size=32, patch_size=16,
        projection_dim=width,
    )  # fmt: skip
    with models.seeded(32):
        made = models.ready(CLIPVisionModelWithProjection(small))
        made.visual_projection.weight.data *= 20  # fresh weights say little
    return made


def pictures() -> list[Image]:
    return [picture(48, 40), Image(picture(64, 64).pixels[:, ::-1].copy())]


@pytest.fixture(scope="module")
def folder(module_folder: Path) -> Path:
    for name in ("sdxl", "sd1"):
        models.FAMILIES[name]().save_pretrained(module_folder / name)
    for name, width in (("g", 64), ("narrow", 32)):
        state = encoder(width).state_dict()
        named = {k if k.startswith(("vision_model.", "visual_")) else f"vision_model.{k}": v for k, v in state.items()}
        save_file(named, module_folder / f"{name}.safetensors")
    adapters.save_redux(module_folder, 32)
    return module_folder


def revised(folder: Path, *shown: tuple[Image, float, float], source: str = "sdxl", eyes: str = "g") -> dict[str, Any]:
    nodes = document(source)
    nodes["vision"] = step("comfyui/CLIPVisionLoader@1", clip_name=f"{eyes}.safetensors")
    before = "prompt"
    for number, (image, strength, amount) in enumerate(shown):
        nodes[f"picture_{number}"] = step("LoadImage@1", file=save(image, folder / f"{number}.png"))
        nodes[f"seen_{number}"] = step(
            "comfyui/CLIPVisionEncode@1", clip_vision=link("vision.vision"), image=link(f"picture_{number}.image")
        )
        nodes[f"unclip_{number}"] = step(
            "comfyui/UnCLIPConditioning@1", conditioning=link(f"{before}.conditioning"), strength=strength,
            clip_vision_output=link(f"seen_{number}.seen"), noise_augmentation=amount,
        )  # fmt: skip
        before = f"unclip_{number}"
    nodes["sample"]["inputs"]["positive"] = link(f"{before}.conditioning")
    return nodes


def wanted(*shown: tuple[Image, float, float]) -> np.ndarray[Any, Any]:
    """What the pipeline makes of the vectors of pictures, added up."""
    processor = CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    noising = SimpleNamespace(
        image_normalizer=StableUnCLIPImageNormalizer(64),
        image_noising_scheduler=diffusers.DDPMScheduler(beta_schedule="squaredcos_cap_v2"),
    )
    noised = diffusers.StableUnCLIPImg2ImgPipeline.noise_image_embeddings
    draw, vectors = torch.Generator(), []
    with torch.no_grad():
        for image, strength, amount in shown:
            pixels = processor(Pillow.fromarray(image.to_bytes()[0]), return_tensors="pt").pixel_values
            seen = encoder()(pixels).image_embeds
            draw.manual_seed(SEED + BEFORE)
            vectors.append(noised(noising, seen, round(999 * amount), generator=draw)[:, :64] * strength)
        pooled = vectors[0]
        if len(vectors) > 1:
            pooled = noised(noising, sum(vectors), 0, generator=draw)[:, :64]
        tokens, against, _, against_pooled = models.sdxl().encode_prompt(PROMPT, negative_prompt=NEGATIVE)
    return theirs(
        models.sdxl(), prompt_embeds=tokens, negative_prompt_embeds=against, pooled_prompt_embeds=pooled,
        negative_pooled_prompt_embeds=against_pooled, guidance_scale=5.0, height=64, width=64, num_inference_steps=4,
        latents=noise(1, 4, 8, 8),
    )  # fmt: skip


@pytest.fixture(scope="module")
def made(folder: Path) -> Any:
    with engine(folder) as found:
        yield found


def test_pictures_stand_in_the_place_of_the_pooled_prompt(made: Engine, folder: Path) -> None:
    first, second = pictures()
    plain = run(made, document("sdxl"))
    for shown in ([(first, 0.75, 0.0)], [(first, 1.0, 0.5)], [(first, 0.75, 0.1), (second, 1.5, 0.0)]):
        found = run(made, revised(folder, *shown))
        close(found, wanted(*shown))
        assert np.abs(found - plain).max() > 0.003
    assert (run(made, revised(folder, (first, 0.0, 0.0))) == plain).all()


def test_what_does_not_fit_is_refused(made: Engine, folder: Path) -> None:
    one = (picture(), 1.0, 0.0)
    for nodes, words in (
        (revised(folder, one, source="sd1"), "reads no pictures in the place of a prompt"),
        (revised(folder, one, eyes="sig"), "sig.safetensors is SigLIP's encoder"),
    ):
        (problem, *_) = made.check(made.read({"nodes": nodes}))
        assert words in str(problem)
    with pytest.raises(RunFailed, match="reads pictures as vectors of width 64, but one is 32 wide"):
        run(made, revised(folder, one, eyes="narrow"))
