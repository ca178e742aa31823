"""ControlNets (Zhang et al. 2023, arXiv:2302.05543): networks that hold a picture's structure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .folder import files_of, read_json
from .header import Header, ModelError, Tensor, digest, read_header
from .original import count, shipped
from .value import Checkpoint, Component

if TYPE_CHECKING:
    from ..families import Family

ORIGINAL = "control_model."
CONFIG = "config.json"
UNION = "task_embedding"
"""What ControlNets have that know pictures of several kinds."""


def open_control(path: Path) -> Checkpoint:
    """What the ControlNet at `path` is: a folder of diffusers', or a single file for Stable Diffusion 1, 2 or XL.

    Raises:
        ModelError: It is none, or of a kind that is not supported.
    """
    from ..families import FAMILIES  # which read files with this package

    families = list(FAMILIES.values())
    if path.is_dir():
        part, revision = component_of(path, "a ControlNet")
    else:
        header = read_header(path)
        config, prefixes = _config(header), _prefixes(header)
        tensors, cls = header.under(*prefixes), "ControlNetUnionModel" if UNION in header.tensors else "ControlNetModel"
        part = Component.of("controlnet", cls, (path.name,), config, tensors, prefixes, original=True)
        revision = digest([path], [], mtime=True)
    return checkpoint_of(path, part, _owner(path, part.cls, part.config, families), revision)


def component_of(path: Path, what: str) -> tuple[Component, str]:
    """The component whose configuration stands in the folder itself, and its revision."""
    config = read_json(path / CONFIG, f"Name the folder of {what}, which has one")
    files = files_of(path, "diffusion_pytorch_model")
    tensors: dict[str, Tensor] = {}
    for file in files:
        tensors |= read_header(file).tensors
    part = Component.of("controlnet", str(config.get("_class_name")), tuple(f.name for f in files), config, tensors)
    return part, digest(files, [path / CONFIG], mtime=True)


def checkpoint_of(path: Path, part: Component, family: Family, revision: str) -> Checkpoint:
    """A network beside the denoiser of `family` as a model of its own."""
    kind: Any = "folder" if path.is_dir() else "file"
    return Checkpoint(str(path), kind, family.name, family.prediction, "the family", {}, part, (), None, revision)


def _owner(path: Path, cls: str, config: Mapping[str, Any], families: Sequence[Family]) -> Family:
    for family in families:
        control = family.control
        if control is not None and cls in (control.cls, control.union) and control.owns(config):
            return family
    known = sorted({family.control.cls for family in families if family.control is not None})
    raise ModelError(f"{path}: is {cls}, needed a ControlNet that is one of {', '.join(known)}")


def _prefixes(header: Header) -> tuple[str, ...]:
    return (ORIGINAL,) if header.under(ORIGINAL) else ("",)


def _config(header: Header) -> dict[str, Any]:
    """The configuration of a single file's ControlNet: that of its family's UNet, fitted to its shapes."""
    names = header.tensors
    if f"{ORIGINAL}input_hint_block.0.weight" in names:
        block, query = f"{ORIGINAL}input_blocks.{{}}.0.in_layers.2.weight", r".*input_blocks\..*attn2\.to_k\.weight"
        labelled, linear = f"{ORIGINAL}label_emb.0.0.weight", r".*input_blocks.*proj_in\.weight"
    elif "controlnet_cond_embedding.conv_in.weight" in names:
        block, query = "down_blocks.{}.resnets.0.conv1.weight", r"down_blocks\..*attn2\.to_k\.weight"
        labelled, linear = "add_embedding.linear_1.weight", r"down_blocks.*proj_in\.weight"
    else:
        raise ModelError(
            f"{header.path}: is no ControlNet: it has neither 'controlnet_cond_embedding.conv_in.weight' nor "
            f"'{ORIGINAL}input_hint_block.0.weight'. Open a whole model with LoadModel"
        )
    width = next((header.shape(name)[1] for name in names if re.fullmatch(query, name)), None)
    if width is None:
        raise ModelError(
            f"{header.path}: is a ControlNet without attention, whose file does not tell what it is for. Open "
            "the folder that it came in, with its config.json"
        )
    name = "sdxl" if labelled in names else "sd21" if width == 1024 else "sd15"
    unet = shipped(name, "unet")
    projections = [header.shape(n) for n in names if re.fullmatch(linear, n)]
    kept = (
        "act_fn", "attention_head_dim", "block_out_channels", "cross_attention_dim", "down_block_types",
        "downsample_padding", "flip_sin_to_cos", "freq_shift", "in_channels", "layers_per_block", "norm_eps",
        "norm_num_groups", "addition_embed_type", "addition_time_embed_dim", "transformer_layers_per_block",
    )  # fmt: skip
    stride, start = (unet["layers_per_block"] + 1, 1) if block.startswith(ORIGINAL) else (1, 0)
    widths = [header.shape(block.format(start + stride * i))[0] for i in range(len(unet["block_out_channels"]))]
    made = {key: unet[key] for key in kept if key in unet} | {
        "block_out_channels": widths,
        "cross_attention_dim": width,
        "use_linear_projection": bool(projections) and len(projections[0]) == 2,
    }
    if UNION in names:
        kinds, channels = header.shape(UNION)
        made |= {
            "num_control_type": kinds,
            "num_trans_channel": channels,
            "num_trans_layer": count(header, r"transformer_layes\.(\d+)\."),
            "num_proj_channel": header.shape("spatial_ch_projs.weight")[0],
        }
    if "transformer_layers_per_block" in made:
        trunk = block.rpartition(".0.in_layers" if stride > 1 else ".resnets.0")[0]
        inside = ".1.transformer_blocks" if stride > 1 else ".attentions.0.transformer_blocks"
        found = [
            count(header, re.escape(trunk.format(start + stride * i) + inside) + r"\.(\d+)\.")
            for i in range(len(widths))
        ]
        made["transformer_layers_per_block"] = [depth or 1 for depth in found]
    if labelled in names:
        made["projection_class_embeddings_input_dim"] = header.shape(labelled)[1]
    if unet.get("use_linear_projection"):
        made["attention_head_dim"] = [each // 64 for each in widths]
    return made
