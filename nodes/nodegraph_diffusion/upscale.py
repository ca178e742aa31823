"""Larger pictures: by averaging pixels, or by networks that paint in detail."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from nodegraph import Context, NodeError, Widget, node

from .checkpoint import ModelError
from .checkpoint.header import read_header
from .file_weights import FileWeights
from .resampling import resampled
from .sizes import check_size
from .values import Image

if TYPE_CHECKING:
    from .diffusion.upscale.tiles import Network

Factor = Annotated[float, Field(ge=1, le=16), Widget("number", step=0.5)]
Own = Annotated[Path | None, Widget("file", suffix=".safetensors")]
FLOAT32 = 4


@node(version=1, lane="gpu", category="image")
def upscale(
    ctx: Context,
    image: Image,
    factor: Factor = 2.0,
    method: Literal["span", "realesr-anime", "lanczos", "bicubic", "bilinear", "area", "nearest"] = "span",
    file: Own = None,
) -> Image:
    """Enlarge a picture.

    Networks enlarge by their own factors until the picture is large enough; what is too much is taken back by lanczos.
    They work on overlapping tiles, so that memory does not limit the size.

    Args:
        image: A picture, or a batch of them.
        factor: How many times wider and higher.
        method: SPAN restores what was there, for photos and most else, but not for pictures with strong noise: those it
            breaks. Real-ESRGAN draws sharp lines, for cartoons and flat colours. The others average pixels, lanczos
            sharpest.
        file: An upscaler of your own (.safetensors), used instead of the method. Needs `nodegraph[upscalers]`.
    """
    width, height = round(image.width * factor), round(image.height * factor)
    check_size(width, height, image.batch, "factor")
    if file is not None:
        return enlarged(ctx, image, [file], factor)
    if method != "span" and method != "realesr-anime":
        return Image(resampled(image.pixels, width, height, method))
    if factor == 1:
        return image
    from .diffusion.upscale.loading import FOLDER, SHIPPED

    return enlarged(ctx, image, [FOLDER / name for name in SHIPPED[method]], factor)


def enlarged(ctx: Context, image: Image, files: Sequence[Path], factor: float | None, port: str = "file") -> Image:
    """Pictures enlarged by the networks in `files`: by a factor, or as many times as the first does. Raises `NodeError`
    at `port` for a file that holds none."""
    import torch

    from .diffusion.devices import choose_device
    from .diffusion.upscale.tiles import enlarge, passes, tiles

    device = choose_device()
    pictures = torch.from_numpy(image.pixels.copy())
    try:
        with ExitStack() as leases, torch.inference_mode():
            networks = [leases.enter_context(ctx.lease(_weights(each, str(device)))) for each in files]
            factor = networks[0].scale if factor is None else factor
            width, height = round(image.width * factor), round(image.height * factor)
            chain = passes(networks, factor)
            scales = [math.prod(network.scale for network in chain[:i]) for i in range(len(chain) + 1)]
            check_size(image.width * scales[-1], image.height * scales[-1], image.batch, "image")
            total = sum(
                tiles(network, image.batch, image.height * scale, image.width * scale)
                for network, scale in zip(chain, scales, strict=False)
            )
            steps = itertools.count(1)
            for network in chain:
                pictures = enlarge(network, pictures, device, lambda: ctx.progress(next(steps), total))
    except ModelError as error:
        raise NodeError(str(error), port) from error
    made = pictures.numpy()
    return Image(made if made.shape[2:] == (height, width) else resampled(made, width, height, "lanczos"))


def _weights(file: Path, place: str) -> FileWeights[Network]:
    """The upscaler in `file`. Raises `ModelError` for what is no safetensors file."""
    from .diffusion.upscale.loading import load_network

    elements = sum(tensor.elements for tensor in read_header(file).tensors.values())
    modified = file.stat().st_mtime_ns
    return FileWeights(f"upscaler {file.stem}", file, modified, place, elements * FLOAT32, partial(load_network, file))
