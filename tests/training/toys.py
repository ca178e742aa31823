"""A training run that takes seconds: four plain shapes in two styles, 32 x 32 pixels, networks of little weight."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw

from nodegraph_diffusion.training.icons import Sprites
from nodegraph_diffusion.training.recipe import (
    AutoencoderRecipe,
    ControlRecipe,
    DenoiserRecipe,
    JudgeRecipe,
    LoraRecipe,
    Recipe,
)
from nodegraph_diffusion.training.run import Run
from nodegraph_diffusion.training.scenes import EmojiScenes

NAMES = ("disc", "slab", "bar", "wedge")
SEED = 3

RECIPE = Recipe(
    seed=SEED,
    size=32,
    autoencoder=AutoencoderRecipe(
        channels=(8, 8, 16), crop=16, crop_batch=4, crop_steps=3, whole_batch=2, whole_steps=3, decoder_steps=3
    ),
    denoiser=DenoiserRecipe(
        channels=(16, 32),
        attention=(False, True),
        heads=(1, 2),
        groups=8,
        text_width=32,
        text_layers=1,
        examples=24,
        held_out=8,
        batch=8,
        steps=4,
    ),
    control=ControlRecipe(examples=16, held_out=8, batch=8, steps=6),
    lora=LoraRecipe(rank=2, examples=16, held_out=8, batch=8, steps=6),
    judge=JudgeRecipe(side=24, width=8, batch=8, steps=4),
)


def sprites() -> Sprites:
    """Spring green shapes for "glossy", cyan ones for "flat": no background is like them."""
    found: Sprites = {}
    for style, colour in (("glossy", "#00ff80"), ("flat", "#00ffff")):
        for name in NAMES:
            image = Image.new("RGBA", (40, 20) if name == "bar" else (40, 40))
            draw = ImageDraw.Draw(image)
            if name == "disc":
                draw.ellipse((0, 0, 39, 39), fill=colour)
            elif name == "wedge":
                draw.polygon([(0, 39), (39, 39), (20, 0)], fill=colour)
            else:
                draw.rectangle((0, 0, *(side - 1 for side in image.size)), fill=colour)
            found[style, name] = image
    return found


def scenes(size: int = RECIPE.size) -> EmojiScenes:
    return EmojiScenes(sprites(), NAMES, SEED, size)


def run(folder: Path, lines: list[str] | None = None) -> Run:
    """The toy run in `folder`; what it reports is added to `lines`."""
    return Run(folder, RECIPE, scenes(), list[str]().append if lines is None else lines.append)
