"""Every number of a training run: the shipped model is a function of `DEMO`, the icons, and the version of torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True)
class AutoencoderRecipe:
    """`AutoencoderKL`: on square crops, which cost a quarter of a picture; on whole pictures; then the decoder alone.

    `latents` is the number of latent channels; `noise` what the decoder's latents get, as a share of their standard
    deviation; `guided` how much the first channels' distance from a guide's counts, where there is one.
    """

    channels: tuple[int, ...] = (16, 32, 64, 96)
    groups: int = 2
    latents: int = 12
    guided: float = 0.3
    crop: int = 64
    crop_batch: int = 8
    crop_steps: int = 1500
    whole_batch: int = 8
    whole_steps: int = 120
    decoder_steps: int = 400
    decoder_rate: float = 0.004
    learning_rate: float = 0.01
    adam_rate: float = 3e-3
    decay_from: float = 0.31
    noise: float = 0.05
    average: float = 0.995


@dataclass(frozen=True, slots=True)
class NoiseRecipe:
    """How something learns to take noise away, from latents that were encoded once.

    `empty` is the share of captions that are left out. The clean latents' error counts as often as the signal-to-noise
    ratio says, within `snr`: a bound from above is for the last steps of a run, one from below for the first, on which
    the colours of the whole are settled.
    """

    examples: int = 20_000
    held_out: int = 128
    batch: int = 32
    steps: int = 1800
    learning_rate: float = 0.003
    adam_rate: float = 1e-3
    decay_from: float = 0.4
    average: float = 0.998
    empty: float = 0.1
    snr: tuple[float, float] = (0.0, 5.0)


@dataclass(frozen=True, slots=True)
class DenoiserRecipe(NoiseRecipe):
    """`UNet2DConditionModel` with its `CLIPTextModel`, trained together."""

    held_out: int = 256
    channels: tuple[int, ...] = (64, 128, 192)
    attention: tuple[bool, ...] = (True, True, True)
    heads: tuple[int, ...] = (2, 4, 6)
    groups: int = 16
    text_width: int = 128
    text_layers: int = 3
    tokens: int = 32


@dataclass(frozen=True, slots=True)
class ControlRecipe(NoiseRecipe):
    """A `ControlNetModel` of edges; `hint` is the width of the network that reads them, doubled with every halving."""

    examples: int = 10_000
    steps: int = 1000
    learning_rate: float = 0.005
    average: float = 0.99
    snr: tuple[float, float] = (0.2, 5.0)
    hint: int = 8


@dataclass(frozen=True, slots=True)
class LoraRecipe(NoiseRecipe):
    """A LoRA of `rank` for the denoiser's attention and kernels."""

    examples: int = 2000
    steps: int = 300
    learning_rate: float = 0.01
    average: float = 0.98
    snr: tuple[float, float] = (0.2, 5.0)
    rank: int = 4


@dataclass(frozen=True, slots=True)
class JudgeRecipe:
    """A small classifier of cut-out objects, trained on the pictures themselves and never on generated ones."""

    side: int = 48
    width: int = 24
    batch: int = 64
    steps: int = 600
    learning_rate: float = 0.01
    adam_rate: float = 3e-3
    average: float = 0.99


@dataclass(frozen=True, slots=True)
class Recipe:
    """`size` is the side of every picture, in pixels; scenes show the first `objects` of `objects.OBJECTS`."""

    seed: int = 8
    size: int = 128
    objects: int = 68
    autoencoder: AutoencoderRecipe = field(default_factory=AutoencoderRecipe)
    denoiser: DenoiserRecipe = field(default_factory=DenoiserRecipe)
    control: ControlRecipe = field(default_factory=ControlRecipe)
    lora: LoraRecipe = field(default_factory=LoraRecipe)
    judge: JudgeRecipe = field(default_factory=JudgeRecipe)


DEMO: Final = Recipe()

TUNED: Final = Recipe(
    objects=212, denoiser=DenoiserRecipe(examples=24_000, steps=2900, decay_from=0.3), judge=JudgeRecipe(steps=1200)
)
"""How a trained model is gone on with. Of the pictures' size and the networks' shapes the model itself tells."""
