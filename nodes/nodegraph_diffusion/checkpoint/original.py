"""Single files in the layouts of the models' original code: what they are, and their sizes.

Every width comes from the names and shapes in the header, never from the file's name. The families say which functions
of this module read their files.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .header import Header, ModelError, deviation
from .value import ASSETS, Component, Prediction

if TYPE_CHECKING:
    from ..families import Family

DENOISER = "model.diffusion_model."
VAE = "first_stage_model."

OTHERS: tuple[tuple[str, str], ...] = (
    ("a LoRA, which ApplyLora takes", r"lora_(unet|te\w*)_|.*[._]lora[._]?(down|up|A|B)\b|.*\.(hada_w1_a|lokr_w1)"),
    ("a GLIGEN, which ApplyGligen takes", r"position_net\."),
    ("a ControlNet, which ApplyControlNet takes", r"control_model\.|controlnet_cond_embedding\."),
    ("a textual inversion, which TeachWord takes", r"(emb_params|clip_[lg]|string_to_param.*)$"),
    ("a denoiser alone, of a diffusers folder", r"down_blocks\.0\.resnets\.0\.conv1\."),
    ("a VAE alone", r"(first_stage_model\.)?(encoder\.conv_in|decoder\.conv_in|decoder\.middle\.0)\."),
    (
        "a text encoder alone",
        r"(cond_stage_model|text_encoder|text_model|encoder\.block\.0|embeddings\.token_embedding|(model\.)?layers\.0\.self_attn)\.",
    ),
    ("an upscaling network, which Upscale takes", r"(conv_first|model\.1\.sub\.0|body\.0)\."),
)
"""Told apart in this order by the first name that matches, for files that are of no family."""


ALONE = {"a VAE alone": "vae_from", "a text encoder alone": "text_encoder_from"}
"""Where files are named that hold one part of a model."""


def recognise(header: Header, families: Sequence[Family]) -> Family:
    """The family of a file.

    Raises:
        ModelError: It is of no family that is supported; the message says what it looks like.
    """
    for family in families:
        if family.read is not None and family.recognise(header):
            return family
    raise ModelError(_unknown(header, families))


def _unknown(header: Header, families: Sequence[Family]) -> str:
    names = header.tensors
    if not names:
        return f"{header.path}: has no tensors. Get the file again"
    label, unet = f"{DENOISER}label_emb.0.0.weight", f"{DENOISER}input_blocks.0.0.weight"
    listed = ", ".join(family.title for family in families if family.read is not None)
    supported = f"LoadModel reads checkpoints of {listed}"
    for what, pattern in OTHERS:
        if any(re.match(pattern, name) for name in names):
            if unet in names and what in ALONE:
                break
            if what in ALONE:
                return f"{header.path}: looks like {what}; name it in {ALONE[what]}, beside its model. {supported}"
            return f"{header.path}: looks like {what}. {supported}"
    if label in names:
        return f"{header.path}: looks like an unCLIP model (it has {label!r}), which is not supported: {supported}"
    if unet in names:
        return (
            f"{header.path}: has a denoiser and a text encoder that is not of its family. Get a checkpoint whose parts "
            "belong together"
        )
    heads = sorted({name.partition(".")[0] for name in names})[:5]
    return (
        f"{header.path}: of no family that is known: it has no tensor {unet!r}, its names begin with "
        f"{', '.join(map(repr, heads))}. {supported}"
    )


def shipped(name: str, part: str) -> dict[str, Any]:
    """The configuration of a component that comes with the pack."""
    file = "scheduler_config.json" if part == "scheduler" else "config.json"
    found: dict[str, Any] = json.loads((ASSETS / "configs" / name / part / file).read_text())
    return found


def part(header: Header, name: str, cls: str, config: dict[str, Any], *prefixes: str) -> Component:
    """The component whose tensors' names start with one of `prefixes`."""
    return Component.of(name, cls, (header.path.name,), config, header.under(*prefixes), prefixes, original=True)


def unet(header: Header, config: dict[str, Any], prefix: str = DENOISER, *, named: bool = True) -> dict[str, Any]:
    """`config` with the widths of the UNet that `header` holds.

    Args:
        named: Whether its tensors have the names of the original code, or those of diffusers.
    Raises:
        ModelError: Tensors are missing, or the architecture is another one.
    """
    per_block, blocks = config["layers_per_block"] + 1, len(config["block_out_channels"])
    if named:
        wanted, found = per_block * blocks, count(header, rf"{re.escape(prefix)}input_blocks\.(\d+)\.")
        ends, label = ("input_blocks.0.0.weight", "out.2.weight"), "label_emb.0.0.weight"
        levels = [f"{prefix}input_blocks.{1 + per_block * i}" for i in range(blocks)]
        first, attention = "0.in_layers.2.weight", "1.transformer_blocks"
    else:
        wanted, found = blocks, count(header, rf"{re.escape(prefix)}down_blocks\.(\d+)\.")
        ends, label = ("conv_in.weight", "conv_out.weight"), "add_embedding.linear_1.weight"
        levels = [f"{prefix}down_blocks.{i}" for i in range(blocks)]
        first, attention = "resnets.0.conv1.weight", "attentions.0.transformer_blocks"
    if found != wanted:
        raise ModelError(
            f"{header.path}: its denoiser has {found} input blocks, {wanted} were expected. Such a "
            "distilled model is supported as a diffusers folder"
        )
    widths = [header.shape(f"{level}.{first}")[0] for level in levels]
    config["in_channels"] = header.shape(prefix + ends[0])[1]
    config["block_out_channels"] = widths
    config["out_channels"] = header.shape(prefix + ends[1])[0]
    attended = [i for i, kind in enumerate(config["down_block_types"]) if kind.startswith("CrossAttn")]
    inside = [f"{levels[i]}.{attention}" for i in attended]
    config["cross_attention_dim"] = header.shape(f"{inside[0]}.0.attn2.to_k.weight")[1]
    if isinstance(config.get("transformer_layers_per_block"), list):
        depths = list(config["transformer_layers_per_block"])
        for level, at in zip(attended, inside, strict=True):
            depths[level] = count(header, rf"{re.escape(at)}\.(\d+)\.")
        config["transformer_layers_per_block"] = depths
    if config.get("use_linear_projection"):  # all of these have heads of 64 channels, not a number of heads
        config["attention_head_dim"] = [width // 64 for width in widths]
    if config.get("addition_embed_type") == "text_time":
        config["projection_class_embeddings_input_dim"] = header.shape(prefix + label)[1]
    return config


def autoencoder(header: Header, name: str, prefix: str = VAE, **changes: Any) -> Component | None:
    """The VAE of a file, configured as that which comes with the pack but for its widths; None where there is none."""
    if not header.under(prefix):
        return None
    return part(header, "vae", "AutoencoderKL", vae(header, shipped(name, "vae"), prefix) | changes, prefix)


def vae(header: Header, config: dict[str, Any], prefix: str = VAE) -> dict[str, Any]:
    """`config` with the widths of the autoencoder that `header` holds."""
    blocks = range(count(header, rf"{re.escape(prefix)}encoder\.down\.(\d+)\."))
    config["block_out_channels"] = [header.shape(f"{prefix}encoder.down.{i}.block.0.conv2.weight")[0] for i in blocks]
    config["latent_channels"] = header.shape(f"{prefix}decoder.conv_in.weight")[1]
    config["down_block_types"] = ["DownEncoderBlock2D"] * len(blocks)
    config["up_block_types"] = ["UpDecoderBlock2D"] * len(blocks)
    return config


def clip(header: Header, config: dict[str, Any], prefix: str) -> dict[str, Any]:
    """`config` with the widths of a CLIP text model by the names of transformers."""
    # Files saved by some trainers lack the level "text_model.".
    inner_ = prefix + ("text_model." if header.under(f"{prefix}text_model.") else "")
    layers = count(header, rf"{re.escape(inner_)}encoder\.layers\.(\d+)\.")
    tokens = header.shape(f"{inner_}embeddings.token_embedding.weight")
    positions = header.shape(f"{inner_}embeddings.position_embedding.weight")
    inner = header.shape(f"{inner_}encoder.layers.0.mlp.fc1.weight")
    if f"{prefix}text_projection.weight" in header.tensors:
        config["projection_dim"] = header.shape(f"{prefix}text_projection.weight")[0]
    return config | _widths(tokens, positions, inner, layers)


def open_clip(header: Header, config: dict[str, Any], prefix: str, unused: int = 0) -> dict[str, Any]:
    """`config` with the widths of a text model by OpenCLIP's names, of whose layers the last `unused` are not built."""
    layers = count(header, rf"{re.escape(prefix)}transformer\.resblocks\.(\d+)\.") - unused
    tokens = header.shape(f"{prefix}token_embedding.weight")
    positions = header.shape(f"{prefix}positional_embedding")
    inner = header.shape(f"{prefix}transformer.resblocks.0.mlp.c_fc.weight")
    if not unused and f"{prefix}text_projection" in header.tensors:
        config["projection_dim"] = header.shape(f"{prefix}text_projection")[1]
    return config | _widths(tokens, positions, inner, layers)


def t5(header: Header, config: dict[str, Any], prefix: str) -> dict[str, Any]:
    """`config` with the widths of a T5 encoder by the names of transformers."""
    layers = count(header, rf"{re.escape(prefix)}encoder\.block\.(\d+)\.")
    vocabulary, width = header.shape(f"{prefix}shared.weight")
    query = header.shape(f"{prefix}encoder.block.0.layer.0.SelfAttention.q.weight")[0]
    heads = header.shape(f"{prefix}encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight")[1]
    inner = header.shape(f"{prefix}encoder.block.0.layer.1.DenseReluDense.wi_0.weight")[0]
    return config | {
        "vocab_size": vocabulary, "d_model": width, "d_ff": inner, "d_kv": query // heads,
        "num_heads": heads, "num_layers": layers,
    }  # fmt: skip


def qwen3(header: Header, config: dict[str, Any], prefix: str) -> dict[str, Any]:
    """`config` with the widths of a Qwen3 by the names of transformers, and the numbers that all of them share."""
    head = header.shape(f"{prefix}layers.0.self_attn.q_norm.weight")[0]
    rope = {"rope_type": "default", "rope_theta": 1e6}
    return config | _language(header, prefix, head) | {"head_dim": head, "rope_parameters": rope}


def llama(header: Header, config: dict[str, Any], prefix: str) -> dict[str, Any]:
    """`config` with the widths of a Llama 3.1 by the names of transformers, and the numbers that all of them share."""
    rope = {"rope_type": "llama3", "rope_theta": 5e5, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8192}  # fmt: skip
    own = {"rms_norm_eps": 1e-5, "max_position_embeddings": 131072, "head_dim": 128, "rope_parameters": rope}
    return config | _language(header, prefix, 128) | own


def qwen2_5(header: Header, config: dict[str, Any], prefix: str) -> dict[str, Any]:
    """`config` with the widths of a Qwen2.5-VL by the names of its code, and the numbers that all of them share."""
    text = _language(header, prefix, 128)
    sees = header.shape("visual.patch_embed.proj.weight")
    return config | {
        "text_config": text | {
            "rope_parameters": {"rope_type": "default", "mrope_section": [16, 24, 24], "rope_theta": 1e6},
        },
        "vision_config": {
            "depth": count(header, r"visual\.blocks\.(\d+)\."), "hidden_size": sees[0], "num_heads": sees[0] // 80,
            "intermediate_size": header.shape("visual.blocks.0.mlp.gate_proj.weight")[0], "patch_size": sees[-1],
            "out_hidden_size": text["hidden_size"], "tokens_per_second": 2, "fullatt_block_indexes": [7, 15, 23, 31],
        },
        "vision_start_token_id": 151652, "vision_end_token_id": 151653, "image_token_id": 151655,
        "video_token_id": 151656,
    }  # fmt: skip


def _language(header: Header, prefix: str, head: int) -> dict[str, Any]:
    at = f"{prefix}layers.0"
    vocabulary, width = header.shape(f"{prefix}embed_tokens.weight")
    return {
        "vocab_size": vocabulary, "hidden_size": width, "rms_norm_eps": 1e-6, "max_position_embeddings": 40960,
        "intermediate_size": header.shape(f"{at}.mlp.gate_proj.weight")[0],
        "num_hidden_layers": count(header, rf"{re.escape(prefix)}layers\.(\d+)\."),
        "num_attention_heads": header.shape(f"{at}.self_attn.q_proj.weight")[0] // head,
        "num_key_value_heads": header.shape(f"{at}.self_attn.k_proj.weight")[0] // head,
    }  # fmt: skip


def _widths(tokens: tuple[int, ...], positions: tuple[int, ...], inner: tuple[int, ...], layers: int) -> dict[str, Any]:
    return {
        "vocab_size": tokens[0],
        "hidden_size": tokens[1],
        "max_position_embeddings": positions[0],
        "intermediate_size": inner[0],
        "num_hidden_layers": layers,
        "num_attention_heads": tokens[1] // 64,
    }


def count(header: Header, pattern: str) -> int:
    """How many different numbers the group of `pattern` takes."""
    return len({found[1] for name in header.tensors if (found := re.match(pattern, name))})


def scheduler(header: Header, name: str) -> dict[str, Any]:
    """The noise the family was trained on; a file marked `ztsnr` was trained down to pure noise."""
    return shipped(name, "scheduler") | ({"rescale_betas_zero_snr": True} if "ztsnr" in header.tensors else {})


def told(header: Header) -> tuple[Prediction, str] | None:
    """What the file itself says that its denoiser predicts: in its metadata, or by a marker tensor."""
    said = header.metadata.get("modelspec.prediction_type", "").lower()
    if said in ("epsilon", "v"):
        return ("epsilon" if said == "epsilon" else "v_prediction"), "the file's metadata"
    if "v_pred" in header.tensors:
        return "v_prediction", "the file's marker 'v_pred'"
    return None


def spread(header: Header) -> float | None:
    """The spread of one norm's bias, which ComfyUI's users found to be above 0.09 in 768-v models and below in others.

    (diffusers looks for a step count of 875,000, which only the pickle of 2.0 base carries.)
    """
    return deviation(header, f"{DENOISER}output_blocks.11.1.transformer_blocks.0.norm1.bias")
