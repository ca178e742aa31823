"""Enlarging a picture tile by tile, in bounded memory and without seams."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor

TILE = 320
"""Pixels of a tile's side, on the side of the input."""
RAMP = 8
"""Pixels over which one tile fades into the next."""


class Network(Protocol):
    """What enlarges pictures (B, 3, H, W), 0..1, on the device it lies on."""

    scale: int
    reach: int
    """Pixels from which another pixel can have an influence; near the edge of a tile less is seen than in the whole."""

    def __call__(self, pictures: Tensor, /) -> Tensor: ...


def enlarge(
    network: Network, pictures: Tensor, device: torch.device, done: Callable[[], None], tile: int = TILE
) -> Tensor:
    """Pictures (B, 3, H, W), 0..1, enlarged by the network's scale and clamped to 0..1.

    Tiles overlap by twice the network's reach and a ramp. What is nearer to a cut than the reach is not used, so tiles
    agree with each other and with the whole to rounding; the ramp only matters to networks that see farther than that.

    Args:
        done: Called after each of the `tiles`. What it raises ends the work.
        tile: Side of a tile in pixels of the input. At least twice the overlap is taken.
    """
    batch, _, height, width = pictures.shape
    scale, reach = network.scale, network.reach
    made = torch.zeros(batch, 3, height * scale, width * scale)
    rows, columns = spans(height, reach, tile), spans(width, reach, tile)
    down, across = _shares(height, rows, reach, scale), _shares(width, columns, reach, scale)
    for picture, whole in zip(pictures, made, strict=True):
        for (top, bottom), vertical in zip(rows, down, strict=True):
            for (left, right), horizontal in zip(columns, across, strict=True):
                part = picture[None, :, top:bottom, left:right].to(device)
                enlarged = network(part)[0].float().cpu()
                area = whole[:, top * scale : bottom * scale, left * scale : right * scale]
                area += enlarged.mul_(vertical[:, None]).mul_(horizontal)
                done()
    return made.clamp_(0, 1)


def tiles(network: Network, batch: int, height: int, width: int, tile: int = TILE) -> int:
    """How many tiles `enlarge` works on."""
    return batch * len(spans(height, network.reach, tile)) * len(spans(width, network.reach, tile))


def passes(networks: Sequence[Network], factor: float) -> list[Network]:
    """Which of `networks` to use after which, to enlarge by at least `factor`: few and no larger than needed."""
    largest = max(networks, key=lambda network: network.scale)
    chain: list[Network] = []
    while not chain or (factor > 1 and largest.scale > 1):
        enough = [network for network in networks if network.scale >= factor]
        chain.append(min(enough, key=lambda network: network.scale, default=largest))
        factor /= chain[-1].scale
    return chain


def spans(length: int, reach: int, tile: int = TILE) -> list[tuple[int, int]]:
    """Beginning and end of the tiles that cover `length` pixels: as few as do, of equal length but for rounding."""
    overlap = 2 * reach + RAMP
    number = max(1, math.ceil((length - overlap) / (max(tile, 2 * overlap) - overlap)))
    side = math.ceil((length + (number - 1) * overlap) / number)
    starts = [round(i * (length - side) / max(1, number - 1)) for i in range(number)]
    return [(start, start + side) for start in starts]


def _shares(length: int, parts: list[tuple[int, int]], reach: int, scale: int) -> list[Tensor]:
    """How much each tile gives to each of its output pixels, along one side; over all tiles it is 1 everywhere."""
    shares = []
    for start, end in parts:
        here = torch.arange(start * scale, end * scale) + 0.5
        before = (here - (start + reach) * scale) / (RAMP * scale) if start else torch.ones(len(here))
        after = ((end - reach) * scale - here) / (RAMP * scale) if end < length else torch.ones(len(here))
        shares.append(torch.minimum(before, after).clamp_(0, 1))
    total = torch.zeros(length * scale)
    for (start, end), share in zip(parts, shares, strict=True):
        total[start * scale : end * scale] += share
    return [share / total[start * scale : end * scale] for (start, end), share in zip(parts, shares, strict=True)]
