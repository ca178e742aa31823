"""What the families with a UNet share."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..checkpoint import original, t2i_adapters
from ..checkpoint.header import Header
from ..checkpoint.original import DENOISER
from ..checkpoint.value import Component
from .family import Control, Encoded, Job, Parts, Residuals

if TYPE_CHECKING:
    from torch import Tensor

    from ..diffusion.denoiser import Prompt
    from ..diffusion.prompts import PromptEncoder
    from ..diffusion.schedules import Table

Added = Callable[["Tensor", "Prompt", Job], Mapping[str, Any]]
UNET = ("unet", "UNet2DConditionModel")


def is_inpainting(config: Mapping[str, Any]) -> bool:
    """Whether a UNet reads a mask and a hidden picture beside the latent: 9 channels where latents have 4."""
    return int(config["in_channels"]) == 2 * int(config["out_channels"]) + 1


def hole(mask: Tensor, hidden: Tensor) -> Tensor:
    """What such a UNet reads (B, 1 + C, h, w): the mask at the latent's size, and the hidden picture's latent."""
    import torch
    from torch.nn import functional

    small = functional.interpolate(mask, size=hidden.shape[-2:])
    batch = max(len(small), len(hidden))
    return torch.cat([small.expand(batch, -1, -1, -1), hidden.expand(batch, -1, -1, -1)], dim=1)


def with_hole(x: Tensor, job: Job) -> Tensor:
    """The network's input: the latent, and the hole where there is one."""
    return x if job.hole is None else beside(x, job.hole)


def beside(x: Tensor, extra: Tensor) -> Tensor:
    """The latent (B, C, h, w) with further channels, of which there is one for each picture that is asked about."""
    import torch

    return torch.cat([x, extra.to(x).repeat(len(x) // len(extra), 1, 1, 1)], dim=1)


def predict(network: Any, x: Tensor, time: Tensor, prompt: Prompt, job: Job) -> Tensor:
    """A UNet with cross-attention over the prompt."""
    inputs = with_hole(x, job)
    out: Tensor = network(inputs, time, encoder_hidden_states=prompt.tokens, return_dict=False, **job.residuals)[0]
    return out


def table(scheduler: Mapping[str, Any], cells: int, steps: int) -> Table:
    """Discrete noise levels, the same for every size."""
    from ..diffusion.schedules import NoiseTable

    return NoiseTable.from_config(scheduler)


def clip(own: int, *, normed: bool, pooled: bool = False) -> Callable[[PromptEncoder, str, int], Encoded]:
    """Encode by CLIP, whose layer `own`, counted from the last, the family reads."""

    def encode(encoder: PromptEncoder, text: str, layer: int) -> Encoded:
        from ..diffusion.prompts import clip

        return clip(encoder, text, layer or own, normed=normed, pooled=pooled)

    return encode


def width(config: Mapping[str, Any]) -> int:
    """How wide the prompts are that a UNet reads."""
    return int(config["cross_attention_dim"])


def control(owns: Callable[[Mapping[str, Any]], bool], added: Added = lambda x, prompt, job: {}) -> Control:
    """How ControlNets beside a UNet are asked.

    Args:
        owns: Whether a configuration is of the family.
        added: What the family's UNet is told beside the prompt.
    """

    def ask(
        network: Any, hint: Tensor, x: Tensor, time: Tensor, prompt: Prompt, job: Job, strength: float
    ) -> Residuals:
        told: dict[str, Any] = {"controlnet_cond": hint, "conditioning_scale": strength}
        if type(network).__name__ == UNION:
            types = hint.new_zeros(len(x), network.config["num_control_type"])
            types[:, list(job.kinds)] = 1
            told = {"controlnet_cond": [hint], "control_type": types, "control_type_idx": list(job.kinds)}
            told["conditioning_scale"] = strength
        down, mid = network(
            x, time, encoder_hidden_states=prompt.tokens, return_dict=False, **told, **added(x, prompt, job)
        )
        return {"down_block_additional_residuals": tuple(down), "mid_block_additional_residual": mid}

    return Control("ControlNetModel", ask, owns, union=UNION)


UNION = "ControlNetUnionModel"


def converted(part: Component, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a UNet, VAE or CLIP in the original layout by diffusers' names."""
    from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint, convert_ldm_vae_checkpoint

    if part.name == "unet":
        bare = {name.removeprefix(part.prefixes[0]): value for name, value in weights.items()}
        if "conv_in.weight" in bare:
            return bare
        named = {DENOISER + name: value for name, value in bare.items()}
        return convert_ldm_unet_checkpoint(named, part.config)  # type: ignore[no-any-return]
    if part.cls == t2i_adapters.T2I:
        return {t2i_adapters.named(name, part.config): value for name, value in weights.items()}
    if part.name == "controlnet":
        return controlnet(part, weights)
    if part.name == "vae":
        return convert_ldm_vae_checkpoint(weights, part.config)  # type: ignore[no-any-return]
    (prefix,) = part.prefixes
    bare = {name.removeprefix(prefix): value for name, value in weights.items()}
    return from_open_clip(bare) if "token_embedding.weight" in bare else bare


def controlnet(part: Component, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a ControlNet in the original layout, or as they are, by diffusers' names."""
    from diffusers.loaders.single_file_utils import convert_controlnet_checkpoint

    if part.prefixes == ("",):
        return weights
    return convert_controlnet_checkpoint(weights, part.config)  # type: ignore[no-any-return]


def from_open_clip(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """OpenCLIP's names to those of transformers. Query, key and value are views of their one matrix."""
    names = {
        "positional_embedding": "embeddings.position_embedding.weight",
        "token_embedding.weight": "embeddings.token_embedding.weight",
        "ln_final.weight": "final_layer_norm.weight",
        "ln_final.bias": "final_layer_norm.bias",
    }
    inside = {
        "ln_1": "layer_norm1",
        "ln_2": "layer_norm2",
        "attn.out_proj": "self_attn.out_proj",
        "mlp.c_fc": "mlp.fc1",
        "mlp.c_proj": "mlp.fc2",
    }
    out: dict[str, Tensor] = {}
    for name, value in weights.items():
        if name in names:
            out[names[name]] = value
        elif name == "text_projection":
            out["text_projection.weight"] = value.T
        elif name.startswith("transformer.resblocks."):
            layer, _, rest = name.removeprefix("transformer.resblocks.").partition(".")
            target = f"encoder.layers.{layer}."
            if rest.startswith("attn.in_proj_"):
                kind = rest.removeprefix("attn.in_proj_")
                for letter, rows in zip("qkv", value.chunk(3), strict=True):
                    out[f"{target}self_attn.{letter}_proj.{kind}"] = rows
            else:
                module, _, kind = rest.rpartition(".")
                out[f"{target}{inside.get(module, module)}.{kind}"] = value
    return out


def has_unet(header: Header) -> bool:
    """Whether a file holds a UNet of Stable Diffusion in the original layout."""
    return f"{DENOISER}input_blocks.0.0.weight" in header.tensors


@dataclass(frozen=True, slots=True)
class Alone:
    """A UNet in a file without text encoders.

    Args:
        prefix: What its names begin with.
        named: Whether they are those of the original code, or of diffusers.
        family: Whose it is.
    """

    prefix: str
    named: bool
    family: str


TEXTS = ("cond_stage_model.", "conditioner.")
MARKS = (
    ("input_blocks.0.0.weight", "out.2.weight", "input_blocks", "label_emb.0.0.weight", True),
    ("conv_in.weight", "conv_out.weight", "down_blocks", "add_embedding.linear_1.weight", False),
)
"""Of both layouts: how a UNet begins and ends, its blocks on the way down, what reads a vector beside the prompt."""
TASKS = {True: "label_emb.0.0.weight", False: "class_embedding.linear_1.weight"}
"""What reads a vector that is no part of the prompt, in both layouts."""
TASK = 4
"""How wide that is which tells Lotus its task."""


def alone(header: Header) -> Alone | None:
    """The UNet that a file holds without text encoders, told by its structure; None where it holds none."""
    if header.under(*TEXTS, "control_model."):
        return None
    for first, last, blocks, label, named in MARKS:
        for prefix in (DENOISER, "diffusion_model.", ""):
            if not {prefix + first, prefix + last} <= header.tensors.keys():
                continue
            at = re.escape(f"{prefix}{blocks}.")
            projected = next((n for n in header.tensors if re.match(rf"{at}.*\.proj_in\.weight$", n)), None)
            if projected:
                told = header.tensors.get(prefix + TASKS[named])
                if told is not None and told.shape[1] == TASK:
                    return Alone(prefix, named, "lotus")
                levels = original.count(header, rf"{at}(\d+)\.") // (3 if named else 1)
                if prefix + label in header.tensors:
                    family = "sdxl" if levels == 3 else "sdxl_refiner"
                elif prefix + ("label_emb.weight" if named else "class_embedding.weight") in header.tensors:
                    return None  # an upscaler's
                else:
                    family = "sd1" if len(header.shape(projected)) == 4 else "sd2"
                return Alone(prefix, named, family)
    return None


def read_alone(header: Header, found: Alone, name: str, config: dict[str, Any] | None = None) -> Parts:
    """What a file with a UNet and without text encoders holds.

    Args:
        name: The configurations that come with the pack for its family.
        config: That of its UNet, where it is another.
    """
    fitted = original.unet(header, config or original.shipped(name, "unet"), found.prefix, named=found.named)
    tensors, renamed = header.under(found.prefix), found.named or bool(found.prefix)
    unet = Component.of(*UNET, (header.path.name,), fitted, tensors, (found.prefix,), original=renamed)
    vae = original.autoencoder(header, name) if found.prefix else None
    told, source = original.told(header) or ("epsilon", "the family")
    return Parts(unet, (), vae, original.scheduler(header, name), told, source)


def is_labelled(header: Header) -> bool:
    """Whether that UNet reads a vector or a number beside the prompt."""
    return bool(header.under(f"{DENOISER}label_emb."))


BLOCK = re.compile(r"(input|output)_blocks[._](\d+)[._](\d+)[._](.+)|middle_block[._](\d)[._](.+)")
INSIDE = {
    "in_layers_2": "conv1",
    "out_layers_3": "conv2",
    "emb_layers_1": "time_emb_proj",
    "skip_connection": "conv_shortcut",
}


def adapted(name: str, config: Mapping[str, Any]) -> Sequence[str]:
    """The module that the original code calls `name`, such as `input_blocks_4_1_transformer_blocks_0_attn2_to_k`."""
    match = BLOCK.fullmatch(name)
    if match is None:
        return ()
    per_block = int(config["layers_per_block"]) + 1
    if match[5]:
        at, inner = int(match[5]), match[6]
        where = "mid_block.attentions.0" if at == 1 else f"mid_block.resnets.{at // 2}"
    else:
        number, layer, inner = int(match[2]), int(match[3]), match[4]
        number -= match[1] == "input"
        side = "down" if match[1] == "input" else "up"
        kind = "attentions" if layer == 1 else "resnets"
        where = f"{side}_blocks.{number // per_block}.{kind}.{number % per_block}"
    return (f"{where}.{INSIDE.get(inner.replace('.', '_'), inner)}",)


def adapts(header: Header) -> frozenset[str]:
    """The UNet families that a LoRA may be for, by its names and by how wide the prompts are that it reads."""
    names = list(header.tensors)
    if not any(re.search(r"(down|up|input|output)_blocks[._]|mid(dle)?_block[._]", name) for name in names):
        return frozenset()
    if any(re.search(r"lora_te2_|text_encoder_2\.|transformer_blocks[._][1-9]", name) for name in names):
        return frozenset(("sdxl",))
    widths = {
        tensor.shape[1]
        for name, tensor in header.tensors.items()
        if re.search(r"attn2[._]to_k\b.*(down|lora_A|hada_w1_b)", name) and len(tensor.shape) > 1
    }
    told = {768: "sd1", 1024: "sd2", 2048: "sdxl"}
    return frozenset(told[width] for width in widths & told.keys()) or frozenset(told.values())
