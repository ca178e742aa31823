"""Layout to picture, judged: is what each box asks for in that box?

Asked for are objects that the demo model was taught, drawn by lot. The judge is a classifier trained on the icons
themselves and never on generated pictures. It is trained in the folder given (which then holds the icons too, fetched
with npm) unless it is there: `python tests/slow/layouts.py FOLDER`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from random import Random

import torch

from nodegraph import Engine, Folders
from nodegraph_diffusion.training.autoencoder import to_tensor
from nodegraph_diffusion.training.evaluation import trained_judge
from nodegraph_diffusion.training.grammar import article
from nodegraph_diffusion.training.icons import load_sprites
from nodegraph_diffusion.training.judge import cut
from nodegraph_diffusion.training.objects import OBJECTS
from nodegraph_diffusion.training.recipe import TUNED
from nodegraph_diffusion.training.scenes import EmojiScenes

WORKFLOWS = Path(__file__).parents[2] / "workflows"
LAYOUTS, ENOUGH = 10, 8
BOXES = {"top left": "0 0", "top right": "0.5 0", "bottom left": "0 0.5", "bottom right": "0.5 0.5"}
COLOURS = ("blue", "yellow", "black", "green")
SQUARE = (0.5, 0.5, 0.75)
"""What of a box the judge looks at: about the extent of an object."""


def main(folder: Path) -> int:
    scenes = EmojiScenes(load_sprites(folder), tuple(OBJECTS)[: TUNED.objects], TUNED.seed, TUNED.size)
    judge, names = trained_judge(folder, TUNED.judge, scenes, TUNED.seed, print), scenes.names
    right = boxes = 0
    with Engine(folders=Folders(base=WORKFLOWS)) as engine:
        workflow = engine.load(WORKFLOWS / "layout.json")
        for number in range(LAYOUTS):
            random = Random(number)
            colour = COLOURS[number % len(COLOURS)]
            asked = dict(zip(random.sample(list(BOXES), 2 + number % 2), random.sample(names, 4), strict=False))
            lines = [
                f"{BOXES[place]} 0.5 0.5: {article(name)} {name} on a {colour} background"
                for place, name in asked.items()
            ]
            given = {"prompt": f"a {colour} background", "boxes": "\n".join(lines), "seed": number}
            picture = engine.run(workflow, inputs=given, targets=["image"])["image"].to_bytes()[0]
            half = len(picture) // 2
            squares = []
            for place in asked:
                left, top = (round(float(share) * len(picture)) for share in BOXES[place].split())
                squares.append(cut(picture[top : top + half, left : left + half], SQUARE, judge.side))
            with torch.inference_mode():
                seen = [names[index] for index in judge.classifier(to_tensor(squares)).argmax(1)]
            found = [one == other for one, other in zip(seen, asked.values(), strict=True)]
            right += all(found)
            boxes += sum(found) / len(found)
            print(f"{number}: asked {', '.join(asked.values())}; seen {', '.join(seen)}")
    print(f"{right} of {LAYOUTS} layouts have in every box what was asked ({100 * boxes / LAYOUTS:.0f} % of boxes)")
    return 0 if right >= ENOUGH else 1


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1] if len(sys.argv) > 1 else "output/judge")))
