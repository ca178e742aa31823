"""IP-Adapters, against diffusers' pipelines."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from safetensors.torch import save_file

from families import adapters, models
from families.parity import NEGATIVE, PROMPT, chained, close, document, engine, hole, noise, picture, run, save, theirs
from harness import link, step
from nodegraph import Engine, RunFailed
from nodegraph_diffusion.checkpoint import ModelError
from nodegraph_diffusion.checkpoint.ip_adapters import open_image_encoder, open_ip_adapter
from nodegraph_diffusion.diffusion import ip_adapter
from nodegraph_diffusion.families.flows import packed
from nodegraph_diffusion.values import Image, Mask

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]
KINDS = [("sd1", "plain"), ("sd1", "full"), ("sd1", "plus"), ("sdxl", "plus")]


@pytest.fixture(scope="module")
def folder(module_folder: Path) -> Path:
    for name in ("sd1", "sdxl", "flux_dev"):
        models.FAMILIES[name]().save_pretrained(module_folder / name)
    for name, kind in KINDS:
        save_file(adapters.ip_adapter(models.FAMILIES[name]().unet, kind), module_folder / f"{name}-{kind}.safetensors")
    save_file(adapters.ip_adapter(models.sd1().unet, "plain", 30), module_folder / "sd1-other.safetensors")
    save_file(adapters.flux_ip_adapter(models.flux_dev().transformer), module_folder / "flux.safetensors")
    adapters.image_encoder().save_pretrained(module_folder / "image_encoder")
    save(shown(), module_folder / "shown.png")
    return module_folder


@pytest.fixture(scope="module")
def made(folder: Path) -> Iterator[Engine]:
    with engine(folder) as found:
        yield found


def shown() -> Image:
    """A picture that is no square."""
    return picture(48, 40)


def pictured(folder: Path, name: str, *adapters: tuple[str, dict[str, Any]], **settings: Any) -> dict[str, Any]:
    files = [(f"{source}.safetensors", how) for source, how in adapters]
    return chained(document(name, **settings), "ApplyIpAdapter@1", folder / "shown.png", files)


def expected(folder: Path, name: str, adapters: list[str], scale: Any, **settings: Any) -> np.ndarray[Any, Any]:
    pipeline = copy.deepcopy(models.FAMILIES[name]())  # which is changed
    pipeline.load_ip_adapter(
        str(folder), subfolder="", weight_name=[f"{each}.safetensors" for each in adapters],
        image_encoder_folder="image_encoder", local_files_only=True,
    )  # fmt: skip
    pipeline.set_ip_adapter_scale(scale)
    image = Pillow.fromarray(shown().to_bytes()[0])
    settings = {"negative_prompt": NEGATIVE, "guidance_scale": 5.0} | settings
    return theirs(
        pipeline, prompt=PROMPT, height=64, width=64, num_inference_steps=4, latents=noise(1, 4, 8, 8),
        ip_adapter_image=[image] * len(adapters), **settings,
    )  # fmt: skip


@pytest.mark.parametrize(("name", "kind"), KINDS)
def test_it_is_diffusers(name: str, kind: str, made: Engine, folder: Path) -> None:
    wanted = expected(folder, name, [f"{name}-{kind}"], 0.7)
    found = run(made, pictured(folder, name, (f"{name}-{kind}", {"strength": 0.7})))
    assert np.abs(found - run(made, document(name))).max() > 0.005, "it changes nothing"
    close(found, wanted)


@pytest.mark.parametrize("cfg", [1.0, 4.0])
def test_flux_is_diffusers(cfg: float, made: Engine, folder: Path) -> None:
    pipeline = copy.deepcopy(models.flux_dev())  # which is changed
    pipeline.load_ip_adapter(
        str(folder), "flux.safetensors", image_encoder_pretrained_model_name_or_path=str(folder / "image_encoder"),
        image_encoder_dtype=torch.float32, local_files_only=True,
    )  # fmt: skip
    pipeline.set_ip_adapter_scale(0.7)
    guided = {"true_cfg_scale": cfg, "negative_prompt": NEGATIVE} if cfg > 1 else {}
    wanted = theirs(
        pipeline, prompt=PROMPT, height=64, width=64, num_inference_steps=4, guidance_scale=2.0,
        latents=packed(noise(1, 16, 8, 8)), ip_adapter_image=Pillow.fromarray(shown().to_bytes()[0]), **guided,
    )  # fmt: skip
    ours: dict[str, Any] = {"guidance": 2.0, "cfg": cfg, "negative": cfg > 1}
    found = run(made, pictured(folder, "flux_dev", ("flux", {"strength": 0.7}), **ours))
    assert np.abs(found - run(made, document("flux_dev", **ours))).max() > 0.002, "it changes nothing"
    close(found, wanted)


def test_without_guidance(made: Engine, folder: Path) -> None:
    wanted = expected(folder, "sd1", ["sd1-plain"], 0.7, guidance_scale=1.0)
    close(run(made, pictured(folder, "sd1", ("sd1-plain", {"strength": 0.7}), cfg=1.0)), wanted)


def test_several(made: Engine, folder: Path) -> None:
    wanted = expected(folder, "sd1", ["sd1-plain", "sd1-other"], [0.5, 0.9])
    used = [("sd1-plain", {"strength": 0.5}), ("sd1-other", {"strength": 0.9})]
    close(run(made, pictured(folder, "sd1", *used)), wanted)


def test_with_masks(made: Engine, folder: Path) -> None:
    """Each of two adapters in its own part of the picture."""
    halves = [hole().values, 1 - hole().values]
    masks = [torch.from_numpy(half.copy())[None] for half in halves]
    wanted = expected(
        folder, "sd1", ["sd1-plain", "sd1-other"], [0.9, 0.9], cross_attention_kwargs={"ip_adapter_masks": masks}
    )
    nodes = pictured(folder, "sd1", *((name, {"strength": 0.9}) for name in ("sd1-plain", "sd1-other")))
    everywhere = run(made, nodes)
    for number, half in enumerate(halves):
        nodes[f"half_{number}"] = step("LoadImage@1", file=save(Mask(half), folder / f"half-{number}.png"))
        nodes[f"adapter_{number}"]["inputs"]["mask"] = link(f"half_{number}.image")
    found = run(made, nodes)
    close(found, wanted)
    assert np.abs(found - everywhere).max() > 0.005


def test_it_acts_on_some_steps(made: Engine, folder: Path) -> None:
    whole = run(made, pictured(folder, "sd1", ("sd1-plain", {})))
    part = run(made, pictured(folder, "sd1", ("sd1-plain", {"end": 0.5})))
    none = run(made, pictured(folder, "sd1", ("sd1-plain", {"end": 0.0})))
    assert np.abs(whole - part).max() > 0.005
    assert np.array_equal(none, run(made, document("sd1")))


def test_each_side_is_shown_its_own_where_they_are_asked_one_by_one(made: Engine, folder: Path) -> None:
    """A prompt in two parts that say the same."""
    together = run(made, pictured(folder, "sd1", ("sd1-plain", {})))
    nodes = pictured(folder, "sd1", ("sd1-plain", {}))
    nodes["twice"] = step("CombinePrompts@1", prompts=[link("prompt.conditioning"), link("prompt.conditioning")])
    nodes["sample"]["inputs"]["positive"] = link("twice.conditioning")
    close(run(made, nodes), together, 1e-4)


def test_without_it_the_network_is_the_same(folder: Path) -> None:
    unet = copy.deepcopy(models.sd1().unet)
    before = {name: value.clone() for name, value in unet.state_dict().items()}
    weights = ip_adapter.read(folder / "sd1-plain.safetensors", torch.float32, torch.device("cpu"))
    with ip_adapter.attending(unet, [ip_adapter.shown(weights, torch.ones(1, 1, 32), torch.zeros(1, 1, 32), 1, 0, 1)]):
        pass
    assert all(torch.equal(value, before[name]) for name, value in unet.state_dict().items())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in unet.modules())


def test_what_does_not_fit_is_refused_while_checking(made: Engine, folder: Path, tmp_path: Path) -> None:
    nodes = pictured(folder, "sdxl", ("sd1-plain", {}))
    found = made.check(made.read({"nodes": nodes}))
    assert [(p.code, p.port) for p in found] == [("mismatch", "source"), ("mismatch", "model")]
    said = "reads prompts of width 64, but the model, Stable Diffusion XL, reads 128"
    assert said in str(found[0])
    other = adapters.image_encoder()
    other.config.projection_dim = 48
    other.visual_projection = torch.nn.Linear(64, 48, bias=False)
    other.save_pretrained(tmp_path / "other")
    nodes = pictured(folder, "sd1", ("sd1-plain", {"image_encoder": str(tmp_path / "other")}))
    (problem,) = made.check(made.read({"nodes": nodes}))
    said = "reads vectors of width 32, but other gives 48"
    assert (problem.port, said in str(problem)) == ("image_encoder", True)


def test_one_for_another_unet_of_the_same_width(made: Engine, folder: Path) -> None:
    state = adapters.ip_adapter(models.sd1().unet, "plain")
    short = {name: value for name, value in state.items() if not name.startswith("ip_adapter.1.")}
    save_file(short, folder / "short.safetensors")
    with pytest.raises(RunFailed, match="for 15 layers that attend to pictures, but this model has 16"):
        run(made, pictured(folder, "sd1", ("short", {})))


def test_what_is_none(folder: Path) -> None:
    with pytest.raises(ModelError, match="is no IP-Adapter: none of its"):
        open_ip_adapter(folder / "sd1" / "unet" / "diffusion_pytorch_model.safetensors")
    state = {"image_proj.norm.weight": torch.zeros(2), "image_proj.proj.0.weight": torch.zeros(2, 2),
             "ip_adapter.1.to_k_ip.weight": torch.zeros(2, 2)}  # fmt: skip
    save_file(state, folder / "face.safetensors")
    with pytest.raises(ModelError, match="is a FaceID, which reads what InsightFace recognises"):
        open_ip_adapter(folder / "face.safetensors")
    save_file({**state, "ip_adapter.0.norm_ip.linear.weight": torch.zeros(2, 2)}, folder / "sd3.safetensors")
    with pytest.raises(ModelError, match="is an IP-Adapter for Stable Diffusion 3, which is not supported"):
        open_ip_adapter(folder / "sd3.safetensors")
    with pytest.raises(ModelError, match="is CLIPTextModel, needed CLIPVisionModelWithProjection"):
        open_image_encoder(folder / "sd1" / "text_encoder", "sd1")
    with pytest.raises(ModelError, match=r"config\.json: not there\. Name the folder of an image encoder"):
        open_image_encoder(folder / "nowhere", "sd1")
