"""Where in a picture each word of its prompt acts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, NamedTuple

from pydantic import Field

from nodegraph import Context, NodeError, Widget, node

from .colours import luminance
from .encode_prompt import encode_prompt
from .families import Job
from .handles import Model, TextEncoder
from .late import np
from .params import Seed, Text
from .resampling import resampled
from .sample_inputs import network_prompt
from .values import Image, Latent

if TYPE_CHECKING:
    from torch import Tensor

    from .diffusion.attention_maps import Word
    from .values import Floats

Looks = Annotated[int, Field(ge=1, le=50), Widget("number", step=1)]
HEAT = (0, 0, 0.02), (0.32, 0.07, 0.43), (0.72, 0.21, 0.33), (0.98, 0.55, 0.04), (0.99, 1, 0.64)
"""From cold to hot, evenly spaced."""


class Attended(NamedTuple):
    overlays: Image
    steps: Image
    words: str


@node(version=1, lane="gpu", category="inside")
def attention_maps(
    ctx: Context,
    model: Model,
    text_encoder: TextEncoder,
    image: Image,
    latent: Latent,
    text: Text = "",
    words: str = "",
    looks: Looks = 6,
    seed: Seed = 0,
) -> Attended:
    """Show where in a picture each word of a prompt acts.

    The finished latent gets noise again, from much to little, and the model's attention to the prompt is recorded while
    it looks at it. Only UNets attend so. Sampling itself is neither changed nor slowed.

    Args:
        image: The picture, to lay the maps over.
        latent: Its latent. Of a batch the first picture is looked at.
        text: The prompt.
        words: Which of its words to show, with spaces between. All by default.
        looks: How many levels of noise are looked at.
        seed: Of the noise.
    Returns:
        overlays: A picture for each word: bright where it acts, over all levels.
        steps: The same for each level of noise by itself, word after word: in a Grid of as many columns as there are
            looks, each row is a word.
        words: The words, one in a line, to label them.
    """
    import torch

    from .diffusion.attention_maps import of_words, recorded
    from .diffusion.attention_maps import words as words_of
    from .diffusion.denoiser import GuidedDenoiser
    from .diffusion.noise import Draw
    from .diffusion.solvers import SOLVERS

    if latent.samples is None:
        raise NodeError("an empty latent holds no picture yet; put `Sample` between", "latent")
    prompt = encode_prompt.fn(ctx, text_encoder, text)
    first = text_encoder.encoders[0]
    if model.family.denoiser[1] != "UNet2DConditionModel" or first is None:
        raise NodeError(f"{model.checkpoint.name!r} has no cross-attention to show; only UNets have", "model")
    with ctx.lease(first) as encoder:
        asked = _asked(words_of(encoder, text), words)
    clean = torch.from_numpy(latent.samples[:1].copy())
    noise = Draw(seed, tuple(clean.shape)).start()
    family = model.family
    table = model.table(clean.shape[-2] * clean.shape[-1], looks)
    schedule = SOLVERS["euler"].schedule("karras", looks, table)
    job = _job(model, latent, image, clean)
    found: list[Floats] = []
    with model.leased(ctx) as unet, torch.inference_mode():
        denoise = GuidedDenoiser(
            lambda x, time, asked: family.predict(unet, x, time, asked, job),
            network_prompt(prompt, 6.0),
            prediction=model.prediction,
            dtype=unet.dtype,
        )
        try:
            with recorded(unet, (clean.shape[-2], clean.shape[-1])) as record:
                for step in range(looks):
                    point = schedule.point(step)
                    denoise(clean.add(noise, alpha=point.sigma).to(unet.device), point)
                    found.append(of_words(record.take()[0], asked).numpy())
                    ctx.progress(step + 1, looks)
        except ValueError as error:
            raise NodeError(str(error), "model") from error
    maps = np.stack(found, axis=1)  # (word, look, h, w)
    base = Image(image.pixels[:1])
    each = [_over(base, one) for word in maps for one in word]
    return Attended(
        Image(np.concatenate([_over(base, word.mean(axis=0)) for word in maps])),
        Image(np.concatenate(each)),
        "\n".join(word.text for word in asked),
    )


def _job(model: Model, latent: Latent, image: Image, clean: Tensor) -> Job:
    """What the network is told beside the finished latent: no hole, and itself as the small picture."""
    import torch

    family, (rows, columns) = model.family, clean.shape[-2:]
    job = Job(latent.width, latent.height)
    if family.hole is not None and family.inpaints(model.checkpoint.denoiser.config):
        cell = model.space.cell
        return replace(job, hole=family.hole(torch.zeros(1, 1, rows * cell, columns * cell), clean))
    if family.enlarges:
        small = resampled(image.pixels[:1], columns, rows, "area")
        return replace(job, low_res=torch.from_numpy(small.copy()) * 2 - 1)
    return job


def _asked(known: list[Word], words: str) -> list[Word]:
    wanted = words.split()
    found = [word for word in known if not wanted or word.text in wanted]
    for missing in wanted:
        if missing not in {word.text for word in known}:
            listed = ", ".join(word.text for word in known) or "none"
            raise NodeError(f"the prompt has no word {missing!r}; its words are: {listed}", "words")
    if not found:
        raise NodeError("the prompt has no words to show; write one", "text")
    return found


def _over(image: Image, found: Floats) -> Floats:
    """The picture (1, 3, H, W), in greys where the word does not act and glowing where it does most."""
    low, high = float(found.min()), float(found.max())
    heat = np.clip((found - low) / max(high - low, 1e-8), 0, 1).astype(np.float32)
    heat = resampled(heat[None, None], image.width, image.height, "bicubic")[:, 0]
    stops, at = np.array(HEAT, np.float32), np.linspace(0, 1, len(HEAT))
    glow = np.stack([np.interp(heat, at, stops[:, channel]) for channel in range(3)], axis=1).astype(np.float32)
    grey = luminance(image.pixels)[:, None] * np.float32(0.6)
    made: Floats = (grey + (glow - grey) * heat[:, None]).clip(0, 1)
    return made
