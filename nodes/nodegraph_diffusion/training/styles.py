"""Other looks for the scenes, which a LoRA can learn: what it learned is then plain to see."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image, ImageFilter

from .scenes import EmojiScenes, Pixels, Split

BLOCK: Final = 8
"""Pixels to a side of what "blocks" makes one colour."""

INK = (24, 26, 56)


def blocks(picture: Pixels) -> Pixels:
    """Squares of `BLOCK` pixels, each of one colour."""
    image = Image.fromarray(picture)
    small = image.resize((image.width // BLOCK, image.height // BLOCK), Image.Resampling.BOX)
    return np.asarray(small.resize(image.size, Image.Resampling.NEAREST))


def outlined(picture: Pixels) -> Pixels:
    """Dark lines where colours meet."""
    soft = np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(1)), dtype=np.float32)
    down, across = np.gradient(soft, axis=(0, 1))
    ink = np.clip(np.hypot(down, across).max(2) / 32, 0, 1)[..., None]
    found: Pixels = (picture * (1 - ink) + np.array(INK) * ink).round().astype(np.uint8)
    return found


STYLES: Final[Mapping[str, Callable[[Pixels], Pixels]]] = {"blocks": blocks, "outlined": outlined}


@dataclass(frozen=True, slots=True)
class StyledScenes:
    """The pictures of `scenes` in another look, which their captions do not say. Implements `Examples`."""

    scenes: EmojiScenes
    style: str

    @property
    def size(self) -> int:
        return self.scenes.size

    def caption(self, split: Split, index: int) -> str:
        return self.scenes.caption(split, index)

    def pixels(self, split: Split, index: int) -> Pixels:
        return STYLES[self.style](self.scenes.pixels(split, index))

    def sentences(self) -> Iterable[str]:
        return self.scenes.sentences()
