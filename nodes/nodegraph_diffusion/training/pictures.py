"""One's own pictures as examples: a folder of images, each with its caption in a text file of the same name."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image, ImageOps

from .scenes import Pixels, Split

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
HELD_OUT = 10
"""Every so-manieth picture is kept from training."""


class FolderExamples:
    """Pictures of `folder`, cut to their middle square and resized; mirrored nowhere. Implements `Examples`.

    Raises ValueError where a picture has no caption, or there are fewer than `HELD_OUT` pictures.
    """

    def __init__(self, folder: Path, seed: int, size: int) -> None:
        self.seed, self.size = seed, size
        paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
        if len(paths) < HELD_OUT:
            raise ValueError(
                f"{str(folder)!r} holds {len(paths)} pictures ({', '.join(SUFFIXES)}): {HELD_OUT} are needed"
            )
        bare = [str(path) for path in paths if not path.with_suffix(".txt").is_file()]
        if bare:
            raise ValueError(
                f"{len(bare)} pictures have no caption: write one to {Path(bare[0]).with_suffix('.txt')!s}"
            )
        self._held_out, self._learned = paths[::HELD_OUT], [path for i, path in enumerate(paths) if i % HELD_OUT]

    def path(self, split: Split, index: int) -> Path:
        """Which picture is example `index`: every one of the split once, in random order, then again."""
        paths = self._held_out if split in (Split.VALIDATION, Split.TEST) else self._learned
        a_pass, place = divmod(index, len(paths))
        return Random(f"{self.seed}/{int(split)}/{a_pass}").sample(paths, len(paths))[place]

    def caption(self, split: Split, index: int) -> str:
        return self.path(split, index).with_suffix(".txt").read_text().strip()

    def pixels(self, split: Split, index: int) -> Pixels:
        with Image.open(self.path(split, index)) as image:
            return np.asarray(ImageOps.fit(image.convert("RGB"), (self.size, self.size), Image.Resampling.LANCZOS))

    def sentences(self) -> Iterable[str]:
        return (path.with_suffix(".txt").read_text() for path in (*self._learned, *self._held_out))
