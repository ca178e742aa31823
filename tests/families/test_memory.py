"""What `check --plan` says of activations, against the live tensors of a call of each true architecture."""

from __future__ import annotations

import json
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from families import models
from families.parity import document, engine
from nodegraph.cli import main
from nodegraph_diffusion.checkpoint import memory
from nodegraph_diffusion.families import FAMILIES

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


class Peak(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """The most bytes that tensors held at once, beside those that were there before."""

    def __init__(self, known: list[torch.Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.known = {tensor.untyped_storage()._cdata for tensor in known}
        self.live: dict[int, int] = {}
        self.peak = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(out):
            if isinstance(tensor, torch.Tensor):
                storage = tensor.untyped_storage()
                key = storage._cdata
                if key not in self.known and key not in self.live:
                    self.live[key] = storage.nbytes()
                    self.peak = max(self.peak, sum(self.live.values()))
                    weakref.finalize(storage, self.live.pop, key, None)
        return out


class Flash(TorchFunctionMode):
    """Attention that keeps no square matrix, as on every device that matters."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.nn.functional.scaled_dot_product_attention:
            return torch.empty_like(args[0] if args else kwargs["query"])
        return func(*args, **(kwargs or {}))


def hollow(*shape: int) -> torch.Tensor:
    return torch.empty(*shape, device="meta", dtype=torch.float16)


def sdxl(cells: int) -> dict[str, Any]:
    added = {"text_embeds": hollow(1, 1280), "time_ids": hollow(1, 6)}
    return unet(cells, 2048) | {"added_cond_kwargs": added}


def unet(cells: int, width: int = 768) -> dict[str, Any]:
    time = torch.tensor(5, device="meta")
    return {"sample": hollow(1, 4, cells, cells), "timestep": time, "encoder_hidden_states": hollow(1, 77, width)}


def flux(cells: int) -> dict[str, Any]:
    tokens = cells * cells // 4
    return {
        "hidden_states": hollow(1, tokens, 64), "encoder_hidden_states": hollow(1, 512, 4096),
        "pooled_projections": hollow(1, 768), "timestep": hollow(1), "guidance": hollow(1),
        "img_ids": hollow(tokens, 3), "txt_ids": hollow(512, 3),
    }  # fmt: skip


def sd3(cells: int) -> dict[str, Any]:
    return {
        "hidden_states": hollow(1, 16, cells, cells), "encoder_hidden_states": hollow(1, 333, 4096),
        "pooled_projections": hollow(1, 2048), "timestep": hollow(1),
    }  # fmt: skip


def z_image(cells: int) -> dict[str, Any]:
    return {"x": [hollow(16, 1, cells, cells)], "t": hollow(1), "cap_feats": [hollow(128, 2560)]}


def chroma(cells: int) -> dict[str, Any]:
    tokens = cells * cells // 4
    return {
        "hidden_states": hollow(1, tokens, 64), "encoder_hidden_states": hollow(1, 64, 4096), "timestep": hollow(1),
        "img_ids": hollow(tokens, 3), "txt_ids": hollow(64, 3),
    }  # fmt: skip


def klein(cells: int) -> dict[str, Any]:
    tokens = cells * cells
    return {
        "hidden_states": hollow(1, tokens, 128), "encoder_hidden_states": hollow(1, 512, 7680), "timestep": hollow(1),
        "guidance": None, "img_ids": hollow(1, tokens, 4), "txt_ids": hollow(1, 512, 4),
    }  # fmt: skip


def flux2(cells: int) -> dict[str, Any]:
    return klein(cells) | {"encoder_hidden_states": hollow(1, 512, 15360), "guidance": hollow(1)}


def qwen(cells: int) -> dict[str, Any]:
    tokens = cells * cells // 4
    return {
        "hidden_states": hollow(1, tokens, 64), "encoder_hidden_states": hollow(1, 100, 3584), "timestep": hollow(1),
        "img_shapes": [[(1, cells // 2, cells // 2)]], "encoder_hidden_states_mask": None,
    }  # fmt: skip


def shipped(name: str, **changes: Any) -> dict[str, Any]:
    return models.config(name, "transformer", num_layers=2, **changes)


KLEIN = {"num_layers": 1, "num_single_layers": 2, "num_attention_heads": 24, "joint_attention_dim": 7680,
         "guidance_embeds": False}  # fmt: skip
CASES: dict[str, tuple[str, dict[str, Any], Callable[[int], dict[str, Any]], tuple[int, ...]]] = {
    "sd1": ("UNet2DConditionModel", models.config("sd15", "unet"), unet, (64, 96)),
    "sdxl": ("UNet2DConditionModel", models.config("sdxl", "unet"), sdxl, (128,)),
    "flux1": ("FluxTransformer2DModel", shipped("flux-dev", num_single_layers=2), flux, (64, 128)),
    "sd3": ("SD3Transformer2DModel", shipped("sd3-medium"), sd3, (128,)),
    "qwen_image": ("QwenImageTransformer2DModel", {"num_layers": 2}, qwen, (128,)),
    "z_image": ("ZImageTransformer2DModel", {"n_layers": 2}, z_image, (64, 128)),
    "chroma": ("ChromaTransformer2DModel", {"num_layers": 2, "num_single_layers": 2}, chroma, (64, 128)),
    "flux2_klein": ("Flux2Transformer2DModel", KLEIN, klein, (32, 64)),
    "flux2_dev": ("Flux2Transformer2DModel", {"num_layers": 1, "num_single_layers": 2}, flux2, (64,)),
}


@pytest.mark.parametrize("name", CASES)
def test_a_call_holds_what_is_said(name: str) -> None:
    """Blocks do not add up, so two stand for all; within a twentieth."""
    cls, settings, inputs, sizes = CASES[name]
    with torch.device("meta"):
        network = getattr(diffusers, cls).from_config(settings).half().eval()
    said = FAMILIES[name].activations
    assert said is not None
    per_cell, prompt = said(network.config)
    for cells in sizes:
        given = inputs(cells)
        known = [*network.parameters(), *network.buffers()]
        known += [leaf for leaf in tree_leaves(given) if isinstance(leaf, torch.Tensor)]
        with torch.no_grad(), Peak(known) as measured, Flash():
            network(**given, return_dict=False)
        assert measured.peak == pytest.approx(2 * (cells * cells * per_cell + prompt), rel=0.05), cells


def test_the_plan_says_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    models.sd1().save_pretrained(tmp_path / "sd1")
    config = models.sd1().unet.config
    nodes = document("sd1")
    nodes["latent"]["inputs"] |= {"width": 128, "height": 64, "batch": 3}
    with engine(tmp_path) as made:
        planned = {each.node: each for each in made.plan(made.read({"nodes": nodes}))}
        # Positive and negative at once, in float32.
        assert planned["sample"].activations == 3 * 2 * 16 * 8 * round(4 * memory.unet(config)[0])
        channels = models.sd1().vae.config.block_out_channels[1]
        assert planned["decode"].activations == round(memory.DECODING * channels) * 4 * 128 * 64
        assert planned["prompt"].activations == 0
        alone = document("sd1", cfg=1.0)
        half = {each.node: each for each in made.plan(made.read({"nodes": alone}))}
        assert half["sample"].activations == 8 * 8 * round(4 * memory.unet(config)[0])
    (tmp_path / "flow.json").write_text(json.dumps({"format": "nodegraph/1", "nodes": nodes}))
    with pytest.raises(SystemExit):
        main(["check", str(tmp_path / "flow.json"), "--models", str(tmp_path), "--plan", "--no-cache"])
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("sample\t")]
    assert line.split("\t")[-2:] == ["13.1 MB", "2.6 MB"]


def test_large_pictures_are_decoded_in_tiles() -> None:
    numbers = memory.decoding(models.config("sd15", "vae"))
    whole = memory.decoded(numbers, 4, 1024, 1024, 8)
    assert whole == numbers * 4 * 1024 * 1024
    assert memory.decoded(numbers, 4, 4096, 4096, 8) == numbers * 4 * 512 * 512
