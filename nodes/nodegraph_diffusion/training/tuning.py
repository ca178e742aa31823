"""Going on with a model that was trained before: the shipped one, or one of your own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline

from .denoiser import DenoiserStage, LatentSet, Start, tokenize
from .evaluation import evaluate, trained_judge
from .export import export
from .latents import load_latents
from .learner import restore
from .loop import Report, train
from .recipe import Recipe
from .scenes import EmojiScenes, Examples, Split
from .trained import load_trained, schedule_of


@dataclass(frozen=True)
class Tuning:
    """The denoiser and text encoder of the `StableDiffusionPipeline` in `model`, learning from `examples` in `folder`.

    Its autoencoder, tokenizer and noise schedule stay what they are.
    """

    folder: Path
    model: Path
    recipe: Recipe
    examples: Examples
    report: Report

    def run(self, prompts: int = 500) -> None:
        """Train, from the last checkpoint where there is one, write the pipeline to `folder`/model, and judge `prompts`
        pictures of it where it learned from scenes of the grammar.
        """
        recipe = self.recipe.denoiser
        latents = self._latents(Split.DENOISER, recipe.examples)
        held_out = self._latents(Split.VALIDATION, recipe.held_out)
        stage = DenoiserStage(recipe, self._pipeline.tokenizer, self._start(), latents, held_out, self.recipe.seed)
        self.report(f"before: {stage.measure()}")
        train(stage, self.folder, self.report)
        self.export()
        if isinstance(self.examples, EmojiScenes):
            judge = trained_judge(self.folder, self.recipe.judge, self.examples, self.recipe.seed, self.report)
            evaluate(self.folder, judge, self.examples, self.report, prompts)

    def export(self) -> None:
        """Write what is trained so far to `folder`/model."""
        start, pipeline = self._start(), self._pipeline
        saved = torch.load(self.folder / "denoiser.checkpoint", weights_only=True)
        restore(start[:2], saved["learner"]["averages"])
        parts = (pipeline.vae, start.denoiser.eval(), start.text_encoder.eval(), pipeline.tokenizer)
        size = export(self.folder / "model", *parts, schedule=start.schedule)
        self.report(f"export: {size / 1e6:.1f} MB, denoiser of step {saved['step']}")

    @cached_property
    def _pipeline(self) -> StableDiffusionPipeline:
        return load_trained(self.model)

    def _start(self) -> Start:
        denoiser = self._pipeline.unet.to(memory_format=torch.channels_last)
        return Start(denoiser, self._pipeline.text_encoder, schedule_of(self._pipeline))

    def _latents(self, split: Split, count: int) -> LatentSet:
        vae = self._pipeline.vae
        latents = load_latents(self.folder / "latents", vae, self.examples, split, count, self.report)
        captions = [self.examples.caption(split, i) for i in range(count)]
        return LatentSet(latents * vae.config.scaling_factor, tokenize(self._pipeline.tokenizer, captions))
