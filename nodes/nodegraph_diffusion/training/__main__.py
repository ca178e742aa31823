"""Train the shipped model, or one on your own pictures and captions: python -m nodegraph_diffusion.training --help."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from ..diffusion.allocator import tune_allocator
from .control import Control
from .icons import load_sprites
from .latents import OtherLatents
from .lora import Lora
from .objects import OBJECTS
from .pictures import FolderExamples
from .recipe import DEMO, TUNED, Recipe
from .run import Run
from .scenes import EmojiScenes, Examples
from .styles import STYLES, StyledScenes
from .trained import picture_size
from .tuning import Tuning

SHIPPED = Path(__file__).parents[1] / "assets" / "demo"

STAGES: dict[str, Callable[[Run], object]] = {
    "run-all": Run.all,
    "autoencoder": Run.train_autoencoder,
    "judge": Run.train_judge,
    "denoiser": Run.train_denoiser,
    "decoder": Run.train_decoder,
    "export": Run.export,
    "evaluate": Run.evaluate,
}


LATER: dict[str, type[Tuning] | type[Control] | type[Lora]] = {"tune": Tuning, "control": Control, "lora": Lora}
"""What is done with a model that is trained."""


def main(arguments: Sequence[str] | None = None, recipe: Recipe = DEMO, tuned: Recipe = TUNED) -> None:
    """Run one stage, or all that are not finished; every one can be killed and goes on when called again.

    Args:
        tuned: The recipe of what is done with a trained model; the size of its pictures is the model's.
    """
    parser = argparse.ArgumentParser(prog="python -m nodegraph_diffusion.training", description=__doc__)
    parser.add_argument(
        "stage",
        choices=(*STAGES, *LATER),
        help="`tune` goes on with the model in --model, `control` and `lora` give it a ControlNet or a LoRA",
    )
    parser.add_argument(
        "--model",
        type=Path,
        help="a StableDiffusionPipeline folder: what `tune`, `control` and `lora` are about (default: the shipped "
        "model), or the smaller model that the other stages begin with (default: none)",
    )
    parser.add_argument("--folder", type=Path, required=True, help="holds data, checkpoints, logs and the model")
    parser.add_argument(
        "--pictures", type=Path, help="train on these: pictures, each with its caption in a .txt beside it"
    )
    parser.add_argument("--style", choices=STYLES, help="another look of the icons' scenes, for `lora` to learn")
    parser.add_argument("--threads", type=int, default=2, help="processor threads (default: %(default)s)")
    given = parser.parse_args(arguments)
    tune_allocator()  # a step's tensors are large and short-lived; mapping them anew each time doubles its time
    torch.set_num_threads(given.threads)
    try:
        if given.stage in LATER:
            model = given.model or SHIPPED
            tuned = replace(tuned, size=picture_size(model))
            later = LATER[given.stage](given.folder, model, tuned, _examples(given, tuned), _say)
        else:
            run = Run(given.folder, recipe, _examples(given, recipe), _say, given.model)
    except (ValueError, RuntimeError) as error:  # what is given or set up is not as it must be
        parser.error(str(error))
    try:
        if given.stage in LATER:
            later.run()
        else:
            STAGES[given.stage](run)
    except OtherLatents as error:
        parser.error(str(error))


def _examples(given: argparse.Namespace, recipe: Recipe) -> Examples:
    if given.pictures is not None:
        return FolderExamples(given.pictures, recipe.seed, recipe.size)
    names = tuple(OBJECTS)
    shown, further = names[: recipe.objects], names[recipe.objects :]
    scenes = EmojiScenes(load_sprites(given.folder), shown, recipe.seed, recipe.size, further)
    return scenes if given.style is None else StyledScenes(scenes, given.style)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
