"""Real-ESRGAN's compact network (Wang et al. 2021, arXiv:2107.10833; its authors call the layout SRVGGNetCompact)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import interpolate, pixel_shuffle


class Compact(nn.Module):
    """Enlarges pictures (B, 3, H, W), 0..1, by `scale`: convolutions at the small size paint what a nearest-neighbour
    enlargement lacks.

    Args:
        scale: Such as 4.
        channels: Feature maps in every layer.
        layers: Convolutions between the first and the last.
    """

    def __init__(self, scale: int, channels: int = 64, layers: int = 16) -> None:
        super().__init__()
        self.scale = scale
        self.reach = layers + 2
        """How many pixels away the input can still change an output pixel: one for each convolution."""
        body: list[nn.Module] = []
        for given in [3, *[channels] * layers]:
            body += [nn.Conv2d(given, channels, 3, padding=1), nn.PReLU(channels)]
        self.body = nn.Sequential(*body, nn.Conv2d(channels, 3 * scale**2, 3, padding=1))

    def forward(self, pictures: Tensor) -> Tensor:
        return pixel_shuffle(self.body(pictures), self.scale) + interpolate(pictures, scale_factor=self.scale)
