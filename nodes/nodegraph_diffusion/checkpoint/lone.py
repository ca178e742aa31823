"""Files that hold one part of a model alone: a VAE, or a text encoder. What it is for, its header does not say."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import original
from .header import Header, ModelError, read_header
from .value import Component

if TYPE_CHECKING:
    from ..families import Encoder, Family

VAES = ("first_stage_model.", "vae.", "")
VAE_MARK = "decoder.conv_in.weight"
NORM = "bn.running_mean"
WAN = ("decoder.middle.0.residual.0.gamma", "decoder.mid_block.resnets.0.norm1.gamma")
"""What tells the VAEs of Flux.2 and of Qwen-Image; the latter by the names of its code and by those of diffusers."""
PLAIN = "AutoencoderKL"
TEXTS: tuple[tuple[str, str], ...] = (
    ("clip", r"(.*?)(text_model\.)?embeddings\.token_embedding\.weight"),
    ("t5", r"(.*?)encoder\.block\.0\.layer\.0\.SelfAttention\.q\.weight"),
    ("qwen3", r"(.*?)layers\.0\.self_attn\.q_norm\.weight"),
    ("qwen2.5", r"(.*?)layers\.0\.self_attn\.q_proj\.bias"),
    ("llama", r"(.*?)layers\.0\.self_attn\.q_proj\.weight"),
)
"""The kinds of text encoders, each with the name of a tensor that tells it, and what stands before its names. Asked in
this order."""
KINDS = {
    "CLIPTextModel": "clip", "CLIPTextModelWithProjection": "clip", "T5EncoderModel": "t5", "Qwen3Model": "qwen3",
    "Qwen3ForCausalLM": "qwen3", "Qwen2_5_VLForConditionalGeneration": "qwen2.5", "LlamaForCausalLM": "llama",
}  # fmt: skip
HEADLESS = {"qwen3": "Qwen3Model", "qwen2.5": "Qwen2_5_VLModel", "llama": "LlamaModel"}
"""Language models without the layer that tells the next word, which nothing here reads."""


def vae(path: Path, family: Family) -> Component | None:
    """The VAE that the file at `path` holds alone, for a model of `family`; None where it holds something else.

    Raises:
        ModelError: It is a VAE that the family does not read.
    """
    header = read_header(path)
    wan = next((mark for mark in WAN if mark in header.tensors), None)
    prefix = "" if wan else next((prefix for prefix in VAES if prefix + VAE_MARK in header.tensors), None)
    if prefix is None or header.under(original.DENOISER):
        return None
    cls = "AutoencoderKLQwenImage" if wan else "AutoencoderKLFlux2" if prefix + NORM in header.tensors else PLAIN
    if cls != family.vae[1] or (cls == PLAIN and not family.shipped):
        raise ModelError(
            f"{path}: is a VAE alone, {cls}; {family.title} needs {family.vae[1]}. Name a file with that, or a "
            "diffusers folder"
        )
    if wan:
        fitted, named = _qwen(header), wan == WAN[0]
    else:
        named = bool(header.under(f"{prefix}encoder.down."))
        fitted = _fitted(header, prefix, family, named) if cls == PLAIN else _flux2(header, prefix, named)
    tensors = header.under(prefix)
    return Component.of(family.vae[0], cls, (str(path),), fitted, tensors, (prefix,), original=named)


def _fitted(header: Header, prefix: str, family: Family, named: bool) -> dict[str, Any]:
    """The configuration of the autoencoder of most families."""
    config = original.shipped(family.shipped, "vae")
    wanted, found = int(config["latent_channels"]), header.shape(prefix + VAE_MARK)[1]
    if found != wanted:
        raise ModelError(
            f"{header.path}: is a VAE of {found} latent channels, but {family.title} needs {wanted}. Name one for it"
        )
    fitted = original.vae(header, config, prefix) if named else _by_diffusers(header, config, prefix)
    fitted["use_quant_conv"] = fitted["use_post_quant_conv"] = f"{prefix}quant_conv.weight" in header.tensors
    return fitted


def _flux2(header: Header, prefix: str, named: bool) -> dict[str, Any]:
    """That of Flux.2's, whose decoder may be narrower than its encoder."""
    config: dict[str, Any] = {"_class_name": "AutoencoderKLFlux2"}
    fitted = original.vae(header, config, prefix) if named else _by_diffusers(header, config, prefix)
    blocks, level = ("encoder.down", "block") if named else ("encoder.down_blocks", "resnets")
    layers = original.count(header, rf"{re.escape(prefix + blocks)}\.0\.{level}\.(\d+)\.")
    count = len(fitted["block_out_channels"])
    up = blocks.replace("encoder.down", "decoder.up")
    widths = [header.shape(f"{prefix}{up}.{at}.{level}.0.conv2.weight")[0] for at in range(count)]
    return fitted | {
        "layers_per_block": layers,
        "latent_channels": header.shape(prefix + VAE_MARK)[1],
        "decoder_block_out_channels": widths if named else widths[::-1],
    }


def _qwen(header: Header) -> dict[str, Any]:
    """That of Qwen-Image's, which is Wan's for videos; the statistics of its latents are the class's own."""
    first, last = ("encoder.conv1.weight", "conv2.weight")
    if first not in header.tensors:
        first, last = ("encoder.conv_in.weight", "post_quant_conv.weight")
    return {
        "_class_name": "AutoencoderKLQwenImage",
        "base_dim": header.shape(first)[0],
        "z_dim": header.shape(last)[0],
        "temperal_downsample": [False, True, True],
    }


def _by_diffusers(header: Header, config: dict[str, Any], prefix: str) -> dict[str, Any]:
    """`config` with the widths of an autoencoder by diffusers' names."""
    blocks = range(original.count(header, rf"{re.escape(prefix)}encoder\.down_blocks\.(\d+)\."))
    widths = [header.shape(f"{prefix}encoder.down_blocks.{i}.resnets.0.conv2.weight")[0] for i in blocks]
    return config | {
        "block_out_channels": widths,
        "down_block_types": ["DownEncoderBlock2D"] * len(widths),
        "up_block_types": ["UpDecoderBlock2D"] * len(widths),
    }


def text_encoders(paths: Sequence[Path], family: Family) -> tuple[Component, ...] | None:
    """The text encoders that files hold alone, in the order of `family`; None where one holds something else.

    Raises:
        ModelError: The family has others, or one that is needed is not among them.
    """
    files = [_text(read_header(path)) for path in paths]
    left = [file for file in files if file is not None]
    if len(left) < len(files):
        return None
    kinds = {_kind(encoder) for encoder in family.encoders}
    known = family.shipped or kinds <= HEADLESS.keys()
    if unread := next((h for h, kind, _ in left if (kind == "llama" and kind not in kinds) or not known), None):
        what = "a text encoder alone, whose tokenizer does not come along"
        raise ModelError(f"{unread.path}: is {what}. Name a diffusers folder of {family.title}")
    made, lacking = [], []
    for encoder in family.encoders:
        kind = _kind(encoder)
        config = {} if kind in HEADLESS else original.shipped(family.shipped, encoder.name)
        alike = [file for file in left if file[1] == kind]
        # Of two that are alike in kind, the one whose width is the family's; otherwise in the order that was given.
        exact = [file for file in alike if _width(file) == config.get("hidden_size", config.get("d_model"))]
        if not alike:
            lacking += [] if encoder.optional else [encoder.name]
            continue
        header, _, prefix = chosen = (exact or alike)[0]
        left.remove(chosen)
        if kind == "llama":
            llama_tokenizer(header.path)
        fitted = FITTED[kind](header, config, prefix)
        own = "" if kind == "qwen2.5" else prefix  # what sees pictures stands beside its layers
        cls = HEADLESS.get(kind, encoder.classes[0])
        tensors = header.under(own)
        made.append(Component.of(encoder.name, cls, (str(header.path),), fitted, tensors, (own,), original=True))
    names = ", ".join(path.name for path in paths)
    if lacking or left:
        needed = ", ".join(
            encoder.name + (" (may be absent)" if encoder.optional else "") for encoder in family.encoders
        )
        given = f"{', '.join(lacking)} is not among {names}" if lacking else f"{left[0][0].path.name} is none of them"
        todo = "Name a file for each, with commas between them"
        raise ModelError(f"{family.title} has the text encoders {needed}, but {given}. {todo}")
    return tuple(made)


def llama_tokenizer(path: Path) -> Path:
    """The tokenizer of Llama 3.1 beside the file at `path`, which may not come along.

    Raises:
        ModelError: There is none.
    """
    found = path.parent / "llama_tokenizer" / "tokenizer.json"
    if not found.is_file():
        raise ModelError(
            f"{path}: is a Llama 3.1 without its tokenizer, which may not come along. Put its tokenizer.json into a "
            "folder 'llama_tokenizer' beside the file; ComfyUI has that folder in comfy/text_encoders"
        )
    return found


FITTED: Mapping[str, Callable[[Header, dict[str, Any], str], dict[str, Any]]] = {
    "clip": original.clip, "t5": original.t5, "qwen3": original.qwen3, "qwen2.5": original.qwen2_5,
    "llama": original.llama,
}  # fmt: skip
"""How the configuration of each kind is found."""
Lone = tuple[Header, str, str]
"""A header, the kind of its text encoder, and what its names begin with."""


def _text(header: Header) -> Lone | None:
    if header.under(original.DENOISER):
        return None
    for kind, pattern in TEXTS:
        for name in header.tensors:
            if match := re.fullmatch(pattern, name):
                return header, kind, match[1]
    return None


def _kind(encoder: Encoder) -> str:
    return KINDS.get(encoder.classes[0], "another")


def _width(file: Lone) -> int:
    header, kind, prefix = file
    if kind == "t5":
        return header.shape(f"{prefix}encoder.block.0.layer.0.SelfAttention.q.weight")[1]
    if kind in HEADLESS:
        return header.shape(f"{prefix}embed_tokens.weight")[1]
    name = next(name for name in header.tensors if name.endswith("embeddings.token_embedding.weight"))
    return header.shape(name)[1]
