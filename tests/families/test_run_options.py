"""Options of the model value: they change how it runs, and nothing of models without them."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch._inductor.exc import InvalidCxxCompiler

from families import models
from families.parity import close, document, engine, run
from harness import link, step
from nodegraph import Engine, NodeError, RunFailed
from nodegraph.events import Event, Warned
from nodegraph.standalone import Standalone
from nodegraph_diffusion.diffusion.running import UnsupportedOption, compile_blocks, enable_step_cache
from nodegraph_diffusion.families import FAMILIES
from nodegraph_diffusion.load_model import load_model
from nodegraph_diffusion.run_options import run_options

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of PyTorch's compiler, by itself
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]


@pytest.fixture(scope="module")
def made(module_folder: Path) -> Iterator[Engine]:
    for name in ("sd1", "flux_schnell"):
        models.FAMILIES[name]().save_pretrained(module_folder / name)
    with engine(module_folder) as found:
        yield found


def picture(made: Engine, name: str, seed: int = 5, **options: Any) -> np.ndarray[Any, Any]:
    nodes = document(name, steps=6, seed=seed)
    if options:
        nodes["options"] = step("RunOptions@1", model=link("model.model"), **options)
        nodes["sample"]["inputs"]["model"] = link("options.model")
    return run(made, nodes)


@pytest.mark.parametrize("name", ["sd1", "flux_schnell"])
def test_attention_and_offloading_change_nothing(name: str, made: Engine) -> None:
    plain = picture(made, name)
    close(picture(made, name, offload=True), plain, 1e-5)
    close(picture(made, name, attention="native"), plain, 1e-5)


def test_an_offloaded_model_gives_its_memory_back(made: Engine) -> None:
    model = run_options(load_model(str(made.folders.models[0] / "flux_schnell")).model, offload=True)
    network = model.denoiser.load(lambda done, total: None)
    model.denoiser.drop(network)
    assert all(weights.is_meta for weights in network.parameters())


def test_a_step_cache_leaves_out_blocks(made: Engine) -> None:
    plain = picture(made, "flux_schnell")
    close(picture(made, "flux_schnell", step_cache=1e-9), plain, 1e-5)
    cached = picture(made, "flux_schnell", step_cache=1.0)
    assert np.abs(cached - plain).max() > 1e-3
    # What a run remembers is forgotten before the next one.
    picture(made, "flux_schnell", seed=6, step_cache=1.0)
    made._machinery.memory.clear()
    assert np.array_equal(picture(made, "flux_schnell", step_cache=1.0), cached)
    assert np.array_equal(picture(made, "flux_schnell"), plain)


def test_weights_in_float8(made: Engine) -> None:
    """The picture changes a little; the network's layers are in eight bits and its own number format stays."""
    plain = picture(made, "flux_schnell")
    found = picture(made, "flux_schnell", weights="float8")
    assert 1e-4 < np.abs(found - plain).max() < 0.2
    model = run_options(load_model(str(made.folders.models[0] / "flux_schnell")).model, weights="float8")
    with model.leased(Standalone("test")) as network:
        layer = network.transformer_blocks[0].attn.to_q.weight
        assert (layer.dtype, network.dtype) == (torch.float8_e4m3fn, torch.float32)
    assert model.denoiser.size == model.checkpoint.denoiser.elements
    assert np.array_equal(picture(made, "flux_schnell"), plain)


@pytest.mark.timeout(600)
def test_compiled_blocks_give_the_same(made: Engine) -> None:
    close(picture(made, "flux_schnell", compile=True), picture(made, "flux_schnell"), 1e-4)


def test_compiled_blocks_do_not_go_with_everything(made: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = document("sd1", steps=1)
    nodes["options"] = step("RunOptions@1", model=link("model.model"), compile=True)
    nodes["guidance"] = step("ApplyGuidance@1", model=link("options.model"), kind="perturbed", layers="down")
    nodes["sample"]["inputs"]["model"] = link("guidance.model")
    events: list[Event] = []
    made.run(made.read({"nodes": nodes, "outputs": {"image": link("decode.image")}}), on_event=events.append)
    (warned,) = [event for event in events if isinstance(event, Warned)]
    assert "runs without compiling" in warned.message
    with pytest.raises(UnsupportedOption, match="needs triton"):
        compile_blocks(models.sd1().unet, torch.device("cuda"))

    def missing() -> str:
        raise InvalidCxxCompiler

    monkeypatch.setattr("torch._inductor.cpp_builder.get_cpp_compiler", missing)
    with pytest.raises(UnsupportedOption, match=r"needs a C\+\+ compiler"):
        compile_blocks(models.sd1().unet, torch.device("cpu"))


def test_what_does_not_go_together_is_refused_while_checking(made: Engine, tmp_path: Path) -> None:
    cases: dict[tuple[str, str], tuple[dict[str, Any], str]] = {
        ("sd1", "step_cache"): ({"step_cache": 0.1}, "diffusers has no step cache for Stable Diffusion 1.x"),
        ("flux_schnell", "compile"): ({"compile": True, "offload": True}, "compiled blocks do not go with offload"),
    }
    for (name, port), (options, words) in cases.items():
        nodes = document(name)
        nodes["options"] = step("RunOptions@1", model=link("model.model"), **options)
        nodes["sample"]["inputs"]["model"] = link("options.model")
        (problem,) = made.check(made.read({"nodes": nodes}))
        assert (problem.where, words in str(problem)) == (f"options.{port}", True)
    flux = load_model(str(made.folders.models[0] / "flux_schnell")).model
    with pytest.raises(NodeError, match="compiled blocks go with neither step_cache nor offload"):
        run_options(flux, compile=True, step_cache=0.1).denoiser.load(lambda done, total: None)


@pytest.mark.parametrize("name", ["sd1", "sd3", "chroma", "flux_dev", "flux2_klein", "qwen_image", "z_image"])
def test_families_with_a_step_cache(name: str) -> None:
    pipeline = models.FAMILIES[name]()
    network = copy.deepcopy(pipeline.unet if name == "sd1" else pipeline.transformer)
    family = {"flux_dev": "flux1"}.get(name, name)
    if FAMILIES[family].caches:
        enable_step_cache(network, 0.1)
        assert network.is_cache_enabled
    else:
        with pytest.raises(UnsupportedOption, match="has no step cache in diffusers; set it to 0"):
            enable_step_cache(network, 0.1)


def test_what_a_machine_has_not_is_said(made: Engine) -> None:
    with pytest.raises(RunFailed, match=r"attention 'sage' cannot be used here .*; use 'auto'"):
        picture(made, "flux_schnell", attention="sage")
