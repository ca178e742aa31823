"""SPAN, the swift parameter-free attention network (Wan et al. 2024, arXiv:2311.12770), in its form for inference."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import pixel_shuffle, silu


class Span(nn.Module):
    """Enlarges pictures (B, 3, H, W), 0..1, by `scale`.

    Args:
        scale: 2 or 4.
        channels: Feature maps in every layer.
        blocks: Attention blocks. The three convolutions of each stand for the re-parametrised ones of the training.
    """

    def __init__(self, scale: int, channels: int = 48, blocks: int = 6) -> None:
        super().__init__()
        self.scale = scale
        self.reach = 3 * blocks + 3
        """How many pixels away the input can still change an output pixel: one for each 3x3 convolution."""
        self.mean: Tensor
        self.register_buffer("mean", torch.empty(1, 3, 1, 1))
        self.conv_1 = _convolution(3, channels)
        self.blocks = nn.ModuleList(Block(channels) for _ in range(blocks))
        self.conv_2 = _convolution(channels, channels)
        self.conv_cat = nn.Conv2d(4 * channels, channels, 1)
        self.up = _convolution(channels, 3 * scale**2)

    def forward(self, pictures: Tensor) -> Tensor:
        shallow = self.conv_1((pictures - self.mean) * 255)
        features, outputs, inner = shallow, [], shallow
        for block in self.blocks:
            features, inner = block(features)
            outputs.append(features)
        together = torch.cat([shallow, self.conv_2(features), outputs[0], inner], dim=1)
        return pixel_shuffle(self.up(self.conv_cat(together)), self.scale)


class Block(nn.ModuleList):
    """Three convolutions whose output is also its own attention. Gives that, and what the first convolution sees."""

    def __init__(self, channels: int) -> None:
        super().__init__(_convolution(channels, channels) for _ in range(3))

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        one, two, three = self
        inner = silu(one(features))
        deep = three(silu(two(inner)))
        return (deep + features) * (torch.sigmoid(deep) - 0.5), inner


def _convolution(channels: int, out: int) -> nn.Conv2d:
    return nn.Conv2d(channels, out, 3, padding=1)
