"""Pictures to latents and back, through an autoencoder, in bounded memory.

Pictures are float32 (B, 3, H, W), 0..1, on the CPU; latents float32 (B, C, h, w), centred and scaled as denoisers work
on them (see `spaces`). A size that is no multiple of the autoencoder's factor is padded with the border's pixels before
it is encoded and cropped after decoding. Every picture of a batch is worked on by itself, so that none depends on the
others.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ..checkpoint.memory import ROOM, TILE, decoding
from . import spaces
from .allocator import give_back_at_once
from .progress import Report, share, silent

OVERLAP = 16
"""Of tiles, in latent pixels."""

SPARE = 2**29
"""Bytes. What takes more than this on a CPU gives memory back at once, also what a denoiser has left behind."""


def factor(vae: Any) -> int:
    """How many pixels wide a latent pixel is."""
    return spaces.space(vae).cell


def is_large(vae: Any, width: int, height: int) -> bool:
    """Whether a picture of this size is better worked on in tiles."""
    return decoding(vae.config) * 4 * width * height > ROOM


def padded(pixels: Tensor, multiple: int) -> Tensor:
    """`pixels` (B, C, H, W) with its right and lower border repeated up to the next multiples."""
    height, width = pixels.shape[-2:]
    return functional.pad(pixels, (0, -width % multiple, 0, -height % multiple), mode="replicate")


@torch.no_grad()
def encode(
    vae: Any,
    pixels: Tensor,
    generators: Sequence[torch.Generator] | None = None,
    tiled: bool | None = None,
    report: Report = silent,
    multiple: int = 1,
) -> Tensor:
    """The latents of pictures.

    Args:
        generators: One per picture: draw from the posterior, as diffusers' pipelines do. Without them the mean is
            taken: one picture then has one latent, nothing needs a seed, and a round trip loses less. The posterior is
            far narrower than the noise that sampling adds.
        tiled: None leaves it to the size.
        report: Called with the tiles done and their number.
        multiple: Of how many pixels width and height are made a multiple, where the denoiser asks for more.
    """
    scale = factor(vae)
    whole = padded(pixels, max(scale, multiple)) * 2 - 1
    height, width = whole.shape[-2] // scale, whole.shape[-1] // scale
    tiles = _tiles(height, width, is_large(vae, width * scale, height * scale) if tiled is None else tiled)
    latents = whole.new_empty(len(whole), spaces.space(vae).channels, height, width)
    for index in range(len(whole)):
        generator = generators[index] if generators is not None else None

        def posterior(part: Tensor, generator: torch.Generator | None = generator) -> Tensor:
            def call(module: Any, x: Tensor) -> Tensor:
                mean, log_variance = spaces.posterior(module, x)
                if generator is None or log_variance is None:
                    return mean
                noise = torch.randn(mean.shape, generator=generator, dtype=vae.dtype).to(mean)
                return mean + torch.exp(0.5 * log_variance.clamp(-30, 20)) * noise

            return spaces.scaled(vae, _finite(vae, part, call))

        with _lean(vae, width * scale, height * scale):
            latents[index] = _in_tiles(
                posterior, whole[index : index + 1], tiles, scale, 1, share(report, index, len(whole))
            )
    return latents


def encode_hidden(
    vae: Any,
    pixels: Tensor,
    mask: Tensor,
    generators: Sequence[torch.Generator] | None = None,
    tiled: bool | None = None,
    report: Report = silent,
    multiple: int = 1,
) -> Tensor:
    """The latents of pictures whose selected part is hidden under middle grey: what inpainting models read.

    Args:
        mask: (1 or B, H, W), 0..1. Hard at 0.5, as those models were trained with.
    """
    hidden = torch.where(mask[:, None] < 0.5, pixels, 0.5)
    return encode(vae, hidden, generators, tiled, report, multiple)


@torch.no_grad()
def decode(
    vae: Any,
    latents: Tensor,
    width: int,
    height: int,
    tiled: bool | None = None,
    report: Report = silent,
) -> Tensor:
    """The pictures of latents, cropped to `width` and `height`, clamped to 0..1.

    Args:
        tiled: None leaves it to the size.
        report: Called with the tiles done and their number.
    Raises:
        ValueError: The latents have another number of channels, or are too small for the size.
    """
    at = spaces.space(vae)
    channels, scale = at.channels, at.cell
    if latents.shape[1] != channels:
        raise ValueError(
            f"this VAE decodes latents of {channels} channels, got {latents.shape[1]}. Use the VAE of the same model"
        )
    if latents.shape[-1] * scale < width or latents.shape[-2] * scale < height:
        raise ValueError(
            f"a latent of {latents.shape[-1]} x {latents.shape[-2]} gives at most {latents.shape[-1] * scale} x "
            f"{latents.shape[-2] * scale} pixels, {width} x {height} were asked for. Use the VAE of the same model"
        )
    rows, columns = latents.shape[-2:]
    tiles = _tiles(rows, columns, is_large(vae, width, height) if tiled is None else tiled)
    pictures = latents.new_empty(len(latents), 3, height, width, dtype=torch.float32)

    def picture(part: Tensor) -> Tensor:
        return _finite(vae, spaces.unscaled(vae, part), spaces.pixels)

    with _lean(vae, width, height):
        for index in range(len(latents)):
            made = _in_tiles(picture, latents[index : index + 1], tiles, 1, scale, share(report, index, len(latents)))
            pictures[index] = made[0, :, :height, :width]
    return pictures.div_(2).add_(0.5).clamp_(0, 1)


def _lean(vae: Any, width: int, height: int) -> contextlib.AbstractContextManager[None]:
    """In which a picture of this size is worked on."""
    is_lean = vae.device.type == "cpu" and decoding(vae.config) * 4 * width * height > SPARE
    return give_back_at_once() if is_lean else contextlib.nullcontext()


def _finite(vae: Any, part: Tensor, call: Callable[[Any, Tensor], Tensor]) -> Tensor:
    """`call` in the VAE's own dtype; in float32 if that overflows, which some VAEs do in float16."""
    made = call(vae, part.to(vae.device, vae.dtype)).float()
    if vae.dtype != torch.float32 and not made.isfinite().all():
        wide = copy.deepcopy(vae).to(torch.float32)
        made = call(wide, part.to(vae.device, torch.float32))
    return made.cpu()


Span = tuple[int, int]


def _tiles(height: int, width: int, tiled: bool) -> tuple[list[Span], list[Span]]:
    """Rows and columns of tiles, in latent pixels. All are of one size: a narrow last one would see too little."""
    return _spans(height, tiled), _spans(width, tiled)


def _spans(length: int, tiled: bool) -> list[Span]:
    if not tiled or length <= TILE:
        return [(0, length)]
    count = -(-(length - OVERLAP) // (TILE - OVERLAP))
    starts = [round(i * (length - TILE) / (count - 1)) for i in range(count)]
    return [(start, start + TILE) for start in starts]


def _in_tiles(
    call: Callable[[Tensor], Tensor],
    source: Tensor,
    tiles: tuple[list[Span], list[Span]],
    in_scale: int,
    out_scale: int,
    report: Report,
) -> Tensor:
    """`call` on each tile of `source` (1, C, H, W), blended where tiles overlap.

    Only the result and one tile are in memory. Each tile fades out linearly over the overlap: what it shows at its
    border, where it lacks surroundings, hardly counts.
    """
    rows, columns = tiles
    total = len(rows) * len(columns)
    if total == 1:
        made = call(source)
        report(1, 1)
        return made
    down, across = _fades(rows, out_scale), _fades(columns, out_scale)
    out: Tensor | None = None
    for done, (i, j) in enumerate(((i, j) for i in range(len(rows)) for j in range(len(columns))), 1):
        (top, bottom), (left, right) = rows[i], columns[j]
        part = source[..., top * in_scale : bottom * in_scale, left * in_scale : right * in_scale]
        made = call(part)
        if out is None:
            out = made.new_zeros(1, made.shape[1], rows[-1][1] * out_scale, columns[-1][1] * out_scale)
        place = out[..., top * out_scale : bottom * out_scale, left * out_scale : right * out_scale]
        place += made * down[i][:, None] * across[j]
        report(done, total)
    assert out is not None
    return out


def _fades(spans: list[Span], scale: int) -> list[Tensor]:
    """The share of each span in each of its pixels. The shares in a pixel sum to 1."""
    ramp = (torch.arange(OVERLAP * scale) + 0.5) / (OVERLAP * scale)
    shares = []
    for index, (start, stop) in enumerate(spans):
        share = torch.ones((stop - start) * scale)
        if index > 0:
            share[: len(ramp)] = ramp
        if index < len(spans) - 1:
            share[-len(ramp) :] *= ramp.flip(0)
        shares.append(share)
    sums = torch.zeros(spans[-1][1] * scale)
    for (start, stop), share in zip(spans, shares, strict=True):
        sums[start * scale : stop * scale] += share
    return [share / sums[start * scale : stop * scale] for (start, stop), share in zip(spans, shares, strict=True)]
