"""T2I-Adapters, against diffusers' pipelines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

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
from nodegraph import Engine, NodeError
from nodegraph_diffusion.apply_t2i_adapter import apply_t2i_adapter
from nodegraph_diffusion.checkpoint import ModelError
from nodegraph_diffusion.checkpoint.t2i_adapters import open_t2i_adapter
from nodegraph_diffusion.diffusion.loading import load
from nodegraph_diffusion.encode_prompt import encode_prompt
from nodegraph_diffusion.load_model import load_model
from nodegraph_diffusion.sample import sample
from nodegraph_diffusion.values import Image, Latent, NoiseLevels

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]
ADAPTER = ("adapter_type", "in_channels", "channels", "num_res_blocks", "downscale_factor")
PIPELINES = {"sd1": "StableDiffusionAdapterPipeline", "sdxl": "StableDiffusionXLAdapterPipeline"}


@pytest.fixture(scope="module")
def folder(module_folder: Path) -> Path:
    for name in PIPELINES:
        models.FAMILIES[name]().save_pretrained(module_folder / name)
        adapters.t2i_adapter(name).save_pretrained(module_folder / f"{name}-adapter")
    adapters.t2i_adapter("sd1", 18, channels=1, kind="light_adapter").save_pretrained(module_folder / "sd1-grey")
    adapters.t2i_adapter("sdxl", 19).save_pretrained(module_folder / "sdxl-other")
    save(picture(), module_folder / "picture.png")
    return module_folder


@pytest.fixture(scope="module")
def made(folder: Path) -> Iterator[Engine]:
    with engine(folder) as found:
        yield found


def adapted(folder: Path, name: str, *adapters: tuple[str, dict[str, Any]], **settings: Any) -> dict[str, Any]:
    return chained(document(name, **settings), "ApplyT2iAdapter@1", folder / "picture.png", adapters)


def pipeline(name: str, adapter: Any) -> Any:
    return with_part(getattr(diffusers, PIPELINES[name]), name, adapter=adapter)


def expected(name: str, adapter: Any, image: Any, **settings: Any) -> np.ndarray[Any, Any]:
    return theirs(
        pipeline(name, adapter), prompt=PROMPT, negative_prompt=NEGATIVE, guidance_scale=5.0, image=image, height=64,
        width=64, num_inference_steps=4, latents=noise(1, 4, 8, 8), **settings,
    )  # fmt: skip


def shown() -> torch.Tensor:
    return torch.from_numpy(picture().pixels.copy())


@pytest.mark.parametrize("name", PIPELINES)
def test_it_is_diffusers(name: str, made: Engine, folder: Path) -> None:
    part = {"adapter_conditioning_factor": 0.5} if name == "sdxl" else {}  # that of 1.x has none
    wanted = expected(name, adapters.t2i_adapter(name), shown(), adapter_conditioning_scale=0.8, **part)
    how = {"strength": 0.8} | ({"end": 0.5} if part else {})
    found = run(made, adapted(folder, name, (f"{name}-adapter", how)))
    assert np.abs(found - run(made, document(name))).max() > 0.005, "it changes nothing"
    close(found, wanted)


def test_one_that_reads_greys(made: Engine, folder: Path) -> None:
    grey = (shown() * torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(1, keepdim=True)
    wanted = expected("sd1", adapters.t2i_adapter("sd1", 18, channels=1, kind="light_adapter"), grey)
    close(run(made, adapted(folder, "sd1", ("sd1-grey", {}))), wanted)


def as_their_authors(adapter: Any) -> dict[str, torch.Tensor]:
    """The tensors by the names of Tencent's code: blocks are counted through, and have no levels but in light ones."""
    made, inner = {}, adapter.config.num_res_blocks
    for name, value in adapter.state_dict().items():
        parts = name.removeprefix("adapter.").split(".")
        if adapter.config.adapter_type == "light_adapter":
            parts = ["body" if part == "resnets" else part for part in parts]
        elif parts[0] == "body":
            first = int(parts[1]) * inner
            parts = ["body", str(first + int(parts[3])), *parts[4:]] if parts[2] == "resnets" else [
                "body", str(first), *parts[2:]]  # fmt: skip
        made[".".join(parts)] = value.clone()
    return made


@pytest.mark.parametrize(
    ("name", "how", "inner"),
    [("sd1", {}, 2), ("sdxl", {}, 1), ("sd1", {"channels": 1, "kind": "light_adapter"}, 2)],
    ids=["full", "full_xl", "light"],
)
def test_files_of_their_authors(name: str, how: dict[str, Any], inner: int, tmp_path: Path) -> None:
    adapter = adapters.t2i_adapter(name, 21, inner=inner, **how)
    save_file(as_their_authors(adapter), tmp_path / "original.safetensors")
    save_file(dict(adapter.state_dict()), tmp_path / "named.safetensors")
    adapter.save_pretrained(tmp_path / "folder")
    folder = open_t2i_adapter(tmp_path / "folder")
    for file in ("original", "named"):
        found = open_t2i_adapter(tmp_path / f"{file}.safetensors")
        assert found.family == name
        read = load(found, found.denoiser, torch.float32, torch.device("cpu"))
        assert {key: value for key, value in read.config.items() if key in ADAPTER} == {
            key: value for key, value in folder.denoiser.config.items() if key in ADAPTER
        }
        for key, value in adapter.state_dict().items():
            assert torch.equal(read.state_dict()[key], value)


def test_several_are_summed(made: Engine, folder: Path) -> None:
    both = diffusers.MultiAdapter([adapters.t2i_adapter("sdxl"), adapters.t2i_adapter("sdxl", 19)])
    wanted = expected("sdxl", both, [list(shown()), list(shown())], adapter_conditioning_scale=[0.5, 1.0])
    used = [("sdxl-adapter", {"strength": 0.5}), ("sdxl-other", {})]
    close(run(made, adapted(folder, "sdxl", *used)), wanted)


def test_each_window_sees_its_part_of_the_picture(folder: Path) -> None:
    """Where one window alone looks, its answer is that of a run of that window with its part of the picture."""
    model, texts, _ = load_model(str(folder / "sd1"))
    says, x = encode_prompt(texts, PROMPT), noise(1, 4, 8, 16).numpy() * 3
    hint = np.random.default_rng(3).random((1, 3, 64, 128), np.float32)

    def seen(cells: slice, hint: np.ndarray[Any, Any], tile: int = 0) -> Any:
        held = apply_t2i_adapter(model, Image(hint), str(folder / "sd1-adapter"), strength=3)
        latent = Latent(hint.shape[-1], 64, 1, x[..., cells])
        levels = NoiseLevels((3.0, 0.0))
        return sample(held, says, latent, cfg=1.0, levels=levels, add_noise="never", tile=tile).steps.samples

    made = seen(slice(0, 16), hint, tile=64)
    left, right = seen(slice(0, 8), hint[..., :64]), seen(slice(8, 16), hint[..., 64:])
    np.testing.assert_allclose(made[..., :3], left[..., :3], atol=3e-5)
    np.testing.assert_allclose(made[..., -3:], right[..., -3:], atol=3e-5)
    assert np.abs(seen(slice(0, 8), 1 - hint[..., :64]) - left).max() > 1e-3, "the adapter changes nothing"


def test_without_it_the_model_is_the_same(made: Engine, folder: Path) -> None:
    plain = run(made, document("sd1"))
    run(made, adapted(folder, "sd1", ("sd1-adapter", {})))
    with engine(folder) as fresh:
        assert np.array_equal(run(fresh, document("sd1")), plain)


def test_what_does_not_fit_is_refused(made: Engine, folder: Path) -> None:
    nodes = adapted(folder, "sdxl", ("sd1-adapter", {}))
    found = made.check(made.read({"nodes": nodes}))
    assert [(p.code, p.port) for p in found] == [("mismatch", "source"), ("mismatch", "model")]
    assert "sd1-adapter is a T2I-Adapter for Stable Diffusion 1.x, but the model is Stable Diffusion XL" in str(
        found[0]
    )
    with pytest.raises(NodeError, match=r"for levels of \[32, 64, 64, 64\] channels, but demo has"):
        apply_t2i_adapter(load_model("demo").model, picture(), str(folder / "sd1-adapter"))
    with pytest.raises(ModelError, match="is AutoencoderKL, needed a T2I-Adapter"):
        open_t2i_adapter(folder / "sd1" / "vae")
    save_file({"body.0.block1.weight": torch.zeros(2, 2)}, folder / "file.safetensors")
    with pytest.raises(ModelError, match=r"is no T2I-Adapter: needed 'body.0[.]{3}' with 'conv_in.weight'"):
        open_t2i_adapter(folder / "file.safetensors")
    torn = as_their_authors(adapters.t2i_adapter("sd1"))
    save_file({k: v for k, v in torn.items() if not k.startswith("body.2")}, folder / "file.safetensors")
    with pytest.raises(ModelError, match=r"has no tensor 'body.2.block2.weight', so the T2I-Adapter is not whole"):
        open_t2i_adapter(folder / "file.safetensors")
