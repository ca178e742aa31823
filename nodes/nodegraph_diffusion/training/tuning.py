"""Going on with a model that was trained before: the shipped one, or one of your own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline

from .denoiser import DenoiserStage, LatentSet, Start, tokenize
from .evaluation import generate, sheet
from .export import export
from .latents import load_latents
from .learner import restore
from .loop import Report, train
from .recipe import Recipe
from .scenes import Examples, Split

SHEET = 64
"""Pictures of `samples.png`."""


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

    def run(self) -> None:
        """Train, from the last checkpoint where there is one, then write the pipeline to `folder`/model."""
        recipe = self.recipe.denoiser
        latents = self._latents(Split.DENOISER, recipe.examples)
        held_out = self._latents(Split.VALIDATION, recipe.held_out)
        stage = DenoiserStage(recipe, self._pipeline.tokenizer, self._start(), latents, held_out, self.recipe.seed)
        self.report(f"before: {stage.measure()}")
        train(stage, self.folder, self.report)
        self.export()

    def export(self) -> None:
        """Write what is trained so far to `folder`/model, and some of its pictures to `folder`/samples.png."""
        start, pipeline = self._start(), self._pipeline
        saved = torch.load(self.folder / "denoiser.checkpoint", weights_only=True)
        restore(start[:2], saved["learner"]["averages"])
        parts = (pipeline.vae, start.denoiser.eval(), start.text_encoder.eval(), pipeline.tokenizer)
        size = export(self.folder / "model", *parts, schedule=start.schedule)
        self.report(f"export: {size / 1e6:.1f} MB, denoiser of step {saved['step']}")
        captions = [self.examples.caption(Split.TEST, i) for i in range(SHEET)]
        sheet(list(generate(self.folder / "model", captions, 0)), 8).save(self.folder / "samples.png")
        (self.folder / "samples.txt").write_text("\n".join(captions) + "\n")

    @cached_property
    def _pipeline(self) -> StableDiffusionPipeline:
        return StableDiffusionPipeline.from_pretrained(self.model, dtype=torch.float32, local_files_only=True)

    def _start(self) -> Start:
        config = self._pipeline.scheduler.config
        names = ("num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "prediction_type")
        denoiser = self._pipeline.unet.to(memory_format=torch.channels_last)
        return Start(denoiser, self._pipeline.text_encoder, {name: config[name] for name in names})

    def _latents(self, split: Split, count: int) -> LatentSet:
        vae = self._pipeline.vae
        latents = load_latents(self.folder / "latents", vae, self.examples, split, count, self.report)
        captions = [self.examples.caption(split, i) for i in range(count)]
        return LatentSet(latents * vae.config.scaling_factor, tokenize(self._pipeline.tokenizer, captions))
