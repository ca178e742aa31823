"""How a latent is looked at: as a whole, in tiles, or in the areas of a layout."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from nodegraph import NodeError

from .layouts import Area, Layout
from .values import Conditioning

if TYPE_CHECKING:
    from .diffusion.denoiser import Denoise
    from .diffusion.views import Looking, Region

Build = Callable[[Conditioning], "Denoise"]
"""Makes a denoiser that follows a prompt."""
OVERLAP = 4
"""Tiles overlap by this part of their side."""
GRID = 2
"""Areas begin and end at multiples of so many cells: what transformers take at once."""


def windows(
    build: Build,
    positive: Conditioning | Layout,
    size: tuple[int, int],
    tile: int,
    top: float,
    looked: Callable[[], None],
    looking: Looking,
) -> Denoise:
    """The denoiser of a latent of `size` (h, w).

    Args:
        tile: Cells of a tile's side; 0 looks at the whole.
        top: Sigma at the start of the way.
        looked: Called after each window.
        looking: Is told which window the network is asked about.
    """
    from .diffusion.views import Views, regions, tiles

    if isinstance(positive, Layout):
        if tile and max(size) > tile:
            raise NodeError("a layout has windows of its own; set tile to 0, or link a plain prompt", "tile")
        found = [_region(build, area, size, positive.soft) for area in positive.areas]
        if not found:
            return build(positive.background)
        return Views(regions(build(positive.background), found, size, positive.until), size, top, looked, looking)
    if not tile or max(size) <= tile:
        return build(positive)
    return Views(tiles(build(positive), size, tile, max(1, tile // OVERLAP)), size, top, looked, looking)


def _region(build: Build, area: Area, size: tuple[int, int], soft: float) -> Region:
    import torch
    from torch.nn import functional

    from .diffusion.views import Region

    rows, columns = _span(area.y, area.height, size[0]), _span(area.x, area.width, size[1])
    height, width = rows[1] - rows[0], columns[1] - columns[0]
    mask = None
    if area.mask is not None:
        values = torch.from_numpy(area.mask.values.copy())[None]
        mask = functional.interpolate(values, (height, width), mode="bilinear", antialias=True)[0, 0]
    edge = max(1, round(soft * min(height, width)))
    return Region(build(area.prompt), rows, columns, area.weight, edge, mask)


def _span(start: float, length: float, cells: int) -> tuple[int, int]:
    """The cells nearest to a share of `cells`, at least one step of the grid."""
    step = min(GRID, cells)
    first = min(round(start * cells / step) * step, cells - step)
    last = max(round((start + length) * cells / step) * step, first + step)
    return first, cells if last > cells - step else last
