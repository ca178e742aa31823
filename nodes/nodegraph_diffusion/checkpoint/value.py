"""The values that describe a model before any of its weights are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from .header import BITS, FLOATS, Tensor

ASSETS = Path(__file__).parent.parent / "assets"

Family = Literal["sd1", "sd2"]
Prediction = Literal["epsilon", "v_prediction", "sample"]


@dataclass(frozen=True, slots=True)
class Component:
    """One part of a model: where its weights are and how the module is built that takes them."""

    files: tuple[str, ...]
    """Relative to the model's root. Several where the weights are split."""
    config: Mapping[str, Any] = field(hash=False)
    """As diffusers and transformers write it in `config.json`."""
    elements: int
    bytes: int
    """As stored. In another dtype it is `elements` times that dtype's size."""
    dtype: str
    """The dtype most of it is stored in, as safetensors names it: "F16", "F32"."""

    @classmethod
    def of(cls, files: tuple[str, ...], config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Component:
        stored: dict[str, int] = {}
        for tensor in tensors.values():
            if tensor.dtype in FLOATS:
                stored[tensor.dtype] = stored.get(tensor.dtype, 0) + tensor.bytes
        elements = sum(stored[dtype] * 8 // BITS[dtype] for dtype in stored)
        return cls(files, config, elements, sum(stored.values()), max(stored, key=lambda d: stored[d], default="F32"))


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a model is, read from headers and configurations alone.

    `in_channels` is the denoiser's: 4, or 9 for inpainting models, which also read a mask and a masked picture.
    A latent is `vae_scale` times smaller than its picture and holds `latent_channels`, multiplied by `scaling_factor`.
    """

    path: str
    """Absolute; empty for the shipped demo model, so that the value means the same on every machine."""
    kind: Literal["demo", "folder", "file"]
    family: Family
    prediction: Prediction
    """What the denoiser predicts."""
    prediction_from: str
    """How that is known."""
    scheduler: Mapping[str, Any] = field(hash=False)
    """The noise it was trained on, as diffusers' schedulers configure it (`beta_start`, `beta_schedule`, ...)."""
    denoiser: Component
    text_encoder: Component
    vae: Component
    revision: str
    """Changes when the files do. Enters cache keys."""

    @property
    def root(self) -> Path:
        """What component files are relative to."""
        if self.kind == "demo":
            return ASSETS / "demo"
        return Path(self.path) if self.kind == "folder" else Path(self.path).parent

    @property
    def name(self) -> str:
        """What people call it."""
        return Path(self.path).name or "demo"

    @property
    def prediction_guessed(self) -> bool:
        return self.prediction_from.startswith("a guess")

    @property
    def in_channels(self) -> int:
        return int(self.denoiser.config["in_channels"])

    @property
    def latent_channels(self) -> int:
        return int(self.vae.config["latent_channels"])

    @property
    def vae_scale(self) -> int:
        return 1 << (len(self.vae.config["block_out_channels"]) - 1)

    @property
    def scaling_factor(self) -> float:
        return float(self.vae.config.get("scaling_factor", 0.18215))

    @property
    def text_width(self) -> int:
        """The width of a prompt's encoding, which denoiser and text encoder share."""
        return int(self.denoiser.config["cross_attention_dim"])
