"""SigLIP's and CLIP's encoders of pictures in files of their own, and style models, which make prompts of what SigLIP
sees (Flux.1 Redux, Black Forest Labs 2024)."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import original
from .header import ModelError, Tensor, digest, read_header
from .value import Checkpoint, Component

SIGLIP, CLIP, STYLE = "SiglipVisionModel", "CLIPVisionModelWithProjection", "ReduxImageEncoder"
FAMILY = "flux1"
PREFIX = "vision_model."
PATCH, PLACES = f"{PREFIX}embeddings.patch_embedding.weight", f"{PREFIX}embeddings.position_embedding.weight"
MARK, PROJECTION = f"{PREFIX}embeddings.class_embedding", "visual_projection."
"""Of CLIP's alone."""
HEADS = {1152: 16, 1280: 16, 1664: 16}
"""Of attention, by width, where they are not 64 wide."""
OPEN = 1280
"""From this width on CLIP's are OpenCLIP's, which have the exact GELU."""
NEEDED = "Get sigclip_vision_patch14_384.safetensors, or clip_vision_g.safetensors for unCLIPConditioning"


@dataclass(frozen=True, slots=True)
class Network:
    """A network in a file of its own."""

    checkpoint: Checkpoint
    """With the network as its denoiser."""

    @property
    def path(self) -> str:
        return self.checkpoint.path

    @property
    def revision(self) -> str:
        return self.checkpoint.revision


class Vision(Network):
    """An encoder of pictures."""

    __slots__ = ()

    @property
    def width(self) -> int:
        """Of the vectors that it gives, one for each patch."""
        return int(self.checkpoint.denoiser.config["hidden_size"])

    @property
    def whole(self) -> int | None:
        """Of the vector that it gives for a picture as a whole; None where it gives none."""
        width = self.checkpoint.denoiser.config.get("projection_dim")
        return None if width is None else int(width)


@dataclass(frozen=True, slots=True)
class StyleModel(Network):
    """What makes a prompt for Flux.1 of what the encoder of pictures sees."""

    reads: int
    """How wide the vectors of its encoder are."""
    width: int
    """Of the prompts that it makes."""


def open_vision(path: Path) -> Vision:
    """What the file at `path` holds.

    Raises:
        ModelError: No encoder of pictures.
    """
    header = read_header(path)
    if PATCH not in header.tensors or PLACES not in header.tensors:
        raise ModelError(f"{path}: is no encoder of pictures: needed {PATCH!r} and {PLACES!r}. {NEEDED}")
    is_clip = MARK in header.tensors
    width, _, patch, _ = header.shape(PATCH)
    layer = re.escape(f"{PREFIX}encoder.layers.")
    config = {
        "hidden_size": width,
        "patch_size": patch,
        "image_size": patch * math.isqrt(header.shape(PLACES)[0] - is_clip),
        "num_hidden_layers": original.count(header, rf"{layer}(\d+)\."),
        "intermediate_size": header.shape(f"{PREFIX}encoder.layers.0.mlp.fc1.weight")[0],
        "num_attention_heads": HEADS.get(width, max(1, width // 64)),
    }
    if is_clip:
        config["projection_dim"] = header.shape(f"{PROJECTION}weight")[0]
        told = config | {"hidden_act": "quick_gelu" if width < OPEN else "gelu"}
        return Vision(_alone(path, _part(path, CLIP, told, header.under(PREFIX, PROJECTION), PREFIX, PROJECTION)))
    config["vision_use_head"] = f"{PREFIX}head.probe" in header.tensors
    return Vision(_alone(path, _part(path, SIGLIP, config, header.under(PREFIX), PREFIX)))


def _part(path: Path, cls: str, config: Mapping[str, Any], tensors: Mapping[str, Tensor], *prefixes: str) -> Component:
    alone = len(prefixes) == 1  # then it is left out of the names
    return Component.of("image_encoder", cls, (str(path),), config, tensors, prefixes, original=alone)


def open_style_model(path: Path) -> StyleModel:
    """What the style model at `path` is for.

    Raises:
        ModelError: It is none for Flux.1.
    """
    header = read_header(path)
    up, down = (f"redux_{way}.weight" for way in ("up", "down"))
    if up not in header.tensors or down not in header.tensors:
        raise ModelError(f"{path}: is no style model: needed {up!r} and {down!r}. Get flux1-redux-dev.safetensors; "
                         "those for Stable Diffusion 1 are not supported")  # fmt: skip
    reads, width = header.shape(up)[1], header.shape(down)[0]
    config = {"redux_dim": reads, "txt_in_features": width}
    return StyleModel(
        _alone(path, Component.of("image_embedder", STYLE, (str(path),), config, header.tensors)), reads, width
    )


def _alone(path: Path, part: Component) -> Checkpoint:
    revision = digest([path], [], mtime=True)
    return Checkpoint(str(path), "file", FAMILY, "flow", "the family", {}, part, (), None, revision)
