"""A LoRA for a denoiser that stays as it is (Hu et al. 2021): the look of some pictures in a few hundred kilobytes."""

from __future__ import annotations

import copy

import torch
from diffusers import StableDiffusionPipeline, UNet2DConditionModel
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict

from .denoiser import DenoiserStage, Start
from .learner import restore
from .loop import train
from .scenes import Split
from .trained import Trained, schedule_of

TARGETS = ["to_q", "to_k", "to_v", "to_out.0", "conv1", "conv2", "conv_out"]
"""Projections of the attention and kernels, as a look is as much in the small as in what is where."""


def with_lora(denoiser: UNet2DConditionModel, rank: int, seed: int) -> UNet2DConditionModel:
    """A copy of `denoiser` of which nothing learns but a LoRA that changes nothing yet."""
    made: UNet2DConditionModel = copy.deepcopy(denoiser).requires_grad_(False)
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        made.add_adapter(LoraConfig(r=rank, lora_alpha=rank, target_modules=TARGETS))
    return made


class Lora(Trained):
    """A LoRA for the `StableDiffusionPipeline` in `model`, learning from `examples` in `folder`."""

    def run(self) -> None:
        """Train, from the last checkpoint where there is one, and write `folder`/lora.safetensors."""
        recipe = self.recipe.lora
        latents = self.latents(Split.DENOISER, recipe.examples)
        held_out = self.latents(Split.VALIDATION, recipe.held_out)
        text_encoder = self.pipeline.text_encoder.requires_grad_(False)
        start = Start(self._denoiser(), text_encoder, schedule_of(self.pipeline))
        stage = DenoiserStage(recipe, self.pipeline.tokenizer, start, latents, held_out, self.recipe.seed, name="lora")
        self.report(f"before: {stage.measure()}")
        train(stage, self.folder, self.report)
        self.export()

    def export(self) -> None:
        """Write what is trained so far to `folder`/lora.safetensors, in half precision, as peft names things."""
        denoiser = self._denoiser()
        saved = torch.load(self.folder / "lora.checkpoint", weights_only=True)
        restore([denoiser], saved["learner"]["averages"][:1])
        layers = get_peft_model_state_dict(denoiser)
        halves = {name: value.half().contiguous() for name, value in layers.items()}
        StableDiffusionPipeline.save_lora_weights(self.folder, halves, weight_name="lora.safetensors")
        size = sum(value.nbytes for value in halves.values())
        self.report(f"export: {size / 1e3:.0f} kB, LoRA of step {saved['step']}")

    def _denoiser(self) -> UNet2DConditionModel:
        return with_lora(self.pipeline.unet, self.recipe.lora.rank, self.recipe.seed)
