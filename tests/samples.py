"""Pictures to test with."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

import numpy as np

from nodegraph_diffusion.values import Image

if TYPE_CHECKING:
    from nodegraph_diffusion.values import Floats


def noise(height: int, width: int, batch: int = 1, seed: int = 0) -> Image:
    """Independent bytes: no pixel tells anything of its neighbours."""
    random = np.random.default_rng(seed)
    return Image.from_bytes(random.integers(0, 256, (batch, height, width, 3), np.uint8))


def flat(height: int, width: int, *levels: float) -> Image:
    """One picture of one grey for each level."""
    return Image(np.broadcast_to(np.array(levels, np.float32)[:, None, None, None], (len(levels), 3, height, width)))


def ellipses(size: int) -> Floats:
    """A drawing (3, size, size) with edges in all directions and smooth shades, free of aliasing."""
    fine = 4 * size
    y, x = (np.mgrid[0:fine, 0:fine] + 0.5) / fine
    made = np.stack([0.2 + 0.6 * x, 0.7 - 0.4 * y, 0.5 + 0.3 * np.sin(6 * x * y)])
    shapes = ((0.3, 0.35, 0.22, 0.1, 0.4, (0.9, 0.2, 0.1)), (0.65, 0.6, 0.12, 0.28, 1.1, (0.1, 0.3, 0.8)),
              (0.5, 0.8, 0.3, 0.04, 2.5, (0.95, 0.9, 0.3)), (0.75, 0.2, 0.1, 0.1, 0.0, (0.05, 0.05, 0.05)))  # fmt: skip
    for cx, cy, a, b, turn, colour in shapes:
        u, v = (x - cx) * np.cos(turn) + (y - cy) * np.sin(turn), (y - cy) * np.cos(turn) - (x - cx) * np.sin(turn)
        made[:, (u / a) ** 2 + (v / b) ** 2 < 1] = np.array(colour)[:, None]
    coarse: Floats = made.reshape(3, size, 4, size, 4).mean(axis=(2, 4)).astype(np.float32)
    return coarse


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds next to nothing."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + png_chunk(b"IDAT", zlib.compress(b"")) + png_chunk(b"IEND", b"")


def natural(height: int, width: int, seed: int) -> Floats:
    """A picture (3, height, width) with the spectrum of photographs: as much contrast at every scale."""
    random = np.random.default_rng(seed)
    distance = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    distance[0, 0] = 1
    spectrum = np.fft.rfft2(random.standard_normal((3, height, width))) / distance**1.1
    made = np.fft.irfft2(spectrum, s=(height, width))
    shades: Floats = (0.5 + 0.22 * (made - made.mean()) / made.std()).clip(0, 1).astype(np.float32)
    return shades
