"""A model that was trained before, to go on with or to grow from: the shipped one, or one of your own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from diffusers import StableDiffusionPipeline

from .denoiser import LatentSet, tokenize
from .latents import load_latents
from .loop import Report
from .recipe import Recipe
from .scenes import Examples, Split

PREDICTIONS = ("epsilon", "v_prediction")


def picture_size(model: Path) -> int:
    """The side of the pictures, in pixels, that the `StableDiffusionPipeline` in `model` was trained on.

    Raises:
        ValueError: There is none, or one that cannot be gone on with.
    """
    files = ("unet/config.json", "vae/config.json", "scheduler/scheduler_config.json")
    try:
        unet, vae, scheduler = (json.loads((model / file).read_text()) for file in files)
        side, halvings = int(unet["sample_size"]), len(vae["block_out_channels"]) - 1
    except (OSError, ValueError, TypeError, KeyError):
        raise ValueError(
            f"{str(model)!r} is no StableDiffusionPipeline folder with {', '.join(files)}: name one that "
            "diffusers saved"
        ) from None
    if (given := scheduler.get("prediction_type", "epsilon")) not in PREDICTIONS:
        raise ValueError(
            f"{str(model)!r} predicts {given!r}, but {' or '.join(PREDICTIONS)} is needed to go on with it"
        )
    return side << halvings


def load_trained(model: Path) -> StableDiffusionPipeline:
    """The pipeline in `model`, in single precision."""
    return StableDiffusionPipeline.from_pretrained(model, dtype=torch.float32, local_files_only=True)


def schedule_of(pipeline: StableDiffusionPipeline) -> dict[str, Any]:
    """The noise schedule that `pipeline` was trained on, as keywords of `DDPMScheduler`."""
    names = ("num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "prediction_type")
    return {name: pipeline.scheduler.config[name] for name in names}


@dataclass(frozen=True)
class Trained:
    """The `StableDiffusionPipeline` in `model`, of which something is to learn from `examples` in `folder`."""

    folder: Path
    model: Path
    recipe: Recipe
    examples: Examples
    report: Report

    @cached_property
    def pipeline(self) -> StableDiffusionPipeline:
        return load_trained(self.model)

    def latents(self, split: Split, count: int) -> LatentSet:
        """The first `count` examples of `split`."""
        vae = self.pipeline.vae
        latents = load_latents(self.folder / "latents", vae, self.examples, split, count, self.report)
        captions = [self.examples.caption(split, i) for i in range(count)]
        return LatentSet(latents * vae.config.scaling_factor, tokenize(self.pipeline.tokenizer, captions))
