"""Single files in the original layouts: what went in comes out, with no network."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest
import torch

from families import models, originals
from families.parity import document, engine, run
from nodegraph import NodeError
from nodegraph_diffusion.checkpoint import open_model
from nodegraph_diffusion.diffusion.loading import load, load_text_encoder
from nodegraph_diffusion.load_model import load_model

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> NoReturn:
        raise AssertionError(f"the network was asked for {args}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


WHOLE: dict[str, tuple[Callable[[], Any], Callable[[Any], originals.State], str]] = {
    "sdxl": (models.sdxl, originals.sdxl, "sdxl"),
    "sdxl_refiner": (models.sdxl_refiner, originals.sdxl_refiner, "sdxl_refiner"),
    "sd3": (models.sd3, originals.sd3, "sd3"),
    "flux_dev": (models.flux_dev, originals.flux_whole, "flux1"),
    "flux_schnell": (models.flux_schnell, originals.flux_whole, "flux1"),
}


@pytest.mark.parametrize("name", WHOLE)
def test_what_went_in_comes_out(name: str, tmp_path: Path) -> None:
    make, layout, family = WHOLE[name]
    pipeline = make()
    found = open_model(str(originals.write(layout(pipeline), tmp_path / "a-lora.safetensors")))
    assert (found.family, found.kind) == (family, "file")
    for index, part in enumerate(found.parts):
        if part in found.text_encoders:
            module = load_text_encoder(found, torch.float32, CPU, index=found.text_encoders.index(part)).model
        else:
            module = load(found, part, torch.float32, CPU)
        given, wanted = module.state_dict(), getattr(pipeline, part.name).state_dict()
        assert given.keys() == wanted.keys(), (index, part.name)
        assert [key for key in wanted if not torch.equal(given[key], wanted[key])] == [], part.name
        for option, value in module.config.to_dict().items() if part in found.text_encoders else ():
            if option in ("hidden_act", "num_attention_heads", "num_hidden_layers", "d_kv", "num_heads"):
                assert value == getattr(getattr(pipeline, part.name).config, option), (part.name, option)


def test_sd3_does_without_t5(tmp_path: Path) -> None:
    pipeline = models.sd3()
    state = {k: v for k, v in originals.sd3(pipeline).items() if "t5xxl" not in k}
    originals.write(state, tmp_path / "m.safetensors")
    encoder = load_model(str(tmp_path / "m.safetensors")).text_encoder
    assert [weights is None for weights in encoder.encoders] == [False, False, True]
    with engine(tmp_path) as made:
        nodes = document("m.safetensors", steps=1)
        small = run(made, nodes)
    assert small.shape == (64, 64, 3)


def test_a_denoiser_alone_takes_the_rest_from_another_model(tmp_path: Path) -> None:
    pipeline = models.flux_dev()
    pipeline.save_pretrained(tmp_path / "whole")
    originals.write(originals.flux(pipeline), tmp_path / "alone.safetensors")
    with engine(tmp_path) as made:
        whole = run(made, document("whole", negative=False))
        nodes = document("alone.safetensors", negative=False)
        (problem, *_) = made.check(made.read({"nodes": nodes}))
        assert problem.port == "text_encoder_from"
        assert "alone.safetensors holds no text encoders; name a model that has those of Flux.1" in str(problem)
        nodes["model"]["inputs"] |= {"text_encoder_from": "whole", "vae_from": "whole"}
        assert (run(made, nodes) == whole).all()
    with pytest.raises(NodeError, match="holds no text encoders"):
        load_model(str(tmp_path / "alone.safetensors"))


@pytest.mark.parametrize("name", ["sd3", "flux_dev"])
def test_a_file_that_is_not_whole(name: str, tmp_path: Path) -> None:
    make, layout, _ = WHOLE[name]
    mark = {"sd3": "joint_blocks.1.context_block.attn.qkv.weight", "flux_dev": "single_blocks.1.linear2.bias"}[name]
    state = {k: v for k, v in layout(make()).items() if not k.endswith(mark)}
    assert len(state) == len(layout(make())) - 1
    found = open_model(str(originals.write(state, tmp_path / "m.safetensors")))
    with pytest.raises(ValueError, match="missing"):
        load(found, found.denoiser, torch.float32, CPU)
