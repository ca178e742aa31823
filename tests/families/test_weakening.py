"""Guidance that changes layers, against diffusers' pipelines and hooks."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from inspect import signature
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from diffusers.hooks.layer_skip import AttentionScoreSkipFunctionMode

from families import models
from families.parity import NEGATIVE, PROMPT, close, document, engine, noise, run, theirs
from harness import link, step
from nodegraph import Engine, NodeError
from nodegraph_diffusion.apply_guidance import apply_guidance
from nodegraph_diffusion.diffusion.schedules import make_schedule
from nodegraph_diffusion.diffusion.weakening import weakened
from nodegraph_diffusion.load_model import load_model

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]
PERTURBED = {"sd1": "StableDiffusionPAGPipeline", "sdxl": "StableDiffusionXLPAGPipeline"}


@pytest.fixture(scope="module")
def made(module_folder: Path) -> Iterator[Engine]:
    for name in ("sd1", "sdxl", "sd3"):
        models.FAMILIES[name]().save_pretrained(module_folder / name)
    with engine(module_folder) as found:
        yield found


def guided(name: str, *nodes: dict[str, Any], **settings: Any) -> dict[str, Any]:
    whole = document(name, **settings)
    before = "model"
    for number, inputs in enumerate(nodes):
        whole[f"guidance_{number}"] = step("ApplyGuidance@1", model=link(f"{before}.model"), **inputs)
        before = f"guidance_{number}"
    whole["sample"]["inputs"]["model"] = link(f"{before}.model")
    return whole


def perturbing(name: str, layers: str) -> Any:
    cls = getattr(diffusers, PERTURBED[name])
    parts = copy.deepcopy(models.FAMILIES[name]().components)
    parts = {k: v for k, v in parts.items() if k in signature(cls.__init__).parameters}
    if name == "sd1":
        parts["requires_safety_checker"] = False
    return models.quiet(cls(**parts, pag_applied_layers=layers))


@pytest.mark.parametrize("cfg", [5.0, 1.0])
@pytest.mark.parametrize(
    ("name", "layers"), [("sd1", "down_blocks.1"), ("sd1", "up_blocks.2.attentions.0"), ("sdxl", "mid")]
)
def test_perturbed_attention_of_unets(name: str, layers: str, cfg: float, made: Engine) -> None:
    expected = theirs(
        perturbing(name, layers), prompt=PROMPT, negative_prompt=NEGATIVE, guidance_scale=cfg, height=64, width=64,
        num_inference_steps=4, latents=noise(1, 4, 8, 8), pag_scale=30.0,
    )  # fmt: skip
    asked = "auto" if layers == "mid" else layers
    found = run(made, guided(name, {"kind": "perturbed", "layers": asked, "scale": 30.0}, cfg=cfg))
    assert np.abs(found - run(made, document(name, cfg=cfg))).max() > 0.002, "it changes nothing"
    close(found, expected)


def test_skipped_layers_of_stable_diffusion_3(made: Engine) -> None:
    expected = theirs(
        models.sd3(), prompt=PROMPT, negative_prompt=NEGATIVE, guidance_scale=5.0, height=64, width=64,
        num_inference_steps=4, latents=noise(1, 16, 8, 8), skip_guidance_layers=[1], skip_layer_guidance_scale=2.8,
        skip_layer_guidance_start=0.01, skip_layer_guidance_stop=0.6,
    )  # fmt: skip
    how = {"kind": "skip_layer", "layers": "1", "scale": 2.8, "start": 0.01, "end": 0.6}
    found = run(made, guided("sd3", how))
    assert np.abs(found - run(made, document("sd3"))).max() > 0.002, "it changes nothing"
    close(found, expected)


def test_skipped_layers_on_a_part_of_the_noise(made: Engine) -> None:
    """As ComfyUI counts: up to 0.4 of the noise, of steps whose times are shifted by 3."""
    twin = document("sd3")
    twin["skip"] = step("comfyui/SkipLayerGuidanceSD3@1", model=link("model.model"), layers="1", scale=2.8,
                        start_percent=0.0, end_percent=0.4)  # fmt: skip
    twin["sample"]["inputs"]["model"] = link("skip.model")
    times = np.array(
        make_schedule("native", 4, load_model(str(made.folders.models[0] / "sd3")).model.table(64, 4)).timesteps
    )
    early = int((times / 1000 / (3 - 2 * times / 1000) >= 0.6).sum())
    assert 0 < early < 4
    how = {"kind": "skip_layer", "layers": "1", "scale": 2.8}
    close(run(made, twin), run(made, guided("sd3", {**how, "end": early / 4})), 1e-5)
    assert np.abs(run(made, twin) - run(made, guided("sd3", how))).max() > 1e-4


def test_it_goes_with_another_guider(made: Engine) -> None:
    """With all of the change and no limit, the projected is the usual."""
    one = run(made, guided("sd1", {"kind": "projected", "eta": 1.0, "limit": 0.0}, {"kind": "perturbed"}))
    close(one, run(made, guided("sd1", {"kind": "perturbed"})), 1e-4)


CALLS: dict[str, dict[str, Any]] = {
    "sd3": {
        "hidden_states": torch.ones(1, 16, 8, 8), "encoder_hidden_states": torch.ones(1, 5, 160),
        "pooled_projections": torch.ones(1, 128), "timestep": torch.tensor([500.0]),
    },
    "flux_schnell": {
        "hidden_states": torch.ones(1, 16, 64), "encoder_hidden_states": torch.ones(1, 5, 32),
        "pooled_projections": torch.ones(1, 64), "timestep": torch.tensor([0.5]), "img_ids": torch.ones(16, 3),
        "txt_ids": torch.zeros(5, 3),
    },
    "qwen_image": {
        "hidden_states": torch.ones(1, 16, 64), "encoder_hidden_states": torch.ones(1, 5, 16),
        "timestep": torch.tensor([0.5]), "img_shapes": [[(1, 4, 4)]],
        "encoder_hidden_states_mask": torch.ones(1, 5, dtype=torch.bool),
    },
}  # fmt: skip


def valued(forward: Any) -> Any:
    """Attention that gives its values, by diffusers: its own hooks know neither Flux nor SD 3 in 0.42.1."""

    def made(*args: Any, **kwargs: Any) -> Any:
        with AttentionScoreSkipFunctionMode():
            return forward(*args, **kwargs)

    return made


@pytest.mark.parametrize("kind", ["perturbed", "skip_layer"])
@pytest.mark.parametrize("name", CALLS)
def test_transformers_are_made_worse(name: str, kind: Any) -> None:
    """A copy without the block, or whose attention diffusers makes an identity, gives the same."""
    network = models.FAMILIES[name]().transformer
    inputs = {k: v + 0.1 * torch.arange(v.shape[-1]) if v.ndim > 2 else v for k, v in CALLS[name].items()
              if isinstance(v, torch.Tensor) and v.dtype == torch.float32}  # fmt: skip
    inputs = CALLS[name] | inputs | {"return_dict": False}
    other = copy.deepcopy(network)
    if kind == "skip_layer":
        del other.transformer_blocks[1]
    else:
        for module in (getattr(other.transformer_blocks[1], name, None) for name in ("attn", "attn2")):
            if module is not None:
                module.forward = valued(module.forward)
    with torch.no_grad(), weakened(network, kind, "1", 1.0, 0.0, 1.0) as state:
        plain = network(**inputs)[0]
        with state.during():
            worse = network(**inputs)[0]
        after = network(**inputs)[0]
        expected = other(**inputs)[0]
    assert torch.equal(plain, after)
    assert (plain - worse).abs().max() > 1e-4
    torch.testing.assert_close(worse, expected, atol=1e-5, rtol=1e-4)


def test_what_it_cannot_do_is_said(made: Engine) -> None:
    (problem,) = made.check(made.read({"nodes": guided("sd1", {"kind": "skip_layer"})}))
    assert (problem.where, "a UNet has no row of blocks to skip" in str(problem)) == ("guidance_0.kind", True)
    with pytest.raises(NodeError, match="a UNet has no row of blocks"):
        apply_guidance(load_model("demo").model, "skip_layer")
    with pytest.raises(ValueError, match=r"layers needs numbers of 0 to 1 .*, got '1, 2'"):
        weakened(models.sd3().transformer, "skip_layer", "1, 2", 1, 0, 1).__enter__()
    with pytest.raises(ValueError, match="no self-attention of the UNet has 'nowhere' in its name"):
        weakened(models.sd1().unet, "perturbed", "nowhere", 1, 0, 1).__enter__()
