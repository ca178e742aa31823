"""What holds for every node of every installed pack."""

from __future__ import annotations

import asyncio
import json
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from families import adapters
from nodegraph import Lazy, Node, Registry
from nodegraph.codec import Codec
from nodegraph.node import REQUIRED
from nodegraph.types import PortType
from nodegraph_diffusion import values
from nodegraph_diffusion.checkpoint import ASSETS
from nodegraph_diffusion.checkpoint.controls import open_control
from nodegraph_diffusion.checkpoint.gligen import open_gligen
from nodegraph_diffusion.checkpoint.vision import StyleModel, Vision, open_style_model, open_vision
from nodegraph_diffusion.comfyui.control import ControlNet
from nodegraph_diffusion.comfyui.gligen import Gates
from nodegraph_diffusion.comfyui.upscaling import Upscaler
from nodegraph_diffusion.comfyui.vision import Seen
from nodegraph_diffusion.layouts import Layout
from nodegraph_diffusion.regions import Region
from onnx_files import write_network

REGISTRY = Registry.installed()
NODES = dict(REGISTRY.items())


@pytest.mark.parametrize("type_id", NODES)
def test_it_is_documented(type_id: str) -> None:
    node = NODES[type_id]
    first = node.doc.partition("\n")[0]
    assert first.endswith("."), "the first line of the docstring is a sentence"
    assert len(first) <= 110
    undescribed = [n for n, i in node.inputs.items() if i.type.literal and not i.doc]
    assert not undescribed, f"say in Args: what {undescribed} mean"
    assert json.loads(json.dumps(node.schema())) == node.schema()


@pytest.mark.parametrize("type_id", NODES)
def test_its_defaults_are_valid(type_id: str) -> None:
    for port in NODES[type_id].inputs.values():
        if port.adapter is not None and port.default is not REQUIRED:
            assert port.adapter.validate_python(port.default) == port.default


def sample_values(tmp_path: Path) -> dict[type, Any]:
    """A value of each class that a port of the standard pack names."""
    from nodegraph_diffusion.encode_image import encode_image
    from nodegraph_diffusion.encode_prompt import encode_prompt
    from nodegraph_diffusion.layout import layout
    from nodegraph_diffusion.load_model import load_model

    rng = np.random.default_rng(0)
    model, text_encoder, vae = load_model("demo")
    image = values.Image(rng.random((1, 3, 64, 64), np.float32))
    file = tmp_path / "picture.png"
    file.write_bytes(image._repr_png_())
    vision, style = adapters.save_redux(tmp_path, 128)
    return {
        values.Image: image,
        values.Mask: values.Mask((rng.random((1, 64, 64)) > 0.5).astype(np.float32)),
        values.Latent: encode_image(vae, image),
        values.Conditioning: encode_prompt(text_encoder, "a cat"),
        type(model): model,
        type(text_encoder): text_encoder,
        type(vae): vae,
        ControlNet: ControlNet(open_control(Path(control(tmp_path)))),
        Upscaler: Upscaler(upscaler(tmp_path), ""),
        Gates: Gates(open_gligen(Path(gligen(tmp_path)))),
        Vision: open_vision(vision),
        StyleModel: open_style_model(style),
        Seen: Seen(rng.random((1, 4, 64), np.float32), "sig", rng.random((1, 32), np.float32)),
        values.NoiseLevels: values.NoiseLevels((2.0, 1.0, 0.0)),
        Region: Region(0, 0, 64, 64),
        Layout: layout(text_encoder, "", "0 0 1 0.5: a cat"),
        Path: file,
        str: "text",
        int: 1,
        float: 1.0,
        bool: True,
    }


def of(port: PortType, known: dict[type, Any]) -> Any:
    value = known[port.members[0]] if port.members else known[values.Image]
    return [value, value] if port.is_list else value


def arrays(value: Any) -> list[Any]:
    if isinstance(value, np.ndarray):
        return [value]
    if is_dataclass(value):
        return [a for f in fields(value) for a in arrays(getattr(value, f.name))]
    if isinstance(value, list | tuple):
        return [a for v in value for a in arrays(v)]
    return []


SHORT = {"steps": 2, "width": 32, "height": 32}
NEEDS_MORE = {"AttentionMaps": ("text",), "Mask": ("mask",), "Crop": ()}
"""Inputs that a node can do without in principle, but not all at once."""


def lora(folder: Path) -> str:
    """A LoRA for the demo model."""
    from safetensors.numpy import save_file

    name = "unet.mid_block.attentions.0.transformer_blocks.0.attn2.to_k"
    width = json.loads((ASSETS / "demo" / "unet" / "config.json").read_text())["block_out_channels"][-1]
    state = {f"{name}.lora_A.weight": np.ones((2, 128), np.float32)}
    save_file(state | {f"{name}.lora_B.weight": np.ones((width, 2), np.float32)}, folder / "lora.safetensors")
    return str(folder / "lora.safetensors")


def control(folder: Path) -> str:
    """A ControlNet for Stable Diffusion 1."""
    from diffusers import ControlNetModel

    ControlNetModel(block_out_channels=(32,), down_block_types=("DownBlock2D",), norm_num_groups=8).save_pretrained(
        folder / "control"
    )
    return str(folder / "control")


def t2i_adapter(folder: Path) -> str:
    """A T2I-Adapter for the demo model."""
    from diffusers import T2IAdapter

    widths = json.loads((ASSETS / "demo" / "unet" / "config.json").read_text())["block_out_channels"]
    T2IAdapter(channels=widths).save_pretrained(folder / "adapter")
    return str(folder / "adapter")


def ip_adapter(folder: Path) -> str:
    """An IP-Adapter for the demo model, with its image encoder beside it."""
    from diffusers import UNet2DConditionModel
    from safetensors.torch import save_file

    adapters.image_encoder().save_pretrained(folder / "image_encoder")
    unet = UNet2DConditionModel.from_pretrained(ASSETS / "demo" / "unet")
    save_file(adapters.ip_adapter(unet, "plain"), folder / "ip.safetensors")
    return str(folder / "ip.safetensors")


def gligen(folder: Path) -> str:
    """A GLIGEN for the demo model."""
    from safetensors.numpy import save_file

    width = json.loads((ASSETS / "demo" / "unet" / "config.json").read_text())["cross_attention_dim"]
    state = {"position_net.null_positive_feature": np.ones(width, np.float32)}
    gate = "input_blocks.1.1.transformer_blocks.0.fuser.alpha_attn"
    save_file(state | {gate: np.ones(1, np.float32)}, folder / "gligen.safetensors")
    return str(folder / "gligen.safetensors")


def vision(folder: Path) -> str:
    """An encoder of pictures."""
    return str(adapters.save_redux(folder, 128)[0])


def style_model(folder: Path) -> str:
    return str(adapters.save_redux(folder, 128)[1])


def upscaler(folder: Path) -> str:
    """A network that enlarges: the smallest of those that ship."""
    return str(ASSETS / "upscale" / "realesr-animevideov3.fp16.safetensors")


def demo(folder: Path) -> str:
    return "demo"


def word(folder: Path) -> str:
    """A textual inversion for the demo model."""
    from safetensors.numpy import save_file

    save_file({"emb_params": np.ones((1, 128), np.float32)}, folder / "word.safetensors")
    return str(folder / "word.safetensors")


SHIFTS = ("comfyui/ModelSamplingSD3", "comfyui/ModelSamplingAuraFlow", "comfyui/ModelSamplingFlux")
"""Nodes for flow models."""
ADAPTERS = {
    "ApplyLora": {"source": lora},
    "ApplyControlNet": {"source": control},
    "ApplyGligen": {"source": gligen},
    "ApplyIpAdapter": {"source": ip_adapter},
    "ApplyT2iAdapter": {"source": t2i_adapter},
    "TeachWord": {"source": word},
    "comfyui/LoraLoaderModelOnly": {"lora_name": lora},
    "comfyui/ControlNetLoader": {"control_net_name": control},
    "comfyui/DiffControlNetLoader": {"control_net_name": control},
    "comfyui/GLIGENLoader": {"gligen_name": gligen},
    "comfyui/CLIPVisionLoader": {"clip_name": vision},
    "comfyui/StyleModelLoader": {"style_model_name": style_model},
    "comfyui/UNETLoader": {"unet_name": demo},
    "comfyui/UpscaleModelLoader": {"model_name": upscaler},
    "comfyui/VAELoader": {"vae_name": demo},
    "comfyui/CLIPLoader": {"clip_name": demo},
    "comfyui/DualCLIPLoader": {"clip_name1": demo, "clip_name2": demo},
    "comfyui/QuadrupleCLIPLoader": {f"clip_name{number}": demo for number in range(1, 5)},
    "comfyui/TripleCLIPLoader": {"clip_name1": demo, "clip_name2": demo, "clip_name3": demo},
}
ELSEWHERE = (
    "comfyui/CLIPTextEncodeFlux", "comfyui/CLIPTextEncodeHiDream", "comfyui/CLIPTextEncodeSD3",
    "comfyui/CLIPTextEncodeSDXL", "comfyui/CLIPTextEncodeSDXLRefiner", "comfyui/LotusConditioning",
    "comfyui/TextEncodeQwenImageEdit", "comfyui/TextEncodeQwenImageEditPlus",
)  # fmt: skip
"""Nodes for text encoders of other families, see `interop/test_families.py`, `families/test_editing.py`
and `families/test_lotus.py`."""


def call(node: Node[..., Any], kwargs: dict[str, Any]) -> Any:
    lazy = {n: v for n, v in kwargs.items() if node.inputs[n].lazy}

    async def ready(value: Any) -> Any:
        return value

    if node.is_async:
        wrapped = {n: Lazy(lambda v=v: ready(v)) for n, v in lazy.items()}  # type: ignore[misc]
        return asyncio.run(node(**{**kwargs, **wrapped}))
    return node(**kwargs)


@pytest.mark.parametrize("type_id", [t for t, n in NODES.items() if n.pure and t not in ELSEWHERE])
def test_same_inputs_give_the_same_outputs_and_are_left_alone(type_id: str, tmp_path: Path) -> None:
    node = NODES[type_id]
    known = sample_values(tmp_path)
    kwargs = {
        n: SHORT.get(n, of(i.type, known))
        for n, i in node.inputs.items()
        if i.required or n in NEEDS_MORE.get(type_id, ()) or (n in SHORT and i.type.literal)
    }
    if type_id == "LoadModel":
        kwargs = {}
    elif type_id == "Segment":
        pytest.importorskip("onnxruntime")
        kwargs["model"] = write_network(tmp_path / "network.onnx", "Identity", (1, 3, 64, 64))
    elif type_id == "EncodeLowRes":
        kwargs["vae"] = replace(kwargs["vae"], enlarges=True)
    elif type_id == "GroundPrompt":
        kwargs |= {"width": 0.5, "height": 0.5}
    elif type_id in SHIFTS:
        model = kwargs["model"]
        kwargs["model"] = replace(model, checkpoint=replace(model.checkpoint, prediction="flow"))
    kwargs |= {name: make(tmp_path) for name, make in ADAPTERS.get(type_id, {}).items()}
    before = [a.copy() for v in kwargs.values() for a in arrays(v)]
    one, two = call(node, kwargs), call(node, kwargs)
    after = [a for v in kwargs.values() for a in arrays(v)]
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    assert not any(a.flags.writeable for a in arrays(one))
    assert len(arrays(one)) == len(arrays(two))
    assert all(np.array_equal(a, b) for a, b in zip(arrays(one), arrays(two), strict=True))
    outputs = list(one) if hasattr(one, "_fields") else [one]
    codec = Codec(REGISTRY.classes())
    for value in outputs:
        again = codec.decode(codec.encode(value))
        assert type(again) is type(value)
        assert all(np.array_equal(a, b) for a, b in zip(arrays(value), arrays(again), strict=True))
