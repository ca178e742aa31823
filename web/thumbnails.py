"""The pictures of the templates in the editor's list: every example is run, and what it saves is made small."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from PIL import Image

from nodegraph import Engine, Folders
from nodegraph.server.templates import THUMBNAILS, folder

SIDE = 192


def main() -> None:
    examples = folder()
    (examples / THUMBNAILS).mkdir(exist_ok=True)
    only = sys.argv[1:]
    with tempfile.TemporaryDirectory() as made, Engine(folders=Folders(base=examples)) as engine:
        for path in sorted(examples.glob("*.json")):
            if only and path.stem not in only:
                continue
            folders = replace(engine.folders, output=Path(made) / path.stem)
            result = engine.run(engine.load(path), folders=folders)
            with Image.open(result.files[-1]) as picture:
                picture.seek(0)
                small = picture.convert("RGB")
            small.thumbnail((SIDE, SIDE))
            small.save(examples / THUMBNAILS / f"{path.stem}.webp", quality=82, method=6)
            sys.stdout.write(f"{path.stem}\n")


if __name__ == "__main__":
    main()
