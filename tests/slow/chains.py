"""Picture to picture and inpainting, judged: does the scribble become what was asked for, and is it in the hole?

Objects, colours and places are drawn by lot and said; scribbles are icons of which only a few blots of colour are left.
The judge is a classifier trained on the icons themselves and never on generated pictures. It is trained in the folder
given (which then holds the icons too, fetched with npm) unless it is there:
`python tests/slow/chains.py FOLDER [COUNT]`.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from nodegraph import Engine, Folders
from nodegraph_diffusion.training.evaluation import NEAR, trained_judge
from nodegraph_diffusion.training.grammar import COLOURS, SIDES, Scene, Thing, article
from nodegraph_diffusion.training.icons import load_sprites
from nodegraph_diffusion.training.judge import centre_of, colour_of
from nodegraph_diffusion.training.objects import OBJECTS
from nodegraph_diffusion.training.recipe import TUNED
from nodegraph_diffusion.training.scenes import EmojiScenes, Pixels, compose

WORKFLOWS = Path(__file__).parents[2] / "workflows"
ENOUGH = 0.9
BLOTS, LEVELS = 10, 3


def main(folder: Path, count: int = 100) -> int:
    scenes = EmojiScenes(load_sprites(folder), tuple(OBJECTS)[: TUNED.objects], TUNED.seed, TUNED.size)
    judge = trained_judge(folder, TUNED.judge, scenes, TUNED.seed, print)
    found: dict[str, list[bool]] = {}
    with tempfile.TemporaryDirectory() as scratch, Engine(folders=Folders(base=WORKFLOWS)) as engine:
        file, mask = Path(scratch) / "picture.png", Path(scratch) / "mask.png"

        def made(workflow: str, **inputs: Any) -> Pixels:
            loaded = engine.load(WORKFLOWS / workflow)
            pixels: Pixels = engine.run(loaded, inputs=inputs, targets=["image"])["image"].to_bytes()[0]
            return pixels

        for number in range(count):
            random = Random(f"chains/{number}")
            one, two = random.sample(scenes.names, 2)
            colour = random.choice(list(COLOURS))
            ground = f"on {article(colour)} {colour} background"
            place, (x, y) = random.choice([*SIDES.items(), ("", (0.5, 0.5))])
            scene = of(Thing(one, "", x, y, 0.5), colour)
            scribble(compose(scene, scenes.sprites, scenes.size)).save(file)
            sentence = " ".join((article(one), one, *place.split(), ground))
            picture = made("img2img.json", prompt=sentence, image=file, strength=0.6, seed=number)
            centre = centre_of(picture)
            near = centre is not None and max(abs(centre[0] - x), abs(centre[1] - y)) < NEAR
            note(found, "scribble: the object", judge.objects(picture, scene) == [one])
            note(found, "scribble: its place", near)
            note(found, "scribble: the colour", colour_of(picture) == colour)

            left, right = Thing(one, "", 0.27, 0.5, 0.45), Thing(two, "", 0.73, 0.5, 0.45)
            Image.fromarray(compose(of(left, colour), scenes.sprites, scenes.size)).save(file)
            hole = Image.new("L", (scenes.size, scenes.size))
            ImageDraw.Draw(hole).rectangle((scenes.size // 2, 0, scenes.size, scenes.size), fill=255)
            hole.save(mask)
            sentence = f"{article(one)} {one} on the left and {article(two)} {two} on the right {ground}"
            picture = made("inpaint.json", prompt=sentence, image=file, mask=mask, seed=number)
            note(found, "hole: the object", judge.objects(picture, of(right, colour)) == [two])
    for question, answers in found.items():
        print(f"{question}: {100 * sum(answers) / len(answers):.0f} % of {len(answers)}")
    return 0 if all(sum(answers) >= ENOUGH * len(answers) for answers in found.values()) else 1


def of(thing: Thing, colour: str) -> Scene:
    """A scene of one thing, as it is asked for without a word about its style."""
    return Scene((thing,), "{0}", "", colour, (0, 0, 0), "glossy", says_colour=True, says_style=False)


def scribble(picture: Pixels) -> Image.Image:
    """What is left of a picture that somebody drew with a thick brush and few colours."""
    image = Image.fromarray(picture)
    coarse = image.resize((BLOTS, BLOTS), Image.Resampling.BOX).resize(image.size, Image.Resampling.BICUBIC)
    step = 255 / LEVELS
    few = (np.asarray(coarse) / step).round() * step
    blots = Image.fromarray(few.astype(np.uint8)).filter(ImageFilter.MedianFilter(5))
    ground = Image.new("L", image.size)
    unlike = np.abs(np.asarray(coarse, np.int16) - picture[0, 0]).max(axis=2) > 24
    ground.putdata((unlike.ravel() * 255).tolist())
    return Image.composite(blots, Image.new("RGB", image.size, tuple(picture[0, 0].tolist())), ground)


def note(found: dict[str, list[bool]], question: str, right: bool) -> None:
    found.setdefault(question, []).append(right)


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1] if len(sys.argv) > 1 else "output/judge"), *map(int, sys.argv[2:])))
