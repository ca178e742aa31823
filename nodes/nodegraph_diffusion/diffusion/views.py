"""Denoising a latent through windows: tiles of one too large for the network, or boxes with prompts of their own.

Each window is denoised by itself and their answers are averaged (MultiDiffusion, Bar-Tal et al. 2023,
arXiv:2302.08113). What is averaged are clean latents, under the contract that solvers know, so every solver and every
family of models works this way, and only one window at a time is in the network's memory.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .denoiser import Denoise
from .schedules import Point

Span = tuple[int, int]
Part = tuple[slice, slice]
"""Rows and columns of the latent, in cells."""
LEAST = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A window of the latent.

    Attributes:
        denoise: Is asked about the window alone.
        rows, columns: Beginning and end of the window, in latent cells.
        share: (height, width) of the window, 0 or more: how much its answer counts, beside those of other windows.
        until: Down to which share of the starting noise it is asked; below, the others decide.
    """

    denoise: Denoise
    rows: Span
    columns: Span
    share: Tensor
    until: float = 0.0

    @property
    def part(self) -> Part:
        return slice(*self.rows), slice(*self.columns)


@dataclass(slots=True)
class Looking:
    """Which window of the latent the network is asked about; None is the whole."""

    part: Part | None = None


class Views:
    """A denoiser of the whole latent (B, C, h, w) that asks each view about its window.

    Args:
        views: Together they cover the latent at every level of noise.
        top: Sigma at the start of the way, which `until` is a share of.
        looked: Called after each window, and may raise to end the run.
        looking: Is told of the window while it is asked about.

    Raises:
        ValueError: a cell is covered by no view that is asked to the end.
    """

    def __init__(
        self,
        views: Sequence[View],
        size: tuple[int, int],
        top: float = 1.0,
        looked: Callable[[], None] | None = None,
        looking: Looking | None = None,
    ) -> None:
        self.views, self.top, self.looked = views, top, looked
        self.looking = looking or Looking()
        cover = torch.zeros(size)
        for view in views:
            if view.until == 0:
                cover[view.part] += view.share.cpu()
        if cover.min() < LEAST:
            raise ValueError(f"the views leave parts of the latent of {size[1]} x {size[0]} to nobody")

    def __call__(self, x: Tensor, point: Point, /) -> Tensor:
        asked = [view for view in self.views if point.sigma >= view.until * self.top]
        made, total = x.new_zeros((2, *x.shape) if point.apart else x.shape), x.new_zeros(x.shape[-2:])
        for view in asked:
            share = view.share.to(x)
            self.looking.part = view.part
            try:
                answer = view.denoise(x[..., *view.part].contiguous(), point)
            finally:
                self.looking.part = None
            made[..., *view.part] += answer * share
            total[view.part] += share
            if self.looked is not None:
                self.looked()
        return made / total


def tiles(denoise: Denoise, size: tuple[int, int], tile: int, overlap: int) -> list[View]:
    """Windows of `tile` x `tile` cells, or the whole side where it is shorter, that overlap by at least `overlap`.

    Each counts less towards its edges that others overlap: seams are as soft as the overlap is wide.

    Raises:
        ValueError: `overlap` is not less than `tile`, or not above 0.
    """
    if not 0 < overlap < tile:
        raise ValueError(f"tiles of {tile} cells need to overlap by 1 to {tile - 1} cells, not by {overlap}")
    rows, columns = (spans(length, tile, overlap) for length in size)
    return [
        View(denoise, row, column, torch.outer(fade(row, size[0], overlap), fade(column, size[1], overlap)))
        for row in rows
        for column in columns
    ]


def spans(length: int, tile: int, overlap: int) -> list[Span]:
    """Spans of one length that cover `length`, evenly spaced."""
    if length <= tile:
        return [(0, length)]
    count = math.ceil((length - overlap) / (tile - overlap))
    return [(start, start + tile) for start in (round(i * (length - tile) / (count - 1)) for i in range(count))]


def fade(span: Span, length: int, width: int) -> Tensor:
    """How much each cell of a span counts: 1, falling over `width` cells to each end that is not the whole's."""
    start, stop = span
    ramp = (torch.arange(width) + 0.5) / width
    made = torch.ones(stop - start)
    width = min(width, stop - start)
    if start > 0:
        made[:width] *= ramp[:width]
    if stop < length:
        made[-width:] *= ramp[:width].flip(0)
    return made


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """A box of the latent with a prompt of its own: a denoiser that knows it, its window, and how much it counts.

    `mask` (height, width of the window), 0 to 1, is what of the box it is; None is all of it. `soft` is the width in
    cells of its soft edge, inwards.
    """

    denoise: Denoise
    rows: Span
    columns: Span
    weight: float = 1.0
    soft: int = 1
    mask: Tensor | None = None


def regions(background: Denoise, boxes: Sequence[Region], size: tuple[int, int], until: float) -> list[View]:
    """Views for a layout: the whole with the background's prompt, and each box as a small picture with its own.

    Inside a box the background counts as little as the box's soft edge leaves over. Once the noise has fallen to a
    share `until` of the start, boxes are asked no more and the background's prompt joins them together.
    """
    whole = ((0, size[0]), (0, size[1]))
    cover = torch.zeros(size)
    views = []
    for box in boxes:
        share = torch.outer(_edge(box.rows, size[0], box.soft), _edge(box.columns, size[1], box.soft)) * box.weight
        if box.mask is not None:
            share = share * box.mask
        views.append(View(box.denoise, box.rows, box.columns, share, until))
        part = slice(*box.rows), slice(*box.columns)
        cover[part] = torch.maximum(cover[part], share.clamp(max=1))
    return [View(background, *whole, (1 - cover).clamp(min=LEAST)), *views]


def _edge(span: Span, length: int, soft: int) -> Tensor:
    """`fade`, where an edge narrower than half of the span leaves its middle whole."""
    return fade(span, length, max(1, min(soft, (span[1] - span[0]) // 2)))
