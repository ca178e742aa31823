"""What stands beside a model's weights, as values on its edge: LoRAs, shown pictures, taught words."""

from __future__ import annotations

from dataclasses import dataclass

from .checkpoint.adapters import Adapter
from .checkpoint.ip_adapters import IpAdapter
from .checkpoint.words import Word
from .values import Floats, frozen


@dataclass(frozen=True, slots=True)
class Lora:
    """A LoRA on a model, and how strong it is."""

    adapter: Adapter
    strength: float


@dataclass(frozen=True, slots=True, eq=False)
class ImagePrompt:
    """An IP-Adapter and what its image encoder sees in pictures, and in none (N, T, D).

    Args:
        start, end: The part of the way from noise to picture on which it acts, 0..1.
        mask: (1, H, W), 0..1, over the whole picture: how much it acts where; None is everywhere.
    """

    adapter: IpAdapter
    seen: Floats
    unseen: Floats
    strength: float = 1.0
    start: float = 0.0
    end: float = 1.0
    mask: Floats | None = None

    def __post_init__(self) -> None:
        if self.mask is not None:
            object.__setattr__(self, "mask", frozen(self.mask, 3, "ImagePrompt.mask (1, height, width)"))
        for name in ("seen", "unseen"):
            object.__setattr__(
                self, name, frozen(getattr(self, name), 3, f"ImagePrompt.{name} (picture, token, width)")
            )


@dataclass(frozen=True, slots=True)
class Taught:
    """A word that a text encoder was taught, as prompts write it."""

    text: str
    word: Word
