"""Scenes as training examples: pixels and captions, each a function of (seed, split, index) alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from random import Random
from typing import Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from .grammar import Scene, draw_scene
from .icons import Sprites

Pixels = npt.NDArray[np.uint8]
"""(height, width, 3), 8-bit sRGB."""


class Split(IntEnum):
    """Streams of examples that never share one: what a stage learns from, and what it is measured on."""

    AUTOENCODER = 1
    DENOISER = 2
    JUDGE = 3
    VALIDATION = 4
    TEST = 5


EMPTY = 0.03
"""The share of scenes that a denoiser learns from and that show a background alone, as people ask for it."""


class Examples(Protocol):
    """Where pictures with captions come from. `size` is the side of every picture, in pixels."""

    @property
    def size(self) -> int: ...

    def caption(self, split: Split, index: int) -> str: ...

    def pixels(self, split: Split, index: int) -> Pixels: ...

    def sentences(self) -> Iterable[str]:
        """Captions that hold every word of every caption: the tokenizer is made from them."""
        ...


def compose(scene: Scene, sprites: Sprites, size: int) -> Pixels:
    """The scene as a picture of `size` x `size`."""
    canvas = Image.new("RGB", (size, size), scene.background)
    for thing in scene.things:
        sprite = sprites[scene.style, thing.name]
        scale = thing.extent * size / max(sprite.size)
        width, height = (max(1, round(side * scale)) for side in sprite.size)
        small = sprite.resize((width, height), Image.Resampling.BOX if scale < 0.5 else Image.Resampling.BICUBIC)
        canvas.paste(small, (round(thing.x * size - width / 2), round(thing.y * size - height / 2)), small)
    return np.asarray(canvas)


@dataclass(frozen=True, slots=True)
class EmojiScenes:
    """Random scenes of the grammar, drawn with `sprites`. Implements `Examples`.

    `further` are words that no caption has and the tokenizer is to know, for what a model may learn later.
    """

    sprites: Sprites = field(repr=False)
    names: Sequence[str]
    seed: int
    size: int
    further: Sequence[str] = ()

    def scene(self, split: Split, index: int) -> Scene:
        empty = EMPTY if split is Split.DENOISER else 0.0
        return draw_scene(Random(f"{self.seed}/{int(split)}/{index}"), self.names, empty)

    def caption(self, split: Split, index: int) -> str:
        return self.scene(split, index).caption

    def pixels(self, split: Split, index: int) -> Pixels:
        return compose(self.scene(split, index), self.sprites, self.size)

    def sentences(self) -> Iterable[str]:
        random = Random(0)
        yield from self.names
        yield from self.further
        for _ in range(2000):
            yield draw_scene(random, self.names).caption
