"""Textual inversions (Gal et al. 2022, arXiv:2208.01618): words that a text encoder is taught, told from headers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .header import ModelError, digest, read_header

NAMES: tuple[tuple[str, ...], ...] = (("clip_l", "clip_g"), ("emb_params",))
"""What files name the vectors for each text encoder, in order. Others have one tensor, named as they like."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word with the vectors that stand for it, one tensor for each text encoder."""

    path: str
    tensors: tuple[str, ...]
    widths: tuple[int, ...]
    revision: str

    @property
    def name(self) -> str:
        """What people call it."""
        return Path(self.path).name


def open_word(path: Path) -> Word:
    """What the textual inversion at `path` holds. Raises `ModelError` where it is none."""
    header = read_header(path)
    names = next((names for names in NAMES if all(name in header.tensors for name in names)), None)
    if names is None and len(header.tensors) == 1:
        names = tuple(header.tensors)
    shapes = [header.tensors[name].shape for name in names or ()]
    if names is None or any(len(shape) not in (1, 2) for shape in shapes):
        raise ModelError(
            f"{path}: is no textual inversion: needed 'emb_params', 'clip_l' and 'clip_g', or one tensor (vectors, "
            f"width), found {len(header.tensors)} tensors"
        )
    return Word(str(path), names, tuple(shape[-1] for shape in shapes), digest([path], [], mtime=True))
