"""Small Stable Diffusion 1.x and 2.x models of the true architecture, and the two layouts people keep them in.

The original key layout is written here from the published architecture (Rombach et al. 2022, `ldm` and `open_clip`
module names), not with a converter of diffusers: what the loader does with diffusers' converters is checked against it.
"""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel

import nodegraph_diffusion

ASSETS = Path(nodegraph_diffusion.__path__[0]) / "assets"
TINY_UNET = {
    "sd15": {"block_out_channels": [32, 64, 64, 64]},
    "sd21": {"block_out_channels": [64, 64, 128, 128], "attention_head_dim": [1, 1, 2, 2]},
}

State = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Parts:
    """The components of one model, as diffusers and transformers hold them."""

    family: str
    unet: UNet2DConditionModel
    vae: AutoencoderKL
    text_encoder: CLIPTextModel

    def to(self, dtype: torch.dtype) -> Parts:
        for module in (self.unet, self.vae, self.text_encoder):
            module.to(dtype)
        return self


def config(family: str, component: str) -> dict[str, Any]:
    """The shipped configuration of one component."""
    name = "scheduler_config" if component == "scheduler" else "config"
    found: dict[str, Any] = json.loads((ASSETS / "configs" / family / component / f"{name}.json").read_text())
    return found


def build(family: str, in_channels: int = 4, *, tiny: bool = True, device: str = "cpu") -> Parts:
    """Random weights, the same at each call; `tiny` keeps the architecture and shrinks its widths."""
    unet, vae, text = (config(family, part) for part in ("unet", "vae", "text_encoder"))
    unet["in_channels"] = in_channels
    if tiny:
        width = 64 if family == "sd15" else 128
        unet |= TINY_UNET[family] | {"cross_attention_dim": width}
        vae |= {"block_out_channels": [32, 32, 64, 64]}
        text |= {"hidden_size": width, "intermediate_size": 4 * width, "num_hidden_layers": 3}
        text |= {"num_attention_heads": width // 64}
    with torch.random.fork_rng(), torch.device(device):
        torch.manual_seed(0)
        return Parts(
            family,
            UNet2DConditionModel.from_config(unet).eval(),
            AutoencoderKL.from_config(vae).eval(),
            CLIPTextModel(CLIPTextConfig(**text)).eval(),
        )


def save_folder(parts: Parts, folder: Path, *, prediction: str = "epsilon", variant: str | None = None) -> Path:
    """Write a diffusers folder the way `save_pretrained` of a pipeline does."""
    shutil.copytree(ASSETS / "configs" / parts.family, folder)
    for name in ("unet", "vae", "text_encoder"):
        (folder / name / "config.json").unlink()
        module = getattr(parts, name)
        module.save_pretrained(folder / name, variant=variant) if variant else module.save_pretrained(folder / name)
    tokenizer = folder / "tokenizer"
    shutil.copytree(ASSETS / "tokenizers" / "clip", tokenizer)
    if parts.family == "sd21":
        settings = json.loads((tokenizer / "tokenizer_config.json").read_text())
        (tokenizer / "tokenizer_config.json").write_text(json.dumps(settings | {"pad_token": "!"}))
    scheduler = folder / "scheduler" / "scheduler_config.json"
    scheduler.write_text(json.dumps(json.loads(scheduler.read_text()) | {"prediction_type": prediction}))
    return folder


def save_single(parts: Parts, path: Path, metadata: dict[str, str] | None = None, extra: State | None = None) -> Path:
    """Write one file in the original key layout; `extra` tensors go in as they are."""
    save_file({k: v.contiguous() for k, v in (original(parts) | (extra or {})).items()}, path, metadata)
    return path


def save_hollow(state: State, path: Path, metadata: dict[str, str] | None = None) -> Path:
    """Write only the header of `state`, whose tensors may be on the meta device, and a hole for the weights."""
    names = {torch.float32: "F32", torch.float16: "F16", torch.int64: "I64"}
    entries: dict[str, Any] = {"__metadata__": metadata} if metadata else {}
    end = 0
    for name, value in state.items():
        entries[name] = {
            "dtype": names[value.dtype],
            "shape": list(value.shape),
            "data_offsets": [end, end + value.nbytes],
        }
        end += value.nbytes
    text = json.dumps(entries).encode()
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + end)
    return path


def original(parts: Parts) -> State:
    """The weights of `parts` under the names and in the shapes of the original checkpoints."""
    text = clip(parts.text_encoder) if parts.family == "sd15" else open_clip(parts.text_encoder)
    return unet(parts.unet) | vae(parts.vae) | text


def unet(module: UNet2DConditionModel) -> State:
    per_block = module.config["layers_per_block"] + 1
    attended = [kind.startswith("CrossAttn") for kind in module.config["up_block_types"]]
    whole = {
        "time_embedding.linear_1": "time_embed.0",
        "time_embedding.linear_2": "time_embed.2",
        "class_embedding.linear_1": "label_emb.0.0",
        "class_embedding.linear_2": "label_emb.0.2",
        "conv_in": "input_blocks.0.0",
        "conv_norm_out": "out.0",
        "conv_out": "out.2",
        "mid_block.resnets.0": "middle_block.0",
        "mid_block.attentions.0": "middle_block.1",
        "mid_block.resnets.1": "middle_block.2",
    }
    inside = {
        "norm1": "in_layers.0",
        "conv1": "in_layers.2",
        "time_emb_proj": "emb_layers.1",
        "norm2": "out_layers.0",
        "conv2": "out_layers.3",
        "conv_shortcut": "skip_connection",
    }

    def name(key: str) -> str:
        found = re.fullmatch(r"(down|up)_blocks\.(\d+)\.(resnets|attentions|downsamplers|upsamplers)\.(\d+)\.(.+)", key)
        if found:
            side, kind, rest = found[1], found[3], found[5]
            block, layer = int(found[2]), int(found[4])
            at = block * per_block + layer
            if kind == "downsamplers":
                return f"input_blocks.{(block + 1) * per_block}.0.{rest.replace('conv', 'op')}"
            if kind == "upsamplers":
                return f"output_blocks.{(block + 1) * per_block - 1}.{1 + attended[block]}.{rest}"
            prefix = f"input_blocks.{at + 1}" if side == "down" else f"output_blocks.{at}"
            if kind == "attentions":
                return f"{prefix}.1.{rest}"
            return f"{prefix}.0.{swap(rest, inside)}"
        start = next(k for k in whole if key.startswith(k + "."))
        rest = key.removeprefix(start + ".")
        return f"{whole[start]}.{swap(rest, inside) if 'resnets' in start else rest}"

    return {"model.diffusion_model." + name(k): v for k, v in module.state_dict().items()}


def vae(module: AutoencoderKL) -> State:
    last = len(module.config["block_out_channels"]) - 1
    attention = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}

    def name(key: str) -> str:
        key = key.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")
        key = re.sub(r"down_blocks\.(\d+)\.resnets", r"down.\1.block", key)
        key = re.sub(r"up_blocks\.(\d+)\.resnets", lambda m: f"up.{last - int(m[1])}.block", key)
        key = re.sub(r"down_blocks\.(\d+)\.downsamplers\.0", r"down.\1.downsample", key)
        key = re.sub(r"up_blocks\.(\d+)\.upsamplers\.0", lambda m: f"up.{last - int(m[1])}.upsample", key)
        key = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", key)
        head, found, rest = key.partition("mid_block.attentions.0.")
        return f"{head}mid.attn_1.{swap(rest, attention)}" if found else key

    def value(key: str, tensor: torch.Tensor) -> torch.Tensor:
        return tensor[:, :, None, None] if re.search(r"mid_block\.attentions.*\.to_.*weight", key) else tensor

    return {"first_stage_model." + name(k): value(k, v) for k, v in module.state_dict().items()}


def clip(module: CLIPTextModel) -> State:
    state = {f"cond_stage_model.transformer.text_model.{k}": v for k, v in module.state_dict().items()}
    positions = torch.arange(module.config.max_position_embeddings)[None]
    return state | {"cond_stage_model.transformer.text_model.embeddings.position_ids": positions}


def open_clip(module: CLIPTextModel) -> State:
    """One layer more than the module, as in Stable Diffusion 2: the last was never used in training."""
    width = module.config.hidden_size
    inside = {"layer_norm1": "ln_1", "layer_norm2": "ln_2", "self_attn.out_proj": "attn.out_proj"}
    inside |= {"mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj"}
    state = module.state_dict()
    out: State = {
        "positional_embedding": state["embeddings.position_embedding.weight"],
        "token_embedding.weight": state["embeddings.token_embedding.weight"],
        "ln_final.weight": state["final_layer_norm.weight"],
        "ln_final.bias": state["final_layer_norm.bias"],
        "text_projection": torch.zeros(width, width),
        "logit_scale": torch.zeros(()),
    }
    for layer in range(module.config.num_hidden_layers):
        source, target = f"encoder.layers.{layer}.", f"transformer.resblocks.{layer}."
        for kind in ("weight", "bias"):
            rows = [state[f"{source}self_attn.{part}_proj.{kind}"] for part in "qkv"]
            out[f"{target}attn.in_proj_{kind}"] = torch.cat(rows)
        for ours, theirs in inside.items():
            for kind in ("weight", "bias"):
                out[f"{target}{theirs}.{kind}"] = state[f"{source}{ours}.{kind}"]
    unused = module.config.num_hidden_layers
    out |= {
        k.replace("resblocks.0.", f"resblocks.{unused}."): torch.zeros_like(v)
        for k, v in out.items()
        if "resblocks.0." in k
    }
    return {f"cond_stage_model.model.{k}": v for k, v in out.items()}


def swap(key: str, names: dict[str, str]) -> str:
    start = next((k for k in names if key.startswith(k + ".")), None)
    return names[start] + key.removeprefix(start) if start else key
