"""What is in a picture, said by something that never saw a generated one.

The objects: a small classifier of cut-out squares, trained on the icons in random positions, blurred, shrunken and with
noise, so that softness alone does not fool it. The background's colour and the place of things: measured, not learned.
"""

from __future__ import annotations

from random import Random
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageFilter
from torch import Tensor, nn
from torch.nn import functional

from .autoencoder import to_tensor
from .grammar import COLOURS, Scene
from .learner import Learner
from .loop import rate
from .recipe import JudgeRecipe
from .scenes import EmojiScenes, Pixels, Split

MARGIN: Final = 1.2
"""Side of the square that is judged, over the mean extent of an object of that size."""

_BORDER: Final = 2
_UNLIKE: Final = 24


class Classifier(nn.Module):
    """Squares (n, 3, side, side), -1 to 1, to scores (n, `classes`)."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        widths = (width, 2 * width, 4 * width, 6 * width)
        layers: list[nn.Module] = []
        for given, made in zip((3, *widths), widths, strict=False):
            layers += [nn.Conv2d(given, made, 3, padding=1), nn.GroupNorm(4, made), nn.SiLU(), nn.MaxPool2d(2)]
        self.features = nn.Sequential(*layers)
        self.conv_out = nn.Linear(widths[-1] * 9, classes)

    def forward(self, squares: Tensor) -> Tensor:
        scores: Tensor = self.conv_out(functional.adaptive_avg_pool2d(self.features(squares), 3).flatten(1))
        return scores


def expected_squares(scene: Scene) -> list[tuple[float, float, float]]:
    """Where the things of `scene` should be: centre and side of a square for each, in fractions of the picture."""
    return [(thing.x, thing.y, MARGIN * thing.extent) for thing in scene.things]


def cut(picture: Pixels, square: tuple[float, float, float], side: int) -> Pixels:
    """The square (centre x, y and side, as fractions) of `picture`, `side` x `side` pixels; its border goes on."""
    size = picture.shape[0]
    x, y, extent = square
    half = extent * size / 2
    box = (x * size - half, y * size - half, x * size + half, y * size + half)
    pad = size // 2
    padded = np.pad(picture, ((pad, pad), (pad, pad), (0, 0)), mode="edge")
    moved = tuple(edge + pad for edge in box)
    return np.asarray(Image.fromarray(padded).resize((side, side), Image.Resampling.BILINEAR, box=moved))


def colour_of(picture: Pixels) -> str:
    """The name in `COLOURS` nearest to the median of the picture's border."""
    background = _background(picture)
    return min(COLOURS, key=lambda name: float(np.abs(background - np.array(COLOURS[name])).sum()))


def centre_of(picture: Pixels) -> tuple[float, float] | None:
    """The middle (x, y; fractions) of the box around what is unlike the background; None where nothing is."""
    unlike = np.abs(picture.astype(np.float32) - _background(picture)).max(axis=2) > _UNLIKE
    rows, columns = np.flatnonzero(unlike.mean(axis=1) > 0.02), np.flatnonzero(unlike.mean(axis=0) > 0.02)
    if not len(rows) or not len(columns):
        return None
    height, width = unlike.shape
    return (columns[0] + columns[-1] + 1) / 2 / width, (rows[0] + rows[-1] + 1) / 2 / height


def _background(picture: Pixels) -> npt.NDArray[np.float64]:
    edges = (picture[:_BORDER], picture[-_BORDER:], picture[:, :_BORDER], picture[:, -_BORDER:])
    median: npt.NDArray[np.float64] = np.median(np.concatenate([edge.reshape(-1, 3) for edge in edges]), axis=0)
    return median


def worn(picture: Image.Image, random: Random) -> Image.Image:
    """The picture as a small generator might give it: softer, coarser, noisier, in somewhat other colours."""
    if random.random() < 0.5:
        picture = picture.filter(ImageFilter.GaussianBlur(random.uniform(0.3, 1.4)))
    if random.random() < 0.3:
        coarse = round(picture.width * random.uniform(0.4, 0.8))
        small = picture.resize((coarse, coarse), Image.Resampling.BILINEAR)
        picture = small.resize(picture.size, Image.Resampling.BILINEAR)
    values = np.asarray(picture, dtype=np.float64)
    grain = np.random.default_rng(random.getrandbits(32))
    gain, offset = grain.normal(1, 0.05, 3), grain.normal(0, 6, 3)
    values = values * gain + offset + grain.normal(0, random.uniform(0, 10), values.shape)
    return Image.fromarray(values.clip(0, 255).astype(np.uint8))


class JudgeStage:
    """Learns a `Classifier` of the objects in `scenes`. Implements `Stage`."""

    name = "judge"

    def __init__(self, recipe: JudgeRecipe, scenes: EmojiScenes, seed: int) -> None:
        self.recipe, self.scenes, self.seed = recipe, scenes, seed
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(seed)
            self.model = Classifier(recipe.width, len(scenes.names))
        self.learner = Learner(
            [self.model], rate=recipe.learning_rate, adam_rate=recipe.adam_rate, average=recipe.average
        )
        self.steps = recipe.steps

    def step(self, index: int) -> float:
        random = Random(f"{self.seed}/judge/{index}")
        squares, answers = self._batch(Split.JUDGE, index * self.recipe.batch, self.recipe.batch, random)
        loss = functional.cross_entropy(self.model(squares), answers, label_smoothing=0.05)
        self.learner.learn(loss, index, rate(index, self.steps, 0.3))
        return loss.item()

    def _batch(self, split: Split, first: int, count: int, random: Random) -> tuple[Tensor, Tensor]:
        """One square of each of `count` scenes, a little off its place when learned from, and the object's number."""
        squares, answers = [], []
        for number in range(first, first + count):
            scene = self.scenes.scene(split, number)
            picture = self.scenes.pixels(split, number)
            chosen = random.randrange(len(scene.things))
            x, y, side = expected_squares(scene)[chosen]
            if split is Split.JUDGE:
                x, y = x + random.uniform(-0.1, 0.1) * side, y + random.uniform(-0.1, 0.1) * side
                side *= random.uniform(0.8, 1.25)
                picture = np.asarray(worn(Image.fromarray(picture), random))
            squares.append(cut(picture, (x, y, side), self.recipe.side))
            answers.append(self.scenes.names.index(scene.things[chosen].name))
        return to_tensor(squares), torch.tensor(answers)

    @torch.no_grad()
    def measure(self) -> dict[str, float]:
        squares, answers = self._batch(Split.VALIDATION, 0, 256, Random(0))
        return {"right": (self.learner.averages[0](squares).argmax(1) == answers).float().mean().item()}
