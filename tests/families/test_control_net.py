"""ControlNets: one and several, in every family that has them, against diffusers' pipelines."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from PIL import Image as Pillow
from safetensors.torch import load_file, save_file

from families import adapters, models
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
from harness import link, step
from nodegraph import Engine, RunFailed
from nodegraph_diffusion.apply_control_net import apply_control_net
from nodegraph_diffusion.checkpoint import ModelError
from nodegraph_diffusion.checkpoint.controls import open_control
from nodegraph_diffusion.encode_prompt import encode_prompt
from nodegraph_diffusion.families.flows import packed
from nodegraph_diffusion.layouts import Area, Layout
from nodegraph_diffusion.load_model import load_model
from nodegraph_diffusion.sample import sample
from nodegraph_diffusion.values import Image, Latent, NoiseLevels
from samples import natural

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]
PIPELINES = {
    "sd1": "StableDiffusionControlNetPipeline",
    "sdxl": "StableDiffusionXLControlNetPipeline",
    "sd3": "StableDiffusion3ControlNetPipeline",
    "flux_dev": "FluxControlNetPipeline",
    "qwen_image": "QwenImageControlNetPipeline",
}
SETTINGS: dict[str, dict[str, Any]] = {
    "flux_dev": {"guidance_scale": 2.0},
    "qwen_image": {"true_cfg_scale": 1.0},  # it gives the negative what its ControlNet says of the positive
}
NETS = [*PIPELINES, "sd3_zero"]


@pytest.fixture(scope="module")
def folder(module_folder: Path) -> Path:
    for name in PIPELINES:
        models.FAMILIES[name]().save_pretrained(module_folder / name)
        adapters.control_net(name).save_pretrained(module_folder / f"{name}-control")
    adapters.control_net("sd3", 13).save_pretrained(module_folder / "sd3_zero-control")
    adapters.control_net("sdxl", 14).save_pretrained(module_folder / "sdxl-other")
    save(picture(), module_folder / "picture.png")
    return module_folder


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
    # The pipelines of transformers draw a latent of the hint; we take its mean.
    monkeypatch.setattr(DiagonalGaussianDistribution, "sample", lambda self, generator=None: self.mode())
    family = name.partition("_zero")[0]
    net = adapters.control_net(family, 13 if name == "sd3_zero" else 12)
    channels = 4 if family in ("sd1", "sdxl") else 16
    start = noise(1, channels, 8, 8)
    shown = torch.from_numpy(picture().pixels.copy())
    expected = theirs(
        pipeline(family, net),
        prompt=PROMPT,
        height=64,
        width=64,
        num_inference_steps=4,
        latents=packed(start) if family in SETTINGS else start,
        controlnet_conditioning_scale=0.8,
        control_guidance_end=0.5,
        # Tensors those pipelines take for pictures of -1 to 1.
        **({"image": shown} if channels == 4 else {"control_image": Pillow.fromarray(picture().to_bytes()[0])}),
        **SETTINGS.get(family, {"guidance_scale": 5.0, "negative_prompt": NEGATIVE}),
    )
    how = {"strength": 0.8, "end": 0.5}
    ours: dict[str, Any] = {"negative": False, "guidance": 2.0} if family in SETTINGS else {}
    found = run(made, controlled(folder, family, (f"{name}-control", how), **ours))
    plain = run(made, document(family, **ours))
    assert np.abs(found - plain).max() > 0.005, "it changes nothing"
    close(found, expected)


def test_a_hole_is_filled(made: Engine, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a ControlNet on the model, and, where ComfyUI has it, on prompts."""
    monkeypatch.setattr(DiagonalGaussianDistribution, "sample", lambda self, generator=None: self.mode())
    adapters.control_net("qwen_image", adapters.FILLS).save_pretrained(folder / "fills")
    hole = np.zeros((64, 64), np.uint8)
    hole[16:48, 8:40] = 255
    Pillow.fromarray(np.stack([hole] * 3, axis=-1)).save(folder / "hole.png")
    expected = theirs(
        with_part(diffusers.QwenImageControlNetInpaintPipeline, "qwen_image",
                  controlnet=adapters.control_net("qwen_image", adapters.FILLS)),
        prompt=PROMPT, height=64, width=64, num_inference_steps=4, latents=packed(noise(1, 16, 8, 8)),
        control_image=Pillow.fromarray(picture().to_bytes()[0]), control_mask=Pillow.fromarray(hole),
        controlnet_conditioning_scale=0.8, true_cfg_scale=1.0,
    )  # fmt: skip
    nodes = controlled(folder, "qwen_image", ("fills", {"strength": 0.8}), negative=False)
    nodes["hole"] = step("LoadImage@1", file=str(folder / "hole.png"))
    nodes["mask"] = step("comfyui/ImageToMask@1", image=link("hole.image"))
    (apply,) = [id for id, each in nodes.items() if each["type"] == "ApplyControlNet@1"]
    without = copy.deepcopy(nodes)
    nodes[apply]["inputs"]["mask"] = link("mask.mask")
    close(run(made, nodes), expected)
    assert [problem.port for problem in made.check(made.read({"nodes": without}))] == ["mask"]
    prompts = {**nodes, "net": step("comfyui/ControlNetLoader@1", control_net_name="fills")}
    both = dict.fromkeys(("positive", "negative"), link("prompt.conditioning"))
    prompts["held"] = step(
        "comfyui/ControlNetInpaintingAliMamaApply@1", **both, control_net=link("net.control_net"),
        vae=link("model.vae"), image=nodes[apply]["inputs"]["image"], mask=link("mask.mask"), strength=0.8,
    )  # fmt: skip
    told = {"model": link("model.model"), "positive": link("held.positive")}
    prompts["sample"] = {**nodes["sample"], "inputs": {**nodes["sample"]["inputs"], **told}}
    del prompts[apply]
    close(run(made, prompts), expected)


def test_one_that_knows_several_kinds_is_told_which(made: Engine, folder: Path) -> None:
    net = adapters.union_control_net()
    net.save_pretrained(folder / "union")
    shown = torch.from_numpy(picture().pixels.copy())
    expected = theirs(
        with_part(diffusers.StableDiffusionXLControlNetUnionPipeline, "sdxl", controlnet=net),
        prompt=PROMPT, negative_prompt=NEGATIVE, guidance_scale=5.0, control_image=[shown], control_mode=[3], height=64,
        width=64, num_inference_steps=4, latents=noise(1, 4, 8, 8), controlnet_conditioning_scale=0.8,
    )  # fmt: skip
    nodes = document("sdxl")
    nodes |= {
        "picture": step("LoadImage@1", file=str(folder / "picture.png")),
        "net": step("comfyui/ControlNetLoader@1", control_net_name="union"),
        "said": step("comfyui/SetUnionControlNetType@1", control_net=link("net.control_net")),
        "held": step("comfyui/ControlNetApplyAdvanced@1", positive=link("prompt.conditioning"),
                     negative=link("negative.conditioning"), control_net=link("said.control_net"),
                     image=link("picture.image"), strength=0.8),
    }  # fmt: skip
    nodes["sample"]["inputs"] |= {"positive": link("held.positive"), "negative": link("held.negative")}
    nodes["said"]["inputs"]["type"] = "canny/lineart/anime_lineart/mlsd"
    close(run(made, nodes), expected)
    nodes["said"]["inputs"]["type"] = "depth"
    assert np.abs(run(made, nodes) - expected).max() > 0.002
    for kind in ("auto", "tile"):
        nodes["said"]["inputs"]["type"] = kind
        with pytest.raises(RunFailed, match=r"openpose, depth, .*segment; say which one"):
            run(made, nodes)
    alone = load_file(folder / "union" / "diffusion_pytorch_model.safetensors")
    save_file(alone, folder / "union_promax.safetensors")
    found = open_control(folder / "union_promax.safetensors").denoiser
    assert (found.cls, found.config["num_control_type"], found.config["num_trans_layer"]) == (
        "ControlNetUnionModel", 6, 1
    )  # fmt: skip


def test_several_are_summed(made: Engine, folder: Path) -> None:
    nets = [adapters.control_net("sdxl"), adapters.control_net("sdxl", 14)]
    shown = torch.from_numpy(picture().pixels.copy())
    expected = theirs(
        pipeline("sdxl", nets), prompt=PROMPT, negative_prompt=NEGATIVE, guidance_scale=5.0, image=[shown, shown],
        height=64, width=64, num_inference_steps=4, latents=noise(1, 4, 8, 8), controlnet_conditioning_scale=[0.5, 1.0],
        control_guidance_start=[0.0, 0.5],
    )  # fmt: skip
    used = [("sdxl-control", {"strength": 0.5}), ("sdxl-other", {"start": 0.5})]
    close(run(made, controlled(folder, "sdxl", *used)), expected)


@pytest.mark.parametrize("layout", [False, True])
@pytest.mark.parametrize("wide", [False, True])
def test_each_window_sees_its_part_of_the_picture(wide: bool, layout: bool, folder: Path) -> None:
    """Where one window alone looks, its answer is that of a run of that window by itself with its part of the hint."""
    model, texts, _ = load_model(str(folder / "sd1"))
    size = (128, 64) if wide else (64, 128)
    shown = Image(np.random.default_rng(3).random((1, 3, size[1], size[0]), np.float32))
    x = noise(1, 4, size[1] // 8, size[0] // 8).numpy() * 3
    says = encode_prompt(texts, PROMPT)
    boxes = Layout(says, (Area(says, 0, 0, *((0.5, 1) if wide else (1, 0.5))),), soft=0.0)

    def seen(positive: Any, latent: Latent, hint: Image, **more: Any) -> Any:
        held = apply_control_net(model, hint, str(folder / "sd1-control"), strength=10)
        levels = NoiseLevels((3.0, 0.0))
        made = sample(held, positive, latent, cfg=1.0, levels=levels, add_noise="never", sampler="euler", **more)
        return made.steps.samples

    whole = Latent(*size, 1, x)
    made = seen(boxes, whole, shown) if layout else seen(says, whole, shown, tile=64)
    for at in (0,) if layout else (0, 8):
        cells, pixels = slice(at, at + 8), slice(8 * at, 8 * at + 64)
        part = Latent(64, 64, 1, x[:, :, :, cells] if wide else x[:, :, cells])
        own = Image(shown.pixels[..., pixels] if wide else shown.pixels[..., pixels, :])
        wanted = seen(says, part, own)
        alone = slice(0, 3) if at == 0 else slice(5, 8)  # cells that no other window looks at
        found = made[:, :, :, cells][..., alone] if wide else made[:, :, cells][:, :, alone]
        expected = wanted[..., alone] if wide else wanted[:, :, alone]
        np.testing.assert_allclose(found, expected, atol=3e-5)
        other = seen(says, part, Image(1 - own.pixels))
        assert np.abs(other - wanted).max() > 1e-3, "the ControlNet changes nothing"


def test_windows_of_latents(folder: Path) -> None:
    """A ControlNet that reads latents sees its part of them."""
    model, texts, vae = load_model(str(folder / "flux_dev"))
    says, x = encode_prompt(texts, PROMPT), noise(1, 16, 8, 16).numpy()
    held = apply_control_net(model, Image(natural(64, 128, 3)[None]), str(folder / "flux_dev-control"), vae)
    (hint,) = held.controls

    def seen(cells: slice, width: int, tile: int = 0) -> Any:
        part = replace(held, controls=(replace(hint, hint=hint.hint[..., cells]),))
        latent = Latent(width, 64, 1, x[..., cells])
        levels = NoiseLevels((0.9, 0.0))
        return sample(part, says, latent, cfg=1.0, levels=levels, add_noise="never", tile=tile).steps.samples

    made = seen(slice(0, 16), 128, 64)
    np.testing.assert_allclose(made[..., :3], seen(slice(0, 8), 64)[..., :3], atol=2e-4)
    np.testing.assert_allclose(made[..., -3:], seen(slice(8, 16), 64)[..., -3:], atol=2e-4)
    assert np.abs(seen(slice(0, 8), 64) - seen(slice(8, 16), 64)).max() > 0.01


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
