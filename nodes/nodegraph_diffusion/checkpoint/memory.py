"""How much memory a call takes beside weights, about: from configurations and sizes alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

DECODING = 4.2
"""Peak memory of a decoding as a multiple of its largest activation (measured at 256, 384 and 512 pixels)."""
ROOM = 6 * 10**9
"""Above this many bytes in float32 a picture goes in tiles: about 1.4 megapixels with Stable Diffusion's autoencoder.
A fixed number, and not what happens to be free, since tiling changes pixels a little."""
TILE = 64
"""The side of such a tile in latent pixels: 512 x 512 is what Stable Diffusion's autoencoder was trained on."""

Activations = Callable[[Mapping[str, Any]], tuple[float, float]]
"""How many numbers one call of a denoiser of this configuration holds at its peak, for one picture: for each cell of
the latent, and for the prompt. Measured over the live tensors of a call, with attention that keeps no square matrix."""


def unet(config: Mapping[str, Any]) -> tuple[float, float]:
    """A UNet holds most at its upper level: more if that attends, whose feed-forward is eight times as wide."""
    kinds = config.get("down_block_types") or ["DownBlock2D"]
    attends = str(kinds[0]).startswith("CrossAttn")
    return (26 if attends else 15.75) * config["block_out_channels"][0], 0


def transformer(times: float, tokens: float, prompt: int, width: str = "") -> Activations:
    """A transformer holds so many times its width for each token, of which there are so many to a cell of the latent,
    and so many for the prompt.

    Args:
        width: The name of the width in the configuration, where it is not the heads together.
    """

    def activations(config: Mapping[str, Any]) -> tuple[float, float]:
        wide = config[width] if width else config["num_attention_heads"] * config["attention_head_dim"]
        return times * wide * tokens, times * wide * prompt

    return activations


def decoding(config: Mapping[str, Any]) -> float:
    """How many numbers an autoencoder holds for each pixel of a picture."""
    blocks = config.get("block_out_channels") or (config["base_dim"],)
    return DECODING * int(blocks[:2][-1])


def itemsize(dtype: str, device: str) -> int:
    """Bytes of a number where a document asks for `dtype` on `device`; "auto" is taken for float32, unless the device
    is said to be a graphics card, and a half type too on a CPU, since most compute in float32 alone."""
    wide = ("auto", "float32") if device == "auto" else ("float32",)
    return 4 if device == "cpu" or dtype in wide else 2


def decoded(numbers: float, size: int, width: int, height: int, cell: int) -> float:
    """Bytes of decoding or encoding one picture, in tiles where it is large.

    Args:
        numbers: For each pixel, see `decoding`.
        size: Bytes of a number.
        cell: Pixels of a latent pixel's side.
    """
    side = TILE * cell
    large = numbers * 4 * width * height > ROOM
    return numbers * size * (min(width, side) * min(height, side) if large else width * height)
