"""How often pictures show what their prompts ask for, by the judge; and how well the autoencoder reconstructs."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline
from PIL import Image

from .autoencoder import reconstruct, to_tensor
from .grammar import Scene
from .judge import Classifier, JudgeStage, centre_of, colour_of, cut, expected_squares
from .loop import Report, train
from .recipe import JudgeRecipe
from .scenes import EmojiScenes, Examples, Pixels, Split

NEAR = 0.14
"""How far (fraction of the side) the middle of what is drawn may be from where it was asked for, across and down."""


@dataclass(slots=True)
class Scores:
    """Answers by question; each is right or wrong."""

    answers: defaultdict[str, list[bool]] = field(default_factory=lambda: defaultdict(list))

    def add(self, question: str, right: bool) -> None:
        self.answers[question].append(right)

    def rates(self) -> dict[str, float]:
        """The share of right answers to each question."""
        return {question: sum(found) / len(found) for question, found in sorted(self.answers.items())}

    def counts(self) -> dict[str, int]:
        return {question: len(found) for question, found in sorted(self.answers.items())}


@dataclass(frozen=True, slots=True)
class Judge:
    """The classifier, the names of its classes, and the side of the squares it looks at."""

    classifier: Classifier
    names: Sequence[str]
    side: int

    @torch.no_grad()
    def objects(self, picture: Pixels, scene: Scene) -> list[str]:
        """What is where `scene` has its things, in their order."""
        squares = [cut(picture, square, self.side) for square in expected_squares(scene)]
        return [self.names[i] for i in self.classifier(to_tensor(squares)).argmax(1)]

    def score(self, picture: Pixels, scene: Scene, scores: Scores) -> None:
        """Add what is right about `picture`, which was asked for with the caption of `scene`, to `scores`."""
        wanted = [thing.name for thing in scene.things]
        right = [seen == name for seen, name in zip(self.objects(picture, scene), wanted, strict=True)]
        kinds = {1: "object", 2: "both objects of two", 3: "all objects of three"}
        scores.add(kinds[len(wanted)], all(right))
        if len(wanted) == 1:
            scores.add(f"object, {scene.things[0].size or 'unsaid'} size", right[0])
            scores.add(f"object, {scene.style}", right[0])
            centre = centre_of(picture)
            thing = scene.things[0]
            near = centre is not None and max(abs(centre[0] - thing.x), abs(centre[1] - thing.y)) < NEAR
            scores.add("position", near)
        if scene.says_colour:
            scores.add("background colour", colour_of(picture) == scene.colour)


def judge_pictures(judge: Judge, scenes: EmojiScenes, pictures: Iterable[Pixels], split: Split) -> Scores:
    """Scores of `pictures`, of which the i-th was asked for with the i-th caption of `split`."""
    scores = Scores()
    for index, picture in enumerate(pictures):
        judge.score(picture, scenes.scene(split, index), scores)
    return scores


def generate(
    folder: Path, prompts: Sequence[str], seed: int, *, steps: int = 20, guidance: float = 4.0, batch: int = 8
) -> Iterator[Pixels]:
    """One picture for each prompt, by the pipeline in `folder`; picture i from `seed` + i."""
    pipeline = StableDiffusionPipeline.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    for first in range(0, len(prompts), batch):
        some = list(prompts[first : first + batch])
        found = pipeline(
            some,
            num_inference_steps=steps,
            guidance_scale=guidance,
            generator=[torch.Generator().manual_seed(seed + first + i) for i in range(len(some))],
            output_type="np",
        ).images
        yield from (found * 255).round().astype(np.uint8)


def sheet(pictures: Sequence[Pixels], columns: int) -> Image.Image:
    """The pictures side by side, in rows of `columns`."""
    side = pictures[0].shape[0]
    image = Image.new("RGB", (columns * side, -(-len(pictures) // columns) * side))
    for i, picture in enumerate(pictures):
        image.paste(Image.fromarray(picture), (i % columns * side, i // columns * side))
    return image


def trained_judge(folder: Path, recipe: JudgeRecipe, examples: Examples, seed: int, report: Report) -> Judge:
    """A judge of what `examples` show: from `folder`, where it is trained first if there is none yet.

    Raises:
        TypeError: They are no scenes of the grammar, of which alone it can be known what they show.
    """
    if not isinstance(examples, EmojiScenes):
        raise TypeError("the judge knows the icons' scenes only: look at the pictures of your own model yourself")
    stage = JudgeStage(recipe, examples, seed)
    train(stage, folder, report)
    return Judge(stage.learner.averages[0], examples.names, recipe.side)


def evaluate(
    folder: Path, judge: Judge, scenes: EmojiScenes, report: Report, prompts: int = 500, seed: int = 1_000_000
) -> dict[str, Any]:
    """Judge `prompts` pictures of the model in `folder`/model, and as many real ones: what the judge gets wrong itself.

    Writes `scores.json`, and the first 64 pictures and their prompts as `samples.png` and `samples.txt`.
    """
    real = (scenes.pixels(Split.TEST, i) for i in range(prompts))
    captions = [scenes.caption(Split.TEST, i) for i in range(prompts)]
    pictures = []
    for picture in generate(folder / "model", captions, seed):
        pictures.append(picture)
        if len(pictures) % 100 == 0:
            report(f"evaluate: {len(pictures)} of {prompts} pictures")
    sheet(pictures[:64], 8).save(folder / "samples.png")
    (folder / "samples.txt").write_text("\n".join(captions[:64]) + "\n")
    vae = AutoencoderKL.from_pretrained(folder / "model" / "vae", dtype=torch.float32).eval()
    scores = judge_pictures(judge, scenes, pictures, Split.TEST)
    found = {
        "prompts": prompts,
        "model": scores.rates(),
        "counts": scores.counts(),
        "judge on real pictures": judge_pictures(judge, scenes, real, Split.TEST).rates(),
        "reconstruction, dB": reconstruct(vae, scenes, Split.TEST, min(prompts, 200)).mean().item(),
    }
    (folder / "scores.json").write_text(json.dumps(found, indent=2) + "\n")
    report(json.dumps(found, indent=2))
    return found
