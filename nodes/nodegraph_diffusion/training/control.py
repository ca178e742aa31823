"""A ControlNet of edges beside a denoiser that stays as it is (Zhang et al. 2023).

It is the denoiser's way down without attention, as edges say where things are and not which: a third of its size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from diffusers import ControlNetModel, DDPMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from torch import Tensor, nn
from torch.nn import functional

from ..canny import edges
from .denoiser import LatentSet, denoising_loss, in_passes
from .growth import carry
from .learner import Learner, restore
from .loop import rate, train
from .recipe import ControlRecipe
from .scenes import Examples, Pixels, Split
from .trained import Trained, schedule_of

LOW, HIGH = 0.4 * 255, 0.8 * 255
"""What the node `Canny` takes when nothing is said."""


def make_control(denoiser: UNet2DConditionModel, hint: int, cell: int) -> ControlNetModel:
    """A ControlNet for `denoiser` that begins with its weights and says nothing yet.

    Args:
        hint: Width of the network that reads the edges, at the picture's size.
        cell: Pixels of the picture to a side of one of the latent's, a power of 2.
    """
    config = denoiser.config
    control = ControlNetModel(
        in_channels=config["in_channels"],
        conditioning_channels=3,
        down_block_types=("DownBlock2D",) * len(config["block_out_channels"]),
        mid_block_type="UNetMidBlock2D",
        block_out_channels=config["block_out_channels"],
        layers_per_block=config["layers_per_block"],
        norm_num_groups=config["norm_num_groups"],
        attention_head_dim=config["attention_head_dim"],
        cross_attention_dim=config["cross_attention_dim"],
        conditioning_embedding_out_channels=tuple(hint << level for level in range(cell.bit_length())),
    )
    carry(denoiser.state_dict(), control)
    return control.to(memory_format=torch.channels_last)


@torch.no_grad()
def open_ears(control: ControlNetModel, hint: Tensor) -> None:
    """Scale what reads the edges so that each layer passes `hint` (n, 3, height, width) on as strongly as it came.

    Layers as they are usually begun each pass on a third of sparse edges, and seven of them nothing that could be
    learned from: 600 steps were not enough for a ControlNet to hear any (after Mishkin and Matas 2016, LSUV).
    """
    reader = control.controlnet_cond_embedding
    layers = [reader.conv_in, *reader.blocks, reader.conv_out]
    nn.init.kaiming_normal_(reader.conv_out.weight)  # it is 0, and so are the layers through which the whole is heard
    x = hint
    for layer in layers:
        nn.init.zeros_(layer.bias)
        layer.weight.mul_(1 / layer(x).std().clamp(min=1e-6))
        x = functional.silu(layer(x))


def hints(pictures: Sequence[Pixels]) -> Tensor:
    """The edges of pictures (height, width, 3) of bytes, as a ControlNet reads them: (n, 3, height, width), 0 to 1."""
    found = np.stack([edges(picture, LOW, HIGH) for picture in pictures])
    return torch.from_numpy(found).float()[:, None].expand(-1, 3, -1, -1)


class ControlStage:
    """Learns a ControlNet beside `pipeline`, which is left alone, from `examples` and their `latents`.

    Implements `Stage`.
    """

    name = "control"

    def __init__(
        self,
        recipe: ControlRecipe,
        pipeline: StableDiffusionPipeline,
        examples: Examples,
        latents: LatentSet,
        held_out: LatentSet,
        seed: int,
    ) -> None:
        self.recipe, self.examples, self.latents, self.held_out, self.seed = recipe, examples, latents, held_out, seed
        self.denoiser = pipeline.unet.to(memory_format=torch.channels_last).eval().requires_grad_(False)
        self.denoiser.set_attn_processor(AttnProcessor())  # as in `DenoiserStage`
        self.text_encoder = pipeline.text_encoder.eval().requires_grad_(False)
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(seed)
            control = make_control(self.denoiser, recipe.hint, pipeline.vae_scale_factor)
            open_ears(control, hints([examples.pixels(Split.DENOISER, number) for number in range(recipe.batch)]))
        self.learner = Learner([control], rate=recipe.learning_rate, adam_rate=recipe.adam_rate, average=recipe.average)
        self.steps = recipe.steps
        self.scheduler = DDPMScheduler(**schedule_of(pipeline))

    def step(self, index: int) -> float:
        recipe = self.recipe
        chosen = in_passes(index, recipe.batch, len(self.latents.latents), self.seed)
        pictures = [self.examples.pixels(Split.DENOISER, number) for number in chosen.tolist()]
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + index)
        loss = self._loss(self.learner.modules[0], self.latents, chosen, hints(pictures), generator)
        self.learner.learn(loss, index, rate(index, self.steps, recipe.decay_from))
        return loss.item()

    def _loss(
        self, control: ControlNetModel, of: LatentSet, chosen: Tensor, hint: Tensor, generator: torch.Generator
    ) -> Tensor:
        with torch.no_grad():
            words = self.text_encoder(of.ids[chosen]).last_hidden_state

        def denoise(noisy: Tensor, times: Tensor) -> Tensor:
            down, mid = control(noisy, times, words, controlnet_cond=hint, return_dict=False)
            found: Tensor = self.denoiser(
                noisy, times, words, down_block_additional_residuals=down, mid_block_additional_residual=mid
            ).sample
            return found

        return denoising_loss(denoise, of.latents[chosen].float(), self.scheduler, self.recipe.snr, generator)

    @torch.no_grad()
    def measure(self) -> dict[str, float]:
        """The loss on held-out examples with their edges, and with those of other examples, always by the same noise.

        The further apart the two are, the more the ControlNet is heard.
        """
        count = len(self.held_out.latents)
        everything = torch.arange(count)
        hint = hints([self.examples.pixels(Split.VALIDATION, number) for number in range(count)])
        found = {}
        for name, shown in (("held_out", hint), ("by_other_edges", hint.roll(1, 0))):
            generator = torch.Generator().manual_seed(self.seed)
            losses = [
                self._loss(self.learner.averages[0], self.held_out, some, shown[some], generator).item() * len(some)
                for some in everything.chunk(math.ceil(count / self.recipe.batch))
            ]
            found[name] = sum(losses) / count
        return found


class Control(Trained):
    """A ControlNet of edges for the `StableDiffusionPipeline` in `model`, learning from `examples` in `folder`."""

    def run(self) -> None:
        """Train, from the last checkpoint where there is one, and write the ControlNet to `folder`/control."""
        recipe = self.recipe.control
        latents, held_out = (
            self.latents(split, count)
            for split, count in ((Split.DENOISER, recipe.examples), (Split.VALIDATION, recipe.held_out))
        )
        stage = ControlStage(recipe, self.pipeline, self.examples, latents, held_out, self.recipe.seed)
        self.report(f"before: {stage.measure()}")
        train(stage, self.folder, self.report)
        self.export()

    def export(self) -> None:
        """Write what is trained so far to `folder`/control, in half precision."""
        recipe = self.recipe.control
        control = make_control(self.pipeline.unet, recipe.hint, self.pipeline.vae_scale_factor)
        saved = torch.load(self.folder / "control.checkpoint", weights_only=True)
        restore([control], saved["learner"]["averages"])
        control.half().save_pretrained(self.folder / "control")
        size = sum(value.nbytes for value in control.state_dict().values())
        self.report(f"export: {size / 1e6:.1f} MB, ControlNet of step {saved['step']}")
