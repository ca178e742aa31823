"""Train the shipped model, or one on your own pictures and captions: python -m nodegraph_diffusion.training --help."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from ..diffusion.allocator import tune_allocator
from .icons import load_sprites
from .objects import FIRST, ICONS
from .pictures import FolderExamples
from .recipe import DEMO, TUNED, Recipe
from .run import Run
from .scenes import EmojiScenes, Examples
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


def main(arguments: Sequence[str] | None = None, recipe: Recipe = DEMO) -> None:
    """Run one stage, or all that are not finished; every one can be killed and goes on when called again."""
    parser = argparse.ArgumentParser(prog="python -m nodegraph_diffusion.training", description=__doc__)
    parser.add_argument("stage", choices=(*STAGES, "tune"), help="`tune` goes on with the model in --model")
    parser.add_argument("--model", type=Path, help="a StableDiffusionPipeline folder (default: the shipped model)")
    parser.add_argument("--folder", type=Path, required=True, help="holds data, checkpoints, logs and the model")
    parser.add_argument(
        "--pictures", type=Path, help="train on these: pictures, each with its caption in a .txt beside it"
    )
    parser.add_argument("--threads", type=int, default=2, help="processor threads (default: %(default)s)")
    given = parser.parse_args(arguments)
    tune_allocator()  # a step's tensors are large and short-lived; mapping them anew each time doubles its time
    torch.set_num_threads(given.threads)
    examples: Examples
    if given.stage == "tune":
        recipe = TUNED if recipe is DEMO else recipe
        if given.pictures is not None:
            examples = FolderExamples(given.pictures, recipe.seed, recipe.size)
        else:
            sprites = load_sprites(given.folder, FIRST)
            examples = EmojiScenes(sprites, tuple(FIRST), recipe.seed, recipe.size, {"grey": "gray"})
        Tuning(given.folder, given.model or SHIPPED, recipe, examples, _say).run()
        return
    if given.pictures is not None:
        examples = FolderExamples(given.pictures, recipe.seed, recipe.size)
    else:
        examples = EmojiScenes(load_sprites(given.folder), tuple(ICONS), recipe.seed, recipe.size)
    STAGES[given.stage](Run(given.folder, recipe, examples, _say))


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
