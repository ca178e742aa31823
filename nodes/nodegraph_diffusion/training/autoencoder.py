"""The autoencoder: 128 x 128 pictures to 12 x 16 x 16 latents and back (Kingma & Welling 2014; Rombach et al. 2022)."""

from __future__ import annotations

from random import Random

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn

from .learner import Learner
from .loop import rate
from .recipe import AutoencoderRecipe
from .scenes import Examples, Pixels, Split

LOG_VARIANCE = -16.0
VALIDATED = 32
"""How many validation pictures `measure` reconstructs."""


def make_autoencoder(recipe: AutoencoderRecipe, size: int) -> AutoencoderKL:
    """A fresh autoencoder that starts as a chain of averages and enlargements.

    Its residual branches begin at zero and its resampling convolutions near the mean of a 2 x 2 block and near the
    identity, so that it shows coarse pictures after twenty steps and not after hundreds. The groups are few and wide: a
    norm over one or two channels takes a flat background's colour out of the picture. The posterior's variance is a
    constant near 0 (its sample is its mean): noise comes from the stage, in proportion to the latents.
    """
    levels = len(recipe.channels)
    model = AutoencoderKL(
        block_out_channels=recipe.channels,
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        layers_per_block=1,
        latent_channels=recipe.latents,
        norm_num_groups=recipe.groups,
        mid_block_add_attention=False,
        sample_size=size,
    )
    with torch.no_grad():
        model.quant_conv.weight[recipe.latents :] = 0
        model.quant_conv.bias[recipe.latents :] = LOG_VARIANCE
        for name, module in model.named_modules():
            if not isinstance(module, nn.Conv2d):
                continue
            if name.endswith(".conv2"):
                module.weight.zero_()
            channels = range(module.weight.shape[0])
            if "downsamplers" in name:
                module.weight *= 0.1
                module.weight[channels, channels, :2, :2] += 0.25
            elif "upsamplers" in name:
                module.weight *= 0.3
                module.weight[channels, channels, 1, 1] += 1
    return model.to(memory_format=torch.channels_last)


def to_tensor(pictures: list[Pixels]) -> Tensor:
    """Pictures (height, width, 3) of bytes to (n, 3, height, width), -1 to 1."""
    batch = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)  # stays channels-last in memory
    return batch.float() / 127.5 - 1


def reconstruction_loss(given: Tensor, wanted: Tensor) -> Tensor:
    """L1 + L2 + half the L1 of the differences of neighbours, which keeps edges sharp."""
    error = given - wanted
    across, down = error.diff(dim=-1).abs().mean(), error.diff(dim=-2).abs().mean()
    return error.abs().mean() + error.square().mean() + 0.5 * (across + down)


def psnr(given: Tensor, wanted: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of each picture (n,), in dB; both (n, 3, h, w) in -1 to 1."""
    error = (given.clamp(-1, 1) - wanted) / 2
    return -10 * error.square().mean((1, 2, 3)).clamp_min(1e-12).log10()


def crop_of(picture: Pixels, side: int, random: Random) -> Pixels:
    """A square of `side` around a pixel that is unlike the corner, so that it shows some of an object."""
    height, width = picture.shape[:2]
    unlike = np.abs(picture.astype(np.int16) - picture[0, 0]).max(axis=2) > 16
    rows, columns = np.nonzero(unlike)
    chosen = random.randrange(len(rows)) if len(rows) else None
    y, x = (int(rows[chosen]), int(columns[chosen])) if chosen is not None else (height // 2, width // 2)
    top = min(max(y - random.randrange(side), 0), height - side)
    left = min(max(x - random.randrange(side), 0), width - side)
    return picture[top : top + side, left : left + side]


def with_noise(latents: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Latents with noise of `share` of their standard deviation, as a denoiser's have.

    A decoder that never saw any turns it into dirt on flat backgrounds, and an encoder that never lost any to it hides
    details in small differences, which no denoiser hits.
    """
    spread = latents.detach().std((0, 2, 3), keepdim=True)
    return latents + torch.randn(latents.shape, generator=generator) * spread * share


class Guide:
    """The latents of another autoencoder, whose pictures are smaller by a whole factor: what the first channels learn.

    A denoiser of those latents then knows already what the first channels show (`growth`).

    Args:
        model: Its latents must be as many to a side as those of the autoencoder that is guided.
        factor: Pixels to a side that make one of the guide's.
    """

    def __init__(self, model: AutoencoderKL, factor: int) -> None:
        self.model, self.factor = model.eval().requires_grad_(False), factor
        self.channels = int(model.config["latent_channels"])

    @torch.no_grad()
    def latents(self, pictures: Tensor) -> Tensor:
        """Latents (n, channels, h, w), scaled to a standard deviation of about 1, of pictures (n, 3, height, width)."""
        small = nn.functional.avg_pool2d(pictures, self.factor)
        found: Tensor = self.model.encode(small).latent_dist.mean * self.model.config["scaling_factor"]
        return found


@torch.no_grad()
def normalise(model: AutoencoderKL, latents: Tensor, first: int = 0) -> None:
    """Give each of the latents' channels from `first` on a mean of 0 and a standard deviation of 1, as `latents`
    (n, channels, h, w) of `model` show them. Both ends of `model` are changed; what it reconstructs is not.
    """
    mean, deviation = latents.mean((0, 2, 3)), latents.std((0, 2, 3))
    mean[:first], deviation[:first] = 0, 1
    into, out, count = model.quant_conv, model.post_quant_conv, len(mean)
    into.bias[:count] = (into.bias[:count] - mean) / deviation
    into.weight[:count] /= deviation.view(-1, 1, 1, 1)
    out.bias += out.weight[:, :, 0, 0] @ mean
    out.weight *= deviation.view(1, -1, 1, 1)


class AutoencoderStage:
    """Learns `model` from `examples`: crops, then whole pictures. Implements `Stage`."""

    name = "autoencoder"

    def __init__(self, recipe: AutoencoderRecipe, examples: Examples, seed: int, guide: Guide | None = None) -> None:
        self.recipe, self.examples, self.seed, self.guide = recipe, examples, seed, guide
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(seed)
            self.model = make_autoencoder(recipe, examples.size)
        self.learner = Learner(
            [self.model], rate=recipe.learning_rate, adam_rate=recipe.adam_rate, average=recipe.average
        )
        self.steps = recipe.crop_steps + recipe.whole_steps

    def step(self, index: int) -> float:
        recipe, whole = self.recipe, index >= self.recipe.crop_steps
        pictures = self._batch(index, whole)
        latents = self.model.encode(pictures).latent_dist.mean
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + index)
        given = self.model.decode(with_noise(latents, recipe.noise, generator)).sample
        loss = reconstruction_loss(given, pictures)
        if self.guide is not None:
            error = latents[:, : self.guide.channels] - self.guide.latents(pictures)
            loss = loss + recipe.guided * error.square().mean()
        self.learner.learn(loss, index, rate(index, self.steps, recipe.decay_from))
        return loss.item()

    def _batch(self, index: int, whole: bool) -> Tensor:
        recipe = self.recipe
        if whole:
            first = recipe.crop_batch * recipe.crop_steps + recipe.whole_batch * (index - recipe.crop_steps)
            return to_tensor([self.examples.pixels(Split.AUTOENCODER, first + i) for i in range(recipe.whole_batch)])
        random = Random(f"{self.seed}/crop/{index}")
        numbers = range(index * recipe.crop_batch, (index + 1) * recipe.crop_batch)
        return to_tensor([crop_of(self.examples.pixels(Split.AUTOENCODER, i), recipe.crop, random) for i in numbers])

    def measure(self) -> dict[str, float]:
        return {"psnr": reconstruct(self.learner.averages[0], self.examples, Split.VALIDATION, VALIDATED).mean().item()}


@torch.no_grad()
def reconstruct(model: AutoencoderKL, examples: Examples, split: Split, count: int, batch: int = 16) -> Tensor:
    """PSNR (count,) in dB of the first `count` pictures of `split` after encoding (the mean) and decoding."""
    found = []
    for first in range(0, count, batch):
        pictures = to_tensor([examples.pixels(split, i) for i in range(first, min(count, first + batch))])
        found.append(psnr(model.decode(model.encode(pictures).latent_dist.mean).sample, pictures))
    return torch.cat(found)
