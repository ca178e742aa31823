"""Convolutions of 3 x 3 that multiply less, for networks that run on a CPU in float32.

Minimal filtering after Winograd (Lavin and Gray 2015, "Fast Algorithms for Convolutional Neural Networks"): 16 outputs
of a tile come of 36 products instead of 144. The points are chosen for their small error: results are as far from
those of float64 as oneDNN's are. See `docs/decisions/`.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

TILE = 4
"""Outputs on a side of a tile."""
SIDE = TILE + 2
"""Inputs on a side of a tile."""
POINTS = (0.0, 0.5**0.5, -(0.5**0.5), 2**0.5, -(2**0.5))
"""Where the polynomials of tile and kernel are multiplied, beside infinity."""
WIDE = 192
"""Channels. What transforming tiles costs grows with them, what it saves with their square."""
MANY = 2048
"""Pixels of a batch. What transforming kernels costs does not grow with them, what it saves does."""
TILES, KERNELS = 2**25, 2**24
"""Bytes of transformed tiles and kernels that are held at a time."""


def multiply_less(network: nn.Module) -> None:
    """Have the wide convolutions of a network computed by `Wide`, wherever a call allows it."""
    for module in network.modules():
        if type(module) is nn.Conv2d and _fits(module):
            module.__class__ = Wide


class Wide(nn.Conv2d):
    """A convolution of 3 x 3 with many channels. What cannot or need not be done by tiles is left to torch."""

    def forward(self, input: Tensor) -> Tensor:
        is_plain = input.dtype == self.weight.dtype == torch.float32 and input.device.type == "cpu"
        is_taught = torch.is_grad_enabled() and (input.requires_grad or self.weight.requires_grad)
        if not is_plain or is_taught or input.ndim != 4 or input.numel() < MANY * self.in_channels:
            return super().forward(input)
        return _by_tiles(input, self.weight, self.bias)


def _fits(layer: nn.Conv2d) -> bool:
    is_square = layer.kernel_size == (3, 3) and layer.padding == layer.stride == layer.dilation == (1, 1)
    is_plain = layer.groups == 1 and layer.padding_mode == "zeros"
    return is_square and is_plain and min(layer.in_channels, layer.out_channels) >= WIDE


def _by_tiles(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Tiles and kernels are transformed, multiplied point by point over the channels, and transformed back."""
    for_kernels, for_tiles, back = transformations()
    batch, channels, height, width = x.shape
    down, across = -(-height // TILE), -(-width // TILE)
    made = x.new_empty(batch, len(weight), down, TILE, across, TILE)
    strip = min(down, max(1, TILES // (4 * SIDE**2 * batch * channels * across)))
    part = min(len(weight), max(1, KERNELS // (4 * SIDE**2 * channels)))
    most = strip * batch * across
    inputs, tiles, kernels, points, outputs = (
        x.new_empty(size)  # once for all strips: what is mapped anew is zeroed anew
        for size in (
            SIDE**2 * channels * most, SIDE**2 * channels * most, SIDE**2 * part * channels, SIDE**2 * part * most,
            TILE**2 * part * most,
        )
    )  # fmt: skip
    for row in range(0, down, strip):
        rows = min(strip, down - row)
        count = rows * batch * across
        top, bottom = row * TILE - 1, (row + rows) * TILE + 1
        edges = 1, across * TILE - width + 1, max(0, -top), max(0, bottom - height)
        padded = functional.pad(x[:, :, max(0, top) : bottom], edges)
        of_batch, of_channel, of_row, of_column = padded.stride()
        seen = padded.as_strided(
            (SIDE, SIDE, channels, batch, rows, across),
            (of_row, of_column, of_channel, of_batch, of_row * TILE, of_column * TILE),
        )
        laid = _shaped(inputs, *seen.shape).copy_(seen).view(SIDE**2, -1)
        torch.mm(for_tiles, laid, out=_shaped(tiles, *laid.shape))
        for first in range(0, len(weight), part):
            some = weight[first : first + part]
            shape = SIDE**2, len(some) * channels
            torch.mm(for_kernels, some.reshape(-1, 9).T, out=_shaped(kernels, *shape))
            product = _shaped(points, SIDE**2, len(some), count)
            ready = _shaped(kernels, SIDE**2, len(some), channels), _shaped(tiles, SIDE**2, channels, count)
            torch.bmm(*ready, out=product)
            final = _shaped(outputs, TILE**2, len(some), count)
            torch.mm(back, product.view(SIDE**2, -1), out=final.view(TILE**2, -1))
            if bias is not None:
                final += bias[first : first + part, None]
            pixels = final.view(TILE, TILE, len(some), batch, rows, across)
            made[:, first : first + part, row : row + rows] = pixels.permute(3, 2, 4, 0, 5, 1)
    return made.view(batch, len(weight), down * TILE, across * TILE)[:, :, :height, :width].contiguous()


def _shaped(room: Tensor, *shape: int) -> Tensor:
    """The beginning of `room`, with this shape."""
    return room[: math.prod(shape)].view(shape)


@cache
def transformations() -> tuple[Tensor, Tensor, Tensor]:
    """Of kernels (36, 9), of tiles (36, 36) and back (16, 36); both dimensions of the picture at once (Toom and Cook).

    Kernel and outputs are polynomials by their values at the points: rows are `1, p, p^2 ...`, and the highest
    coefficient alone at infinity. The tile's rows are the coefficients of `prod(x - q)` over the other points.
    """
    kernels, tiles, back = np.zeros((SIDE, 3)), np.zeros((SIDE, SIDE)), np.zeros((TILE, SIDE))
    for index, point in enumerate(POINTS):
        others = [other for other in POINTS if other != point]
        kernels[index] = point ** np.arange(3) / np.prod([point - other for other in others])
        tiles[index, :-1] = np.poly(others)[::-1]
        back[:, index] = point ** np.arange(TILE)
    kernels[-1, -1] = back[-1, -1] = 1
    tiles[-1] = np.poly(POINTS)[::-1]
    made = [torch.from_numpy(np.kron(matrix, matrix)).float() for matrix in (kernels, tiles, back)]
    return made[0], made[1], made[2]
