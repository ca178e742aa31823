"""Networks that enlarge pictures, as ComfyUI opens and asks them: by their own factor."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from nodegraph import Choices, Context, Folders, choices, node

from ..adapter_files import AdapterFiles
from ..checkpoint import list_files
from ..checkpoint.header import digest, read_header
from ..upscale import enlarged
from ..values import Image

CATEGORY = "ComfyUI"
PLACES = re.compile(r"(^|/)(upscale_models|(real)?esrgan|swinir|scunet|dat)/", re.I)
"""The folders that programs keep upscalers in."""
NAMED = re.compile(r"(?<![0-9a-z])(x[1-8]|[1-8]x)(?![0-9])", re.I)
"""How many times one enlarges, as their names say it: `RealESRGAN_x4plus`, `4x-UltraSharp`."""


@dataclass(frozen=True, slots=True)
class Upscaler:
    """A network that enlarges, in a file of its own."""

    path: str
    revision: str


def _read(path: Path) -> Upscaler:
    read_header(path)
    return Upscaler(str(path), digest([path], [], mtime=True))


def _names(folders: Sequence[Path]) -> Sequence[str]:
    return [name for name in list_files(folders) if PLACES.search(name) or NAMED.search(name)]


UPSCALERS: AdapterFiles[Upscaler] = AdapterFiles(_read, lambda found: "enlarges pictures", names=_names)


@node(version=1, title="UpscaleModelLoader", lane="io", category=CATEGORY)
def UpscaleModelLoader(ctx: Context, model_name: Annotated[str, Choices("upscalers")]) -> Upscaler:
    """Open a network that enlarges pictures. Its weights load when a node first uses them.

    Args:
        model_name: A `.safetensors` file in the folders of models. Needs `nodegraph[upscalers]`.
    """
    return UPSCALERS.open(model_name, ctx.folders, "model_name")


@node(version=1, title="ImageUpscaleWithModel", lane="gpu", category=CATEGORY)
def ImageUpscaleWithModel(ctx: Context, upscale_model: Upscaler, image: Image) -> Image:
    """Enlarge a picture as many times as a network does."""
    return enlarged(ctx, image, [Path(upscale_model.path)], None, "upscale_model")


@choices("upscalers")
def upscalers(folders: Folders) -> Mapping[str, str]:
    """The upscalers in the folders of models, which are told by the folder or the number in their name."""
    return UPSCALERS.listed(folders)


@UpscaleModelLoader.fingerprint
def _revision(model_name: str, folders: Folders) -> str:
    return UPSCALERS.revision(model_name, folders, "model_name")
