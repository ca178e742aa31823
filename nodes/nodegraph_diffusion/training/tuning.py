"""Going on with a model that was trained before: the shipped one, or one of your own."""

from __future__ import annotations

import torch

from .denoiser import DenoiserStage, Start
from .evaluation import evaluate, trained_judge
from .export import export
from .learner import restore
from .loop import train
from .scenes import EmojiScenes, Split
from .trained import Trained, schedule_of


class Tuning(Trained):
    """The denoiser and text encoder of the `StableDiffusionPipeline` in `model`, learning from `examples` in `folder`.

    Its autoencoder, tokenizer and noise schedule stay what they are.
    """

    def run(self, prompts: int = 500) -> None:
        """Train, from the last checkpoint where there is one, write the pipeline to `folder`/model, and judge `prompts`
        pictures of it where it learned from scenes of the grammar.
        """
        recipe = self.recipe.denoiser
        latents = self.latents(Split.DENOISER, recipe.examples)
        held_out = self.latents(Split.VALIDATION, recipe.held_out)
        stage = DenoiserStage(recipe, self.pipeline.tokenizer, self._start(), latents, held_out, self.recipe.seed)
        self.report(f"before: {stage.measure()}")
        train(stage, self.folder, self.report)
        self.export()
        if isinstance(self.examples, EmojiScenes):
            judge = trained_judge(self.folder, self.recipe.judge, self.examples, self.recipe.seed, self.report)
            evaluate(self.folder, judge, self.examples, self.report, prompts)

    def export(self) -> None:
        """Write what is trained so far to `folder`/model."""
        start, pipeline = self._start(), self.pipeline
        saved = torch.load(self.folder / "denoiser.checkpoint", weights_only=True)
        restore(start[:2], saved["learner"]["averages"])
        parts = (pipeline.vae, start.denoiser.eval(), start.text_encoder.eval(), pipeline.tokenizer)
        size = export(self.folder / "model", *parts, schedule=start.schedule)
        self.report(f"export: {size / 1e6:.1f} MB, denoiser of step {saved['step']}")

    def _start(self) -> Start:
        denoiser = self.pipeline.unet.to(memory_format=torch.channels_last)
        return Start(denoiser, self.pipeline.text_encoder, schedule_of(self.pipeline))
