"""GLIGEN, within a model and in a file beside it, against diffusers' pipeline."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from diffusion import layouts
from families import models
from families.parity import NEGATIVE, PROMPT, close, document, engine, hole, noise, run, theirs
from harness import link, step
from nodegraph import Engine, NodeError
from nodegraph_diffusion.apply_gligen import apply_gligen, ground_prompt
from nodegraph_diffusion.checkpoint import ModelError, open_model
from nodegraph_diffusion.checkpoint.gligen import open_gligen
from nodegraph_diffusion.empty_latent import empty_latent
from nodegraph_diffusion.encode_prompt import encode_prompt
from nodegraph_diffusion.layout import layout, layout_area
from nodegraph_diffusion.load_model import load_model
from nodegraph_diffusion.prompt_nodes import combine_prompts
from nodegraph_diffusion.sample import sample

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]
BOXES = {"a red fox": (0.0, 0.25, 0.5, 0.75), "a snow man with a hat": (0.5, 0.0, 0.5, 0.5)}


@pytest.fixture(scope="module")
def folder(module_folder: Path) -> Path:
    models.sd1().save_pretrained(module_folder / "sd1")
    models.sdxl().save_pretrained(module_folder / "sdxl")
    models.gligen().save_pretrained(module_folder / "gligen")
    save_file(gates(), module_folder / "gates.safetensors")
    return module_folder


def gates() -> dict[str, torch.Tensor]:
    """The gates alone, by the names of the original code, as people have them for ComfyUI."""
    state = models.gligen().unet.state_dict()
    position = {name: value for name, value in state.items() if name.startswith("position_net.")}

    class Fusers:
        config = models.gligen().unet.config

        def state_dict(self) -> dict[str, torch.Tensor]:
            return {name: value for name, value in state.items() if ".fuser." in name}

    named = layouts.unet(Fusers())
    return position | {name.removeprefix("model.diffusion_model."): value.clone() for name, value in named.items()}


@pytest.fixture(scope="module")
def made(folder: Path) -> Iterator[Engine]:
    with engine(folder) as found:
        yield found


def expected(beta: float, **settings: Any) -> np.ndarray[Any, Any]:
    return theirs(
        models.gligen(), prompt=PROMPT, height=64, width=64, num_inference_steps=4, latents=noise(1, 4, 8, 8),
        gligen_phrases=list(BOXES), gligen_boxes=[[x, y, x + w, y + h] for x, y, w, h in BOXES.values()],
        gligen_scheduled_sampling_beta=beta, **settings,
    )  # fmt: skip


def laid(source: str, beta: float, **settings: Any) -> dict[str, Any]:
    """The document with a layout; the gates beside the model where it has none."""
    nodes = document(source, **settings)
    lines = "\n".join(f"{x} {y} {w} {h}: {phrase}" for phrase, (x, y, w, h) in BOXES.items())
    nodes["prompt"] = step("Layout@1", text_encoder=link("model.text_encoder"), background=PROMPT, boxes=lines,
                           gligen_beta=beta)  # fmt: skip
    nodes["sample"]["inputs"]["positive"] = link("prompt.layout")
    if source == "sd1":
        nodes["gates"] = step("ApplyGligen@1", model=link("model.model"), source="gates.safetensors")
        nodes["sample"]["inputs"]["model"] = link("gates.model")
    return nodes


GUIDED = {"guidance_scale": 5.0, "negative_prompt": NEGATIVE}


@pytest.mark.parametrize("source", ["gligen", "sd1"])
@pytest.mark.parametrize("beta", [0.5, 1.0])
def test_a_layout_is_diffusers_boxes(source: str, beta: float, made: Engine) -> None:
    found = run(made, laid(source, beta))
    assert np.abs(found - run(made, document("sd1"))).max() > 0.01, "the boxes change nothing"
    close(found, expected(beta, **GUIDED))


def test_without_guidance_and_as_prompts(made: Engine) -> None:
    wanted = expected(0.5, guidance_scale=1.0)
    nodes = document("gligen", negative=False)
    before = "prompt"
    for number, (text, (x, y, width, height)) in enumerate(BOXES.items()):
        nodes[f"box_{number}"] = step(
            "GroundPrompt@1", prompt=link(f"{before}.conditioning"), text_encoder=link("model.text_encoder"),
            text=text, x=x, y=y, width=width, height=height, end=0.5,
        )  # fmt: skip
        before = f"box_{number}"
    nodes["sample"]["inputs"]["positive"] = link(f"{before}.conditioning")
    close(run(made, nodes), wanted)


def test_a_share_without_steps_is_the_plain_model(made: Engine) -> None:
    plain = run(made, document("sd1"))
    close(run(made, laid("sd1", 0.1)), plain, 1e-6)
    run(made, laid("sd1", 1.0))
    assert np.array_equal(run(made, document("sd1")), plain), "a run leaves something behind"


def test_prompts_of_another_length_are_asked_apart_with_the_same_gates(folder: Path) -> None:
    """Negative and positive in one call or in two: what gates see is the same."""
    model, texts, _ = load_model(str(folder / "gligen"))
    boxed = ground_prompt(encode_prompt(texts, PROMPT), texts, "a red fox", 0, 0, 0.5, 0.5, end=1)
    negative = encode_prompt(texts, NEGATIVE)
    whole = sample(model, boxed, empty_latent(64, 64), negative, seed=3, steps=3).latent.samples
    apart = combine_prompts([negative, replace(negative, weight=1e-9)])
    other = sample(model, boxed, empty_latent(64, 64), apart, seed=3, steps=3).latent.samples
    assert whole is not None
    assert other is not None
    assert np.abs(whole - other).max() < 1e-3
    boxed_too = ground_prompt(negative, texts, "a cat", 0.5, 0.5, 0.5, 0.5, end=1)
    third = sample(model, boxed, empty_latent(64, 64), boxed_too, seed=3, steps=3).latent.samples
    assert third is not None
    assert np.abs(whole - third).max() > 1e-3


def test_areas_without_words_stay_areas(folder: Path) -> None:
    model, texts, _ = load_model(str(folder / "gligen"))
    boxes = layout(texts, PROMPT, "0 0 0.5 1: a red fox", gligen_beta=1.0)
    both = layout_area(boxes, encode_prompt(texts, "a cat"), hole())
    asked = both.grounded()
    assert [len(asked.background.grounds), len(asked.areas)] == [1, 1]  # type: ignore[union-attr]
    one, two = (sample(model, each, empty_latent(64, 64), steps=2, cfg=1.0).latent.samples for each in (boxes, both))
    assert one is not None
    assert two is not None
    assert np.abs(one - two).max() > 0.01


def test_what_does_not_fit_is_refused(made: Engine, folder: Path, tmp_path: Path) -> None:
    nodes = laid("sdxl", 1.0)
    nodes["gates"] = step("ApplyGligen@1", model=link("model.model"), source="gates.safetensors")
    nodes["sample"]["inputs"]["model"] = link("gates.model")
    found = made.check(made.read({"nodes": nodes}))
    assert {p.where for p in found} == {"gates.source", "gates.model"}
    assert "gates.safetensors is a GLIGEN for a Stable Diffusion 1 model that reads prompts of width 64" in str(
        found[0]
    )
    plain = document("sd1")
    plain["box"] = step("GroundPrompt@1", prompt=link("prompt.conditioning"), text_encoder=link("model.text_encoder"))
    plain["sample"]["inputs"]["positive"] = link("box.conditioning")
    found = made.check(made.read({"nodes": plain}))
    assert {p.where for p in found} == {"sample.positive", "sample.model"}
    assert "link ApplyGligen between, or use Layout" in str(found[0])
    model, texts, _ = load_model(str(folder / "sd1"))
    boxed = ground_prompt(encode_prompt(texts), texts, "a fox")
    with pytest.raises(NodeError, match="which the model has not; link ApplyGligen before"):
        sample(model, boxed, empty_latent(64, 64), steps=1)
    held = apply_gligen(model, str(folder / "gates.safetensors"))
    with pytest.raises(NodeError, match="the model has GLIGEN already"):
        apply_gligen(held, str(folder / "gates.safetensors"))
    with pytest.raises(NodeError, match="at most 30 boxes, but 31 are given"):
        sample(held, replace(boxed, grounds=boxed.grounds * 31), empty_latent(64, 64), steps=1)
    with pytest.raises(NodeError, match="boxes for GLIGEN lie over the whole picture; set tile to 0"):
        sample(held, boxed, empty_latent(128, 64), steps=1, tile=64)
    with pytest.raises(NodeError, match=r"the box reaches from 0.6, 0 to 1.1, 1"):
        ground_prompt(encode_prompt(texts), texts, "a fox", x=0.6)
    other = load_model(str(folder / "sdxl")).text_encoder
    said = encode_prompt(other)
    with pytest.raises(NodeError, match="the text encoder is of Stable Diffusion XL"):
        ground_prompt(said, other, "a fox")
    broken = {name: value for name, value in gates().items() if "middle_block" not in name}
    save_file(broken, tmp_path / "broken.safetensors")
    with pytest.raises(NodeError, match=r"is a GLIGEN for blocks such as '[?]', 15 in all, but this model has 16"):
        sample(apply_gligen(model, str(tmp_path / "broken.safetensors")), boxed, empty_latent(64, 64), steps=1)
    save_file({"a.weight": torch.zeros(2, 2)}, tmp_path / "none.safetensors")
    with pytest.raises(ModelError, match="is no GLIGEN for text boxes"):
        open_gligen(tmp_path / "none.safetensors")


def test_kinds_that_are_not_supported_say_so(folder: Path, tmp_path: Path) -> None:
    import json
    import shutil

    shutil.copytree(folder / "gligen", tmp_path / "pictures")
    file = tmp_path / "pictures" / "unet" / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"attention_type": "gated-text-image"}))
    with pytest.raises(ModelError, match="is a GLIGEN that reads pictures, and is not supported"):
        open_model(str(tmp_path / "pictures"))
