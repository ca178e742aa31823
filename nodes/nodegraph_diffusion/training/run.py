"""A whole training run in one folder: every stage goes on where it was, and a finished one costs only its loading."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL
from torch import nn
from transformers import CLIPTokenizer

from .autoencoder import AutoencoderStage
from .decoder import DecoderStage
from .denoiser import SCHEDULE, DenoiserStage, LatentSet, fresh, make_denoiser, make_text_encoder, tokenize
from .evaluation import Judge, evaluate, trained_judge
from .export import export
from .latents import load_latents, scaling_factor
from .learner import restore
from .loop import Report, save, train
from .recipe import Recipe
from .scenes import EmojiScenes, Examples, Split
from .tokenizer import make_tokenizer

_SCALED_BY = 500


@dataclass(frozen=True)
class Run:
    """Stages of `recipe` on `examples`, with checkpoints, logs and results in `folder`."""

    folder: Path
    recipe: Recipe
    examples: Examples
    report: Report

    def train_autoencoder(self) -> None:
        train(AutoencoderStage(self.recipe.autoencoder, self.examples, self.recipe.seed), self.folder, self.report)

    def train_decoder(self) -> None:
        stage = DecoderStage(self.recipe.autoencoder, self._autoencoder("autoencoder"), self.examples, self.recipe.seed)
        train(stage, self.folder, self.report)

    def train_judge(self) -> Judge:
        return trained_judge(self.folder, self.recipe.judge, self.examples, self.recipe.seed, self.report)

    def train_denoiser(self) -> None:
        recipe = self.recipe.denoiser
        examples = self._latents(Split.DENOISER, recipe.examples)
        held_out = self._latents(Split.VALIDATION, recipe.held_out)
        start = fresh(recipe, self._tokenizer, examples.latents.shape[-1], self.recipe.seed)
        stage = DenoiserStage(recipe, self._tokenizer, start, examples, held_out, self.recipe.seed)
        train(stage, self.folder, self.report)

    def export(self) -> None:
        """Write the pipeline to `folder`/model from what is trained so far."""
        side = self.recipe.size // 2 ** (len(self.recipe.autoencoder.channels) - 1)
        recipe = self.recipe.denoiser
        denoiser = make_denoiser(recipe, side)
        text_encoder = make_text_encoder(recipe, self._tokenizer)
        step = self._restore("denoiser", denoiser, text_encoder)
        vae = self._autoencoder("decoder" if (self.folder / "decoder.checkpoint").is_file() else "autoencoder")
        vae.register_to_config(scaling_factor=self._scale, force_upcast=False)
        parts = (vae, denoiser.eval(), text_encoder.eval(), self._tokenizer)
        size = export(self.folder / "model", *parts, schedule=SCHEDULE)
        self.report(f"export: {size / 1e6:.1f} MB, denoiser of step {step}, in {str(self.folder / 'model')!r}")

    def evaluate(self, prompts: int = 500) -> dict[str, Any]:
        """Judge `prompts` pictures of the exported model."""
        judge = self.train_judge()
        assert isinstance(self.examples, EmojiScenes)  # of others there is no judge
        return evaluate(self.folder, judge, self.examples, self.report, prompts)

    def all(self) -> None:
        """Every stage in order; the judge and the scores where the pictures are scenes of the grammar."""
        self.train_autoencoder()
        self.train_denoiser()
        self.train_decoder()
        self.export()
        if isinstance(self.examples, EmojiScenes):
            self.evaluate()

    @cached_property
    def _tokenizer(self) -> CLIPTokenizer:
        return make_tokenizer(self.examples.sentences(), self.recipe.denoiser.tokens)

    @cached_property
    def _scale(self) -> float:
        return scaling_factor(self._encoded(Split.DENOISER, _SCALED_BY))

    def _encoded(self, split: Split, count: int) -> torch.Tensor:
        """Unscaled latents, made once: of the finished autoencoder."""
        vae = self._autoencoder("autoencoder", finished=True)
        return load_latents(self.folder / "latents", vae, self.examples, split, count, self.report)

    def _latents(self, split: Split, count: int) -> LatentSet:
        path = self.folder / "latents" / f"{split.name.lower()}-ids.pt"
        latents = self._encoded(split, count)
        if not path.is_file():
            captions = [self.examples.caption(split, i) for i in range(count)]
            save(path, {"ids": tokenize(self._tokenizer, captions)})
        return LatentSet(latents * self._scale, torch.load(path, weights_only=True)["ids"])

    def _autoencoder(self, stage: str, *, finished: bool = False) -> AutoencoderKL:
        recipe = self.recipe.autoencoder
        model = AutoencoderStage(recipe, self.examples, self.recipe.seed).model
        step = self._restore(stage, model)
        if finished and step < recipe.crop_steps + recipe.whole_steps:
            raise RuntimeError(f"the autoencoder is at step {step}: finish it first, since latents are made once")
        return model.eval()

    def _restore(self, stage: str, *modules: nn.Module) -> int:
        """Give `modules` the averages of a stage's checkpoint; return its step."""
        path = self.folder / f"{stage}.checkpoint"
        if not path.is_file():
            raise RuntimeError(f"{str(path)!r} does not exist: train the stage {stage!r} first")
        saved = torch.load(path, weights_only=True)
        restore(modules, saved["learner"]["averages"])
        return int(saved["step"])
