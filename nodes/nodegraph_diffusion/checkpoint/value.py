"""The values that describe a model before any of its weights are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from .header import FLOATS, QUANTISED, ModelError, Tensor

ASSETS = Path(__file__).parent.parent / "assets"

Prediction = Literal["epsilon", "v_prediction", "sample", "flow", "direct"]
"""The last: another picture, of one that is shown as it is."""


@dataclass(frozen=True, slots=True)
class Component:
    """One part of a model: where its weights are and how the module is built that takes them."""

    name: str
    """As diffusers calls its folder: "unet", "transformer", "text_encoder_2", "vae"."""
    cls: str
    """Its class in diffusers or transformers."""
    files: tuple[str, ...]
    """Relative to the model's root, or absolute. Several where the weights are split."""
    config: Mapping[str, Any] = field(hash=False)
    """As diffusers and transformers write it in `config.json`."""
    elements: int
    bytes: int
    """As stored. In another dtype it is `elements` times that dtype's size."""
    dtype: str
    """The dtype most of it is stored in, as safetensors names it: "F16", "F32"."""
    prefixes: tuple[str, ...] = ("",)
    """What the names of its tensors start with, in a file that holds more than it."""
    original: bool = False
    """Whether its tensors have the names of the model's original code, and not those of diffusers."""

    @property
    def quantised(self) -> bool:
        """Whether most of it stays in blocks of a few bits while it is used."""
        return self.dtype in QUANTISED

    @classmethod
    def of(
        cls,
        name: str,
        kind: str,
        files: tuple[str, ...],
        config: Mapping[str, Any],
        tensors: Mapping[str, Tensor],
        prefixes: tuple[str, ...] = ("",),
        original: bool = False,
    ) -> Component:
        stored: dict[str, int] = {}
        for tensor in tensors.values():
            stored[tensor.dtype] = stored.get(tensor.dtype, 0) + tensor.bytes
        floats = [tensor for tensor in tensors.values() if tensor.dtype in FLOATS]
        dtype = max(stored, key=lambda d: stored[d], default="F32")
        elements, size = sum(tensor.elements for tensor in floats), sum(tensor.bytes for tensor in floats)
        return cls(name, kind, files, config, elements, size, dtype, prefixes, original)

    def check(self, root: Path) -> None:
        """Raises `ModelError` if most of it is no floating point numbers, below the folder that its files are in."""
        if self.dtype not in FLOATS:
            raise ModelError(
                f"{root / self.files[0]}: the weights of its {self.name} are {self.dtype}, needed floating point "
                "numbers. Get a version in float16, bfloat16 or float8, or a GGUF file"
            )


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a model is, read from headers and configurations alone.

    A file may hold the denoiser alone: then `text_encoders` is empty and `vae` None.
    """

    path: str
    """Absolute; empty for the shipped demo model, so that the value means the same on every machine."""
    kind: Literal["demo", "folder", "file"]
    family: str
    """The name of one of `families.FAMILIES`."""
    prediction: Prediction
    """What the denoiser predicts."""
    prediction_from: str
    """How that is known."""
    scheduler: Mapping[str, Any] = field(hash=False)
    """The noise it was trained on, as diffusers' schedulers configure it (`beta_start`, `beta_schedule`, ...)."""
    denoiser: Component
    text_encoders: tuple[Component, ...]
    vae: Component | None
    revision: str
    """Changes when the files do. Enters cache keys."""
    low_res_scheduler: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """Of an upscaling model: the noise under which it was shown small pictures; empty where it saw them clear."""

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
    def parts(self) -> tuple[Component, ...]:
        """Every component it has."""
        return (self.denoiser, *self.text_encoders, *([self.vae] if self.vae else []))

    @property
    def text_encoder(self) -> Component:
        """The first text encoder. Raises `ModelError` where there is none."""
        if not self.text_encoders:
            raise ModelError(f"{self.path}: holds no text encoder. Name the model to take one from")
        return self.text_encoders[0]

    @property
    def autoencoder(self) -> Component:
        """The VAE. Raises `ModelError` where there is none."""
        if self.vae is None:
            raise ModelError(f"{self.path}: holds no VAE. Name the model to take one from")
        return self.vae

    @property
    def in_channels(self) -> int:
        """The denoiser's: of a UNet those of the latent, or for inpainting models also a mask and a masked picture."""
        return int(self.denoiser.config["in_channels"])

    @property
    def out_channels(self) -> int:
        """The UNet's: those of the latent."""
        return int(self.denoiser.config["out_channels"])
