"""The denoiser and its text encoder, learned together from latents and captions.

Velocity prediction (Salimans & Ho 2022) on Stable Diffusion's noise schedule: at the greatest noise an epsilon
prediction is multiplied by 14 before it says a colour, a velocity is not. Little noise gets less weight, as in min-SNR
(Hang et al. 2023).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from diffusers import DDPMScheduler, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from ..diffusion.devices import computes
from .learner import Learner
from .loop import rate
from .recipe import DenoiserRecipe, NoiseRecipe

SCHEDULE = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "prediction_type": "v_prediction",
}


def make_denoiser(recipe: DenoiserRecipe, side: int, channels: int) -> UNet2DConditionModel:
    """A fresh denoiser of latents (n, channels, side, side).

    Every residual branch and the output begin at zero (Dhariwal & Nichol 2021). The smallest level has attention on its
    way down and up, so the middle goes without.
    """
    model = UNet2DConditionModel(
        sample_size=side,
        in_channels=channels,
        out_channels=channels,
        block_out_channels=recipe.channels,
        layers_per_block=1,
        down_block_types=tuple("CrossAttnDownBlock2D" if on else "DownBlock2D" for on in recipe.attention),
        mid_block_type="UNetMidBlock2D",
        up_block_types=tuple("CrossAttnUpBlock2D" if on else "UpBlock2D" for on in reversed(recipe.attention)),
        attention_head_dim=recipe.heads,
        cross_attention_dim=recipe.text_width,
        norm_num_groups=recipe.groups,
    )
    for name, module in model.named_modules():
        if name.endswith(("conv2", "proj_out", "conv_out")):
            nn.init.zeros_(module.weight)
    return model.to(memory_format=torch.channels_last)


def make_text_encoder(recipe: DenoiserRecipe, tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """A fresh text encoder for `tokenizer`."""
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=recipe.text_width,
        intermediate_size=4 * recipe.text_width,
        num_hidden_layers=recipe.text_layers,
        num_attention_heads=max(1, recipe.text_width // 32),
        max_position_embeddings=recipe.tokens,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return CLIPTextModel(config)


def tokenize(tokenizer: CLIPTokenizer, captions: Sequence[str]) -> Tensor:
    """Token ids (n, length), padded and cut as `StableDiffusionPipeline` does it."""
    ids: Tensor = tokenizer(list(captions), padding="max_length", truncation=True, return_tensors="pt").input_ids
    return ids


@dataclass(frozen=True, slots=True)
class LatentSet:
    """Latents (n, channels, h, w), of a standard deviation of 1, and the token ids (n, length) of their captions."""

    latents: Tensor
    ids: Tensor


class Start(NamedTuple):
    """What a run begins with: networks, and the noise schedule that they are or were trained on."""

    denoiser: UNet2DConditionModel
    text_encoder: CLIPTextModel
    schedule: Mapping[str, Any]


def fresh(recipe: DenoiserRecipe, tokenizer: CLIPTokenizer, side: int, channels: int, seed: int) -> Start:
    """Networks for latents (n, channels, side, side) that have learned nothing."""
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        return Start(make_denoiser(recipe, side, channels), make_text_encoder(recipe, tokenizer), SCHEDULE)


def in_passes(index: int, batch: int, count: int, seed: int) -> Tensor:
    """The examples of step `index`, out of `count`: each once in every pass, in an order of that pass's own."""
    a_pass, place = divmod(index, count // batch)
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed * 7919 + a_pass))
    return order[place * batch : (place + 1) * batch]


def denoising_loss(
    denoise: Callable[[Tensor, Tensor], Tensor],
    latents: Tensor,
    scheduler: DDPMScheduler,
    snr: tuple[float, float],
    generator: torch.Generator,
) -> Tensor:
    """How far `denoise` (noisy latents, times) is from what `scheduler` has it predict of `latents` (n, c, h, w)."""
    # One time in each of n equal parts of the schedule: a batch's loss then hardly depends on the times drawn.
    n = len(latents)
    times = ((torch.randperm(n, generator=generator) + torch.rand(n, generator=generator)) / n * 1000).long()
    noise = torch.randn(latents.shape, generator=generator)
    noisy = scheduler.add_noise(latents, noise, times)
    signal = scheduler.alphas_cumprod[times]
    # The clean latents' error then counts SNR times, for a velocity 1 + SNR times, and both within `snr`.
    if scheduler.config["prediction_type"] == "epsilon":
        wanted, counted = noise, signal / (1 - signal)
    else:
        wanted, counted = scheduler.get_velocity(latents, noise, times), 1 / (1 - signal)
    weight = counted.clamp(*snr) / counted
    with torch.autocast("cpu", torch.bfloat16, enabled=computes(torch.bfloat16)):
        given = denoise(noisy, times).float()
    loss: Tensor = ((given - wanted).square().mean((1, 2, 3)) * weight).mean()
    return loss


class DenoiserStage:
    """Learns what of a denoiser and a text encoder requires a gradient, from `examples`. Implements `Stage`.

    Args:
        start: What it begins with; changed in place.
    """

    def __init__(
        self,
        recipe: NoiseRecipe,
        tokenizer: CLIPTokenizer,
        start: Start,
        examples: LatentSet,
        held_out: LatentSet,
        seed: int,
        name: str = "denoiser",
    ) -> None:
        self.name = name
        self.recipe, self.examples, self.held_out, self.seed = recipe, examples, held_out, seed
        self.denoiser, self.text_encoder = start.denoiser.train(), start.text_encoder.train()
        # torch's fused attention is twenty times slower backwards than the plain one, in bfloat16 on a processor.
        self.denoiser.set_attn_processor(AttnProcessor())
        self.text_encoder.set_attn_implementation("eager")
        modules: list[nn.Module] = [self.denoiser, self.text_encoder]
        self.learner = Learner(modules, rate=recipe.learning_rate, adam_rate=recipe.adam_rate, average=recipe.average)
        self.steps = recipe.steps
        self.empty = tokenize(tokenizer, [""])[0]
        self.scheduler = DDPMScheduler(**start.schedule)

    def step(self, index: int) -> float:
        recipe = self.recipe
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + index)
        chosen = in_passes(index, recipe.batch, len(self.examples.latents), self.seed)
        ids = self.examples.ids[chosen]
        emptied = torch.rand(len(chosen), 1, generator=generator) < recipe.empty
        ids = torch.where(emptied, self.empty, ids)
        loss = self._loss(self.denoiser, self.text_encoder, self.examples.latents[chosen].float(), ids, generator)
        self.learner.learn(loss, index, rate(index, self.steps, recipe.decay_from))
        return loss.item()

    def _loss(
        self, denoiser: nn.Module, text_encoder: nn.Module, latents: Tensor, ids: Tensor, generator: torch.Generator
    ) -> Tensor:
        def denoise(noisy: Tensor, times: Tensor) -> Tensor:
            found: Tensor = denoiser(noisy, times, text_encoder(ids).last_hidden_state).sample
            return found

        return denoising_loss(denoise, latents, self.scheduler, self.recipe.snr, generator)

    @torch.no_grad()
    def measure(self) -> dict[str, float]:
        """The loss on held-out examples, always with the same noise: comparable from line to line."""
        denoiser, text_encoder = self.learner.averages
        generator = torch.Generator().manual_seed(self.seed)
        losses = [
            self._loss(denoiser, text_encoder, latents.float(), ids, generator).item()
            for latents, ids in zip(self.held_out.latents.chunk(4), self.held_out.ids.chunk(4), strict=True)
        ]
        return {"held_out": sum(losses) / len(losses)}
