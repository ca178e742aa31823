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

from .autoencoder import AutoencoderStage, normalise
from .decoder import DecoderStage
from .denoiser import DenoiserStage, LatentSet, Start, fresh, tokenize
from .evaluation import Judge, evaluate, trained_judge
from .export import export
from .growth import Parent
from .latents import encode, load_latents
from .learner import restore
from .loop import Report, save, train
from .recipe import Recipe
from .scenes import EmojiScenes, Examples, Split
from .tokenizer import make_tokenizer

_NORMALISED_BY = 500


@dataclass(frozen=True)
class Run:
    """Stages of `recipe` on `examples`, with checkpoints, logs and results in `folder`.

    Where `model` is the folder of a smaller model, the run begins with what that one knows.
    """

    folder: Path
    recipe: Recipe
    examples: Examples
    report: Report
    model: Path | None = None

    def train_autoencoder(self) -> None:
        guide = self._parent.guide if self._parent else None
        stage = AutoencoderStage(self.recipe.autoencoder, self.examples, self.recipe.seed, guide)
        train(stage, self.folder, self.report)

    def train_decoder(self) -> None:
        stage = DecoderStage(self.recipe.autoencoder, self._autoencoder(), self.examples, self.recipe.seed)
        train(stage, self.folder, self.report)

    def train_judge(self) -> Judge:
        return trained_judge(self.folder, self.recipe.judge, self.examples, self.recipe.seed, self.report)

    def train_denoiser(self) -> None:
        recipe = self.recipe.denoiser
        examples = self._latents(Split.DENOISER, recipe.examples)
        held_out = self._latents(Split.VALIDATION, recipe.held_out)
        stage = DenoiserStage(recipe, self._tokenizer, self._start(), examples, held_out, self.recipe.seed)
        train(stage, self.folder, self.report)

    def export(self) -> None:
        """Write the pipeline to `folder`/model from what is trained so far."""
        start, vae = self._start(), self._autoencoder()
        step = self._restore("denoiser", start.denoiser, start.text_encoder)
        if (self.folder / "decoder.checkpoint").is_file():
            self._restore("decoder", vae)
        vae.register_to_config(scaling_factor=1.0, force_upcast=False)
        parts = (vae, start.denoiser.eval(), start.text_encoder.eval(), self._tokenizer)
        size = export(self.folder / "model", *parts, schedule=start.schedule)
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
    def _parent(self) -> Parent | None:
        return Parent(self.model, self.recipe.size, self._side) if self.model else None

    @property
    def _side(self) -> int:
        """Latents to a side."""
        return self.recipe.size >> (len(self.recipe.autoencoder.channels) - 1)

    def _start(self) -> Start:
        recipe = self.recipe
        start = fresh(recipe.denoiser, self._tokenizer, self._side, recipe.autoencoder.latents, recipe.seed)
        return self._parent.carry_into(start, self._tokenizer) if self._parent else start

    def _latents(self, split: Split, count: int) -> LatentSet:
        path = self.folder / "latents" / f"{split.name.lower()}-ids.pt"
        latents = load_latents(path.parent, self._autoencoder(), self.examples, split, count, self.report)
        if not path.is_file():
            captions = [self.examples.caption(split, i) for i in range(count)]
            save(path, {"ids": tokenize(self._tokenizer, captions)})
        return LatentSet(latents, torch.load(path, weights_only=True)["ids"])

    def _autoencoder(self) -> AutoencoderKL:
        """The finished autoencoder, with normalised latents."""
        recipe = self.recipe.autoencoder
        model = AutoencoderStage(recipe, self.examples, self.recipe.seed).model
        step = self._restore("autoencoder", model)
        if step < recipe.crop_steps + recipe.whole_steps:
            raise RuntimeError(f"the autoencoder is at step {step}: finish it first, since latents are made once")
        first = self._parent.guide.channels if self._parent else 0
        normalise(model, encode(model, self.examples, Split.DENOISER, 0, _NORMALISED_BY), first)
        return model.eval()

    def _restore(self, stage: str, *modules: nn.Module) -> int:
        """Give `modules` the averages of a stage's checkpoint; return its step."""
        path = self.folder / f"{stage}.checkpoint"
        if not path.is_file():
            raise RuntimeError(f"{str(path)!r} does not exist: train the stage {stage!r} first")
        saved = torch.load(path, weights_only=True)
        restore(modules, saved["learner"]["averages"])
        return int(saved["step"])
