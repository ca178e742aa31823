"""The autoencoder's last stage: its decoder alone, on whole pictures, with the encoder frozen.

The latents stay what they were, so this can run after a denoiser was trained on them.
"""

from __future__ import annotations

import torch
from diffusers import AutoencoderKL

from .autoencoder import VALIDATED, reconstruct, reconstruction_loss, to_tensor, with_noise
from .learner import Learner
from .loop import rate
from .recipe import AutoencoderRecipe
from .scenes import Examples, Split


class DecoderStage:
    """Continues the decoder of `model` (changed in place). Implements `Stage`."""

    name = "decoder"

    def __init__(self, recipe: AutoencoderRecipe, model: AutoencoderKL, examples: Examples, seed: int) -> None:
        self.recipe, self.examples, self.seed = recipe, examples, seed
        self.model = model.requires_grad_(False)
        model.decoder.requires_grad_(True)
        model.post_quant_conv.requires_grad_(True)
        adam_rate = recipe.adam_rate * recipe.decoder_rate / recipe.learning_rate
        self.learner = Learner([model], rate=recipe.decoder_rate, adam_rate=adam_rate, average=recipe.average)
        self.steps = recipe.decoder_steps
        self.first = recipe.crop_batch * recipe.crop_steps + recipe.whole_batch * recipe.whole_steps

    def step(self, index: int) -> float:
        recipe = self.recipe
        numbers = range(self.first + index * recipe.whole_batch, self.first + (index + 1) * recipe.whole_batch)
        pictures = to_tensor([self.examples.pixels(Split.AUTOENCODER, i) for i in numbers])
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + index)
        with torch.no_grad():
            latents = self.model.encode(pictures).latent_dist.mean
        loss = reconstruction_loss(self.model.decode(with_noise(latents, recipe.noise, generator)).sample, pictures)
        self.learner.learn(loss, index, rate(index, self.steps, 0))
        return loss.item()

    def measure(self) -> dict[str, float]:
        return {"psnr": reconstruct(self.learner.averages[0], self.examples, Split.VALIDATION, VALIDATED).mean().item()}
