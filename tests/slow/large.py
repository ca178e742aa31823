"""A picture of 4096 x 4096 pixels by tiled diffusion on the demo model, within 6 GiB of memory: `make slow`."""

from __future__ import annotations

import resource
import tempfile
import time
from pathlib import Path

from PIL import Image as Pillow

from nodegraph import Engine, Folders

WORKFLOWS = Path(__file__).parents[2] / "workflows"
SIDE = 4096
MOST = 6 * 2**30


def main() -> int:
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "picture.png"
        with Pillow.open(WORKFLOWS / "pictures" / "exact_scene.png") as source:
            source.convert("RGB").resize((SIDE // 4, SIDE // 4)).save(picture)
        folders = Folders(base=WORKFLOWS, output=Path(folder))
        with Engine(folders=folders, memory=0) as engine:
            given = {"image": picture, "factor": 4.0, "tile": 256, "steps": 8, "strength": 0.25}
            (file,) = engine.run(engine.load(WORKFLOWS / "upscale_tiled.json"), inputs=given, targets=["save"]).files
        with Pillow.open(file) as made:
            size = made.size
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(f"{size[0]} x {size[1]} pixels in {time.perf_counter() - began:.0f} s, at most {peak / 2**30:.2f} GiB")
    return 0 if size == (SIDE, SIDE) and peak < MOST else 1


if __name__ == "__main__":
    raise SystemExit(main())
