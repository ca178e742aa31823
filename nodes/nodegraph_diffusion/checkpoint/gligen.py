"""GLIGEN (Li et al. 2023, arXiv:2301.07093) in a file of its own: gates that hold a UNet to phrases in boxes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from .header import ModelError, digest, read_header

POSITION = "position_net."
FUSER = re.compile(
    r"(?:model\.diffusion_model\.|unet\.)?(?P<block>(?:input|output|middle|down|up|mid)_block.+)\.fuser\.(?P<name>.+)"
)


@dataclass(frozen=True, slots=True)
class Gligen:
    """What gives a Stable Diffusion 1 model the gates of GLIGEN."""

    path: str
    width: int
    """Of the phrases that it reads, and of the model's prompts."""
    layers: int
    """How many blocks of the UNet it has a gate for."""
    bytes: int
    revision: str

    @property
    def name(self) -> str:
        """What people call it."""
        return Path(self.path).name


def open_gligen(path: Path) -> Gligen:
    """What the GLIGEN file at `path` is for.

    Raises:
        ModelError: It is none, or one that reads pictures.
    """
    header = read_header(path)
    layers = {match["block"] for name in header.tensors if (match := FUSER.fullmatch(name))}
    phrase = next((name for name in header.tensors if name.endswith(f"{POSITION}null_positive_feature")), None)
    if layers and any(name.endswith(f"{POSITION}null_image_feature") for name in header.tensors):
        raise ModelError(f"{path}: is a GLIGEN that reads pictures, which is not supported. Get one for text boxes")
    if not layers or phrase is None:
        raise ModelError(
            f"{path}: is no GLIGEN for text boxes: needed '{POSITION}null_positive_feature' and tensors named "
            "'...fuser...', as in gligen_sd14_textbox_pruned.safetensors"
        )
    return Gligen(
        path=str(path),
        width=header.shape(phrase)[0],
        layers=len(layers),
        bytes=sum(tensor.bytes for tensor in header.tensors.values()),
        revision=digest([path], [], mtime=True),
    )
