"""A picture as a prompt for Flux.1 (Redux), against diffusers' prior pipeline."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import FluxPriorReduxPipeline
from PIL import Image as Pillow
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

from families import adapters, models
from families.parity import PROMPT, close, document, engine, noise, picture, run, save, theirs
from harness import link, step
from nodegraph import Engine
from nodegraph_diffusion.families.flows import packed
from nodegraph_diffusion.values import Image

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]


TEXTS = ("text_encoder", "tokenizer", "text_encoder_2", "tokenizer_2")


def shown() -> Image:
    return picture(48, 40)


@pytest.fixture(scope="module")
def folder(module_folder: Path) -> Path:
    for name in ("flux_dev", "sd1"):
        models.FAMILIES[name]().save_pretrained(module_folder / name)
    adapters.save_redux(module_folder, models.flux_dev().transformer.config.joint_attention_dim)
    save(shown(), module_folder / "shown.png")
    return module_folder


@pytest.fixture(scope="module")
def made(folder: Path) -> Iterator[Engine]:
    with engine(folder) as found:
        yield found


def styled(folder: Path, source: str = "flux_dev", **how: Any) -> dict[str, Any]:
    nodes = document(source, negative=False, cfg=1.0)
    nodes |= {
        "picture": step("LoadImage@1", file=str(folder / "shown.png")),
        "vision": step("comfyui/CLIPVisionLoader@1", clip_name="sig.safetensors"),
        "seen": step(
            "comfyui/CLIPVisionEncode@1", clip_vision=link("vision.vision"), image=link("picture.image"), crop="none"
        ),
        "style": step("comfyui/StyleModelLoader@1", style_model_name="redux.safetensors"),
        "styled": step(
            "comfyui/StyleModelApply@1", conditioning=link("prompt.conditioning"),
            style_model=link("style.style_model"),
            clip_vision_output=link("seen.seen"), **how,
        ),
    }  # fmt: skip
    nodes["sample"]["inputs"]["positive"] = link("styled.conditioning")
    return nodes


def test_it_is_diffusers(made: Engine, folder: Path) -> None:
    encoder, style = adapters.redux(models.flux_dev().transformer.config.joint_attention_dim)
    processor = SiglipImageProcessorPil(size={"height": 28, "width": 28})
    texts = {name: getattr(models.flux_dev(), name) for name in TEXTS}
    prior = models.quiet(FluxPriorReduxPipeline(encoder, processor, style, **texts))
    with torch.no_grad():
        said = prior(Pillow.fromarray(shown().to_bytes()[0]), prompt=PROMPT)
    wanted = theirs(
        models.flux_dev(), prompt_embeds=said.prompt_embeds, pooled_prompt_embeds=said.pooled_prompt_embeds, height=64,
        width=64, num_inference_steps=4, guidance_scale=3.5, latents=packed(noise(1, 16, 8, 8)),
    )  # fmt: skip
    close(run(made, styled(folder)), wanted)
    nothing = run(made, styled(folder, strength=0.0))
    assert abs(nothing - wanted).max() > 0.01


def test_what_does_not_fit_is_refused_while_checking(made: Engine, folder: Path) -> None:
    def refusal(nodes: dict[str, Any]) -> str:
        return "\n".join(map(str, made.check(made.read({"nodes": nodes}))))

    assert "for prompts of Flux.1" in refusal(styled(folder, "sd1"))
    nodes = styled(folder)
    nodes["vision"]["inputs"]["clip_name"] = "redux.safetensors"
    assert "is no encoder of pictures" in refusal(nodes)
    nodes = styled(folder)
    nodes["style"]["inputs"]["style_model_name"] = "sig.safetensors"
    assert "is no style model" in refusal(nodes)
