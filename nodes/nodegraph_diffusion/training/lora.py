"""A LoRA for a denoiser that stays as it is (Hu et al. 2021): the look of some pictures in a few hundred kilobytes."""

from __future__ import annotations

import copy
import math

import torch
from diffusers import DDPMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from diffusers.utils import convert_state_dict_to_diffusers
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from torch import Tensor

from .denoiser import LatentSet, denoising_loss, in_passes, tokenize
from .learner import Learner, restore
from .loop import rate, train
from .recipe import LoraRecipe
from .scenes import Split
from .trained import Trained, schedule_of

TARGETS = ["to_q", "to_k", "to_v", "to_out.0"]


def with_lora(denoiser: UNet2DConditionModel, rank: int, seed: int) -> UNet2DConditionModel:
    """A copy of `denoiser` of which nothing learns but a LoRA that changes nothing yet."""
    made: UNet2DConditionModel = copy.deepcopy(denoiser).requires_grad_(False)
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        made.add_adapter(LoraConfig(r=rank, lora_alpha=rank, target_modules=TARGETS))
    return made


class LoraStage:
    """Learns a LoRA for `pipeline`, which is left alone. Implements `Stage`."""

    name = "lora"

    def __init__(
        self, recipe: LoraRecipe, pipeline: StableDiffusionPipeline, examples: LatentSet, held_out: LatentSet, seed: int
    ) -> None:
        self.recipe, self.examples, self.held_out, self.seed = recipe, examples, held_out, seed
        denoiser = with_lora(pipeline.unet, recipe.rank, seed)
        denoiser.set_attn_processor(AttnProcessor())  # as in `DenoiserStage`
        self.text_encoder = pipeline.text_encoder.eval().requires_grad_(False)
        self.learner = Learner(
            [denoiser], rate=recipe.learning_rate, adam_rate=recipe.adam_rate, average=recipe.average
        )
        self.steps = recipe.steps
        self.empty = tokenize(pipeline.tokenizer, [""])[0]
        self.scheduler = DDPMScheduler(**schedule_of(pipeline))

    def step(self, index: int) -> float:
        recipe = self.recipe
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + index)
        chosen = in_passes(index, recipe.batch, len(self.examples.latents), self.seed)
        emptied = torch.rand(len(chosen), 1, generator=generator) < recipe.empty
        ids = torch.where(emptied, self.empty, self.examples.ids[chosen])
        loss = self._loss(self.learner.modules[0], self.examples.latents[chosen], ids, generator)
        self.learner.learn(loss, index, rate(index, self.steps, recipe.decay_from))
        return loss.item()

    def _loss(self, denoiser: UNet2DConditionModel, latents: Tensor, ids: Tensor, generator: torch.Generator) -> Tensor:
        with torch.no_grad():
            words = self.text_encoder(ids).last_hidden_state

        def denoise(noisy: Tensor, times: Tensor) -> Tensor:
            found: Tensor = denoiser(noisy, times, words).sample
            return found

        return denoising_loss(denoise, latents.float(), self.scheduler, self.recipe.snr_limit, generator)

    @torch.no_grad()
    def measure(self) -> dict[str, float]:
        """The loss on held-out examples, always by the same noise."""
        generator, count = torch.Generator().manual_seed(self.seed), len(self.held_out.latents)
        losses = [
            self._loss(self.learner.averages[0], latents, ids, generator).item() * len(ids)
            for latents, ids in zip(
                *(
                    part.chunk(math.ceil(count / self.recipe.batch))
                    for part in (self.held_out.latents, self.held_out.ids)
                ),
                strict=True,
            )
        ]
        return {"held_out": sum(losses) / count}


class Lora(Trained):
    """A LoRA for the `StableDiffusionPipeline` in `model`, learning from `examples` in `folder`."""

    def run(self) -> None:
        """Train, from the last checkpoint where there is one, and write `folder`/lora.safetensors."""
        recipe = self.recipe.lora
        latents = self.latents(Split.DENOISER, recipe.examples)
        held_out = self.latents(Split.VALIDATION, recipe.held_out)
        stage = LoraStage(recipe, self.pipeline, latents, held_out, self.recipe.seed)
        self.report(f"before: {stage.measure()}")
        train(stage, self.folder, self.report)
        self.export()

    def export(self) -> None:
        """Write what is trained so far to `folder`/lora.safetensors, in half precision, as diffusers names things."""
        denoiser = with_lora(self.pipeline.unet, self.recipe.lora.rank, self.recipe.seed)
        saved = torch.load(self.folder / "lora.checkpoint", weights_only=True)
        restore([denoiser], saved["learner"]["averages"])
        layers = convert_state_dict_to_diffusers(get_peft_model_state_dict(denoiser))
        halves = {name: value.half().contiguous() for name, value in layers.items()}
        StableDiffusionPipeline.save_lora_weights(self.folder, halves, weight_name="lora.safetensors")
        size = sum(value.nbytes for value in halves.values())
        self.report(f"export: {size / 1e3:.0f} kB, LoRA of step {saved['step']}")
