"""Single files in the key layout of the original Stable Diffusion 1.x and 2.x code: what they are, and their sizes.

The family and every width come from the names and shapes in the header, never from the file's name.
"""

from __future__ import annotations

import json
import re
from typing import Any

from .header import Header, ModelError, deviation
from .value import ASSETS, Component, Family, Prediction

DENOISER = "model.diffusion_model."
VAE = "first_stage_model."
CLIP = "cond_stage_model.transformer."
OPEN_CLIP = "cond_stage_model.model."
CONFIGS: dict[Family, str] = {"sd1": "sd15", "sd2": "sd21"}

OTHERS: tuple[tuple[str, str], ...] = (
    ("a LoRA", r"lora_(unet|te\w*)_|.*[._]lora[._]?(down|up|A|B)\b|.*\.(hada_w1_a|lokr_w1)"),
    ("a ControlNet", r"control_model\.|controlnet_cond_embedding\."),
    ("an SDXL model", r"conditioner\.embedders\.1\."),
    ("an SDXL refiner", r"conditioner\.embedders\.0\.model\."),
    ("an SD 3 model", r"(model\.diffusion_model\.)?joint_blocks\.0\."),
    ("a Flux.2 model", r"(model\.diffusion_model\.)?double_stream_modulation_img\."),
    ("a Flux model", r"(model\.diffusion_model\.)?double_blocks\.0\.img_attn\."),
    ("a textual inversion embedding", r"(emb_params|clip_[lg]|string_to_param.*)$"),
    ("a denoiser alone, of a diffusers folder", r"down_blocks\.0\.resnets\.0\.conv1\."),
    ("a VAE alone", r"(first_stage_model\.)?(encoder\.conv_in|decoder\.conv_in)\."),
    ("a text encoder alone", r"(cond_stage_model\.|text_encoder\.|text_model\.|encoder\.block\.0\.)"),
    ("an upscaling model", r"(conv_first|model\.1\.sub\.0|body\.0)\."),
)  # fmt: skip
"""Told apart in this order by the first name that matches, for files that are not Stable Diffusion 1.x or 2.x."""


def recognise(header: Header) -> Family:
    """The family of a file.

    Raises:
        ModelError: It is of no family that is supported; the message says what it looks like.
    """
    stem = header.tensors.keys()
    family: Family | None = None
    if f"{DENOISER}input_blocks.0.0.weight" in stem:
        if header.under(CLIP):
            family = "sd1"
        elif header.under(OPEN_CLIP):
            family = "sd2"
    if family is None or f"{DENOISER}label_emb.0.0.weight" in stem:
        raise ModelError(_unknown(header))
    if not header.under(VAE):
        raise ModelError(
            f"{header.path}: has a denoiser and a text encoder but no VAE (no tensor {VAE!r}...). Get a checkpoint "
            "that holds all three"
        )
    return family


def _unknown(header: Header) -> str:
    names = header.tensors
    if not names:
        return f"{header.path}: has no tensors. Get the file again"
    label = f"{DENOISER}label_emb.0.0.weight"
    supported = "LoadModel reads Stable Diffusion 1.x and 2.x checkpoints"
    for what, pattern in OTHERS:
        if any(re.match(pattern, name) for name in names):
            if f"{DENOISER}input_blocks.0.0.weight" in names and what in ("a VAE alone", "a text encoder alone"):
                break
            return f"{header.path}: looks like {what}, which is not supported here: {supported}"
    if label in names:
        return f"{header.path}: looks like an unCLIP model (it has {label!r}), which is not supported: {supported}"
    if f"{DENOISER}input_blocks.0.0.weight" in names:
        return (
            f"{header.path}: has a denoiser but no text encoder (no tensor {CLIP!r}... or {OPEN_CLIP!r}...). Get a "
            "checkpoint that holds denoiser, text encoder and VAE"
        )
    heads = sorted({name.partition(".")[0] for name in names})[:5]
    return (
        f"{header.path}: of no family that is known: it has no tensor '{DENOISER}input_blocks.0.0.weight', its names "
        f"begin with {', '.join(map(repr, heads))}. {supported}"
    )


def components(header: Header, family: Family) -> tuple[Component, Component, Component]:
    """Denoiser, text encoder and VAE, with the shipped configuration of the family fitted to the header's shapes.

    Raises:
        ModelError: Tensors are missing, or the architecture is another one than the family's.
    """
    name = (header.path.name,)
    text = (CLIP,) if family == "sd1" else (OPEN_CLIP,)
    text_config = _clip(header) if family == "sd1" else _open_clip(header)
    return (
        Component.of(name, _denoiser(header, family), header.under(DENOISER)),
        Component.of(name, text_config, header.under(*text)),
        Component.of(name, _vae(header, family), header.under(VAE)),
    )


def shipped(family: Family, part: str) -> dict[str, Any]:
    """The configuration of a family's component that comes with the pack."""
    file = "scheduler_config.json" if part == "scheduler" else "config.json"
    found: dict[str, Any] = json.loads((ASSETS / "configs" / CONFIGS[family] / part / file).read_text())
    return found


def _denoiser(header: Header, family: Family) -> dict[str, Any]:
    config = shipped(family, "unet")
    per_block, blocks = config["layers_per_block"] + 1, len(config["block_out_channels"])
    found = _count(header, rf"{re.escape(DENOISER)}input_blocks\.(\d+)\.")
    if found != per_block * blocks:
        raise ModelError(
            f"{header.path}: its denoiser has {found} input blocks, Stable Diffusion has {per_block * blocks}. Such a "
            "distilled model is supported as a diffusers folder"
        )
    first = header.shape(f"{DENOISER}input_blocks.0.0.weight")
    widths = [
        header.shape(f"{DENOISER}input_blocks.{1 + per_block * i}.0.in_layers.2.weight")[0] for i in range(blocks)
    ]
    config["in_channels"], config["block_out_channels"] = first[1], widths
    config["out_channels"] = header.shape(f"{DENOISER}out.2.weight")[0]
    config["cross_attention_dim"] = header.shape(f"{DENOISER}input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight")[
        1
    ]
    if family == "sd2":
        config["attention_head_dim"] = [width // 64 for width in widths]
    return config


def _vae(header: Header, family: Family) -> dict[str, Any]:
    config = shipped(family, "vae")
    blocks = range(_count(header, rf"{re.escape(VAE)}encoder\.down\.(\d+)\."))
    config["block_out_channels"] = [header.shape(f"{VAE}encoder.down.{i}.block.0.conv2.weight")[0] for i in blocks]
    config["latent_channels"] = header.shape(f"{VAE}decoder.conv_in.weight")[1]
    config["down_block_types"] = ["DownEncoderBlock2D"] * len(blocks)
    config["up_block_types"] = ["UpDecoderBlock2D"] * len(blocks)
    return config


def _clip(header: Header) -> dict[str, Any]:
    # Files saved by some trainers lack the level "text_model.".
    prefix = CLIP + ("text_model." if header.under(f"{CLIP}text_model.") else "")
    layers = _count(header, rf"{re.escape(prefix)}encoder\.layers\.(\d+)\.")
    tokens = header.shape(f"{prefix}embeddings.token_embedding.weight")
    positions = header.shape(f"{prefix}embeddings.position_embedding.weight")
    inner = header.shape(f"{prefix}encoder.layers.0.mlp.fc1.weight")
    return shipped("sd1", "text_encoder") | _widths(tokens, positions, inner, layers)


def _open_clip(header: Header) -> dict[str, Any]:
    # Stable Diffusion 2 reads the last layer but one: the last is in the file and is never built.
    layers = _count(header, rf"{re.escape(OPEN_CLIP)}transformer\.resblocks\.(\d+)\.") - 1
    tokens = header.shape(f"{OPEN_CLIP}token_embedding.weight")
    positions = header.shape(f"{OPEN_CLIP}positional_embedding")
    inner = header.shape(f"{OPEN_CLIP}transformer.resblocks.0.mlp.c_fc.weight")
    return shipped("sd2", "text_encoder") | _widths(tokens, positions, inner, layers)


def _widths(tokens: tuple[int, ...], positions: tuple[int, ...], inner: tuple[int, ...], layers: int) -> dict[str, Any]:
    return {
        "vocab_size": tokens[0],
        "hidden_size": tokens[1],
        "max_position_embeddings": positions[0],
        "intermediate_size": inner[0],
        "num_hidden_layers": layers,
        "num_attention_heads": tokens[1] // 64,
    }


def _count(header: Header, pattern: str) -> int:
    """How many different numbers the group of `pattern` takes."""
    return len({found[1] for name in header.tensors if (found := re.match(pattern, name))})


def prediction(header: Header, family: Family, in_channels: int) -> tuple[Prediction, str]:
    """What the denoiser predicts, and how that is known.

    A header cannot tell for certain. Stable Diffusion 1.x predicts epsilon unless the file is marked. Of the 2.x models
    the 512 "base" and the inpainting ones predict epsilon, the 768 ones v. Asked in that order: the file's own word
    (`modelspec.prediction_type`, or the marker tensor `v_pred`), then the spread of one norm's bias, which ComfyUI's
    users found to be above 0.09 in 768-v models and below in others. (diffusers looks for a step count of 875,000,
    which only the pickle of 2.0 base carries.)
    """
    told = header.metadata.get("modelspec.prediction_type", "").lower()
    if told in ("epsilon", "v"):
        return ("epsilon" if told == "epsilon" else "v_prediction"), "the file's metadata"
    if "v_pred" in header.tensors:
        return "v_prediction", "the file's marker 'v_pred'"
    if family == "sd1":
        return "epsilon", "the family"
    if in_channels != 4:
        return "epsilon", "the family's inpainting models"
    spread = deviation(header, f"{DENOISER}output_blocks.11.1.transformer_blocks.0.norm1.bias")
    if spread is None:
        return "v_prediction", "a guess: most Stable Diffusion 2.x models do"
    return ("v_prediction" if spread > 0.09 else "epsilon"), f"a guess from one norm's spread, {spread:.3f}"


def scheduler(header: Header, family: Family) -> dict[str, Any]:
    """The noise the family was trained on; a file marked `ztsnr` was trained down to pure noise."""
    return shipped(family, "scheduler") | ({"rescale_betas_zero_snr": True} if "ztsnr" in header.tensors else {})
