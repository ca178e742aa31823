"""An invisible mark by quantisation index modulation (Chen and Wootton 2001, IEEE Trans. Inf. Theory 47(4)).

Five low DCT coefficients of every 8 x 8 block of luma are moved to the nearest point of one of two lattices: which one
says a bit. A square of 8 x 8 blocks holds the whole message; a tile of four such squares, each in an order of its own,
repeats over the picture. The orders, and where the lattice of each coefficient lies, follow from a key. A quarter of
the slots hold bits that the key knows: they tell how a cropped picture lies, and whether there is a mark at all.
"""

from __future__ import annotations

import binascii
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from .late import np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .values import Floats

BLOCK = 8
"""Pixels: the blocks of JPEG, so that its rounding meets each coefficient once."""
SQUARE = 8
"""Blocks in a row of a square that holds the message."""
SIDE = 2 * SQUARE
"""Blocks in a row of the tile. More than a square, since in a flat picture JPEG does the same harm to every tile."""
SMALLEST = BLOCK * SQUARE
"""Pixels: a picture as small as one square can be marked."""
PLACES = ((0, 1), (1, 0), (1, 1), (0, 2), (2, 0))
"""The coefficients (vertical and horizontal frequency): low, so that JPEG and resizing keep them."""
SLOTS = SQUARE * SQUARE * len(PLACES)
"""In a square."""
BYTES = 10
"""Of the longest text."""
BITS = 8 * (BYTES + 2)
"""The text and its CRC-16."""
KNOWN = SLOTS // 4
STEP = 22.0
"""Distance of the points of one lattice, in levels of 0 to 255; those of the other lie in the middle."""
ROUNDS = 4
"""What leaves 0 to 255 is cut off, which moves coefficients again: flat white needs as many rounds."""
CERTAIN = 5.5
"""How many standard deviations better than chance the known bits must agree.

Chance does that at one of the 16,384 positions of the tile in one of 3,000 pictures, and then has the right CRC in one
of 16,000.
"""
TRIED = 4
"""The most likely positions, whose message is read."""
WEIGHTS = 0.299, 0.587, 0.114


@dataclass(frozen=True, slots=True)
class Reading:
    """What a picture says. `text` is empty where it holds no mark; `certainty` is in standard deviations of chance."""

    text: str
    certainty: float


class Tile:
    """What a key says about the slots of the tile, as arrays (SIDE, SIDE, coefficient)."""

    def __init__(self, key: str) -> None:
        self._key = key.encode()
        order = _tiled(np.argsort(self._random(b"order"), axis=1, kind="stable"))
        self.offset = _tiled(self._random(b"offset")) / 2**32 * STEP
        self.known = order < KNOWN
        self.bit = (order - KNOWN) % BITS
        """Which bit of the message a slot holds, where it is not known."""
        self.given = _tiled(self._random(b"given")) & 1

    def _random(self, what: bytes) -> NDArray[np.int64]:
        """A number below 2**32 for each slot of the four squares, from a digest: every numpy makes the same."""
        key = hashlib.sha256(self._key).digest()
        blocks = range(4 * SLOTS * 4 // 64)
        digest = b"".join(hashlib.blake2b(what + n.to_bytes(4, "big"), key=key).digest() for n in blocks)
        return np.frombuffer(digest, ">u4").astype(np.int64).reshape(4, SLOTS)

    @cached_property
    def expected(self) -> NDArray[np.float64]:
        """1 where a known slot holds a 0, -1 where it holds a 1, 0 in the others."""
        return np.where(self.known, 1 - 2 * self.given, 0).astype(np.float64)

    def bits(self, message: NDArray[np.uint8]) -> NDArray[np.int64]:
        """The bit of each slot."""
        return np.where(self.known, self.given, message[self.bit])


def write(pixels: Floats, text: str, key: str, strength: float = 1.0) -> Floats:
    """`pixels` (3, H, W), 0..1, with a mark.

    What is left over of a width or height that is no multiple of 8 stays as it is.

    Args:
        strength: Of the lattices' distance, and so of the noise that the mark adds.
    Raises:
        ValueError: The text has more than `BYTES` bytes, or the picture is smaller than a square.
    """
    data = text.encode()
    if not 1 <= len(data) <= BYTES or "\0" in text:
        raise ValueError(f"a mark holds 1 to {BYTES} bytes, and {text!r} has {len(data)}; give a shorter text or an id")
    height, width = pixels.shape[1] // BLOCK * BLOCK, pixels.shape[2] // BLOCK * BLOCK
    if min(height, width) < SMALLEST:
        size = f"{pixels.shape[2]} x {pixels.shape[1]}"
        raise ValueError(f"a mark needs {SMALLEST} x {SMALLEST} pixels, and the picture is {size}; make it larger")
    data = data.ljust(BYTES, b"\0")
    message = np.unpackbits(np.frombuffer(data + _crc(data).to_bytes(2, "big"), np.uint8))
    tile = Tile(key)
    step = STEP * strength
    down, across = height // BLOCK, width // BLOCK
    # A slot's lattice begins at its offset and, for a 1, half a step further
    start = _repeated((tile.offset + tile.bits(message) * (STEP / 2)) * strength, down, across)
    made = pixels[:, :height, :width] * np.float32(255)
    for _ in range(ROUNDS):
        found = _coefficients(_luma(made))
        moved = np.round((found - start) / step) * step + start - found
        made = (made + _picture(moved)).clip(0, 255)
    whole = pixels.copy()
    whole[:, :height, :width] = made / np.float32(255)
    return whole


def read(pixels: Floats, key: str, strength: float = 1.0) -> Reading:
    """What mark a picture (3, H, W), 0..1, holds, wherever its edges were cut."""
    tile = Tile(key)
    luma = _luma(pixels * np.float32(255))
    best = 0.0
    for certainty, votes in _positions(luma, tile, strength):
        best = max(best, certainty)
        if certainty < CERTAIN:
            break
        sums = np.bincount(tile.bit[~tile.known], votes[~tile.known], BITS)
        data = np.packbits(sums < 0).tobytes()
        text = _text(data[:BYTES]) if _crc(data[:BYTES]) == int.from_bytes(data[BYTES:], "big") else ""
        if text:
            return Reading(text, certainty)
    return Reading("", best)


def _positions(luma: Floats, tile: Tile, strength: float) -> Iterator[tuple[float, NDArray[np.float64]]]:
    """How certain the likeliest positions of the tile are, and what each slot votes for there: above 0 for a bit 0."""
    height, width = luma.shape
    found: list[tuple[float, int, int, NDArray[np.complex128]]] = []
    for top in range(min(BLOCK, height - BLOCK + 1)):
        for left in range(min(BLOCK, width - BLOCK + 1)):
            down, across = (height - top) // BLOCK, (width - left) // BLOCK
            part = luma[top : top + down * BLOCK, left : left + across * BLOCK]
            angle = _coefficients(part) * (2 * np.pi / (STEP * strength))
            turned = np.exp(1j * angle)
            folded = np.zeros((SIDE, SIDE, len(PLACES)), np.complex128)
            for row in range(0, down, SIDE):
                for column in range(0, across, SIDE):
                    block = turned[row : row + SIDE, column : column + SIDE]
                    folded[: block.shape[0], : block.shape[1]] += block
            likely = _certainty(folded, tile)
            row, column = divmod(int(likely.argmax()), SIDE)
            found.append((float(likely.max()), row, column, folded))
    found.sort(key=lambda position: -position[0])
    turn = np.exp(-2j * np.pi / STEP * tile.offset)
    for certainty, row, column, votes in found[:TRIED]:
        yield certainty, (np.roll(votes, (-row, -column), (0, 1)) * turn).real


def _certainty(folded: NDArray[np.complex128], tile: Tile) -> NDArray[np.float64]:
    """For each position of the tile (SIDE, SIDE): the sum of what the known slots say for the bits they should hold,
    over the root of the sum of its squares.

    Whatever the picture, the bits and lattices are random to it. So without a mark this is about normal with variance
    1, also for a flat picture, whose blocks are all alike.
    """
    turn = np.exp(2j * np.pi / STEP * tile.offset)
    agreement = _correlated(folded, tile.expected * turn)
    # The square of a slot's vote is (|z|**2 + Re(z**2 / turn**2)) / 2
    plain = _correlated(np.abs(folded) ** 2, tile.known)
    squared = _correlated(folded**2, tile.known * turn**2)
    made: NDArray[np.float64] = agreement / np.sqrt(np.maximum((plain + squared) / 2, 1e-9))
    return made


def _correlated(values: NDArray[Any], pattern: NDArray[Any]) -> NDArray[np.float64]:
    """The real part of the circular correlation over the tile, summed over the coefficients."""
    spectrum = np.fft.fft2(values, axes=(0, 1)) * np.fft.fft2(pattern, axes=(0, 1)).conj()
    found: NDArray[np.float64] = np.fft.ifft2(spectrum, axes=(0, 1)).sum(axis=2).real
    return found


def _crc(data: bytes) -> int:
    return binascii.crc_hqx(data, 0xFFFF)


def _text(data: bytes) -> str:
    """The text in a message; empty where it cannot have been written by `write`."""
    try:
        text = data.rstrip(b"\0").decode()
    except UnicodeDecodeError:
        return ""
    return "" if "\0" in text else text


def _luma(pixels: Floats) -> Floats:
    luma: Floats = np.tensordot(np.array(WEIGHTS, np.float32), pixels, 1).astype(np.float32)
    return luma


def _tiled(squares: NDArray[np.int64]) -> NDArray[np.int64]:
    """Four squares (4, slot) as a tile (SIDE, SIDE, coefficient)."""
    apart = squares.reshape(2, 2, SQUARE, SQUARE, len(PLACES))
    return apart.transpose(0, 2, 1, 3, 4).reshape(SIDE, SIDE, len(PLACES))


def _repeated(values: NDArray[np.float64], down: int, across: int) -> NDArray[np.float64]:
    """A tile's values for every block (down, across, coefficient)."""
    rows, columns = -(-down // SIDE), -(-across // SIDE)
    return np.tile(values, (rows, columns, 1))[:down, :across]


def _basis() -> Floats:
    """The pictures (coefficient, 8, 8) of the coefficients, of an orthonormal DCT-II."""
    at = (2 * np.arange(BLOCK) + 1) * np.pi / (2 * BLOCK)
    waves = [np.cos(at * k) * np.sqrt((1 if k == 0 else 2) / BLOCK) for k in range(3)]
    return np.stack([np.outer(waves[v], waves[u]) for v, u in PLACES]).astype(np.float32)


def _coefficients(luma: Floats) -> NDArray[np.float64]:
    """The coefficients (down, across, coefficient) of a picture (8 down, 8 across)."""
    blocks = luma.reshape(luma.shape[0] // BLOCK, BLOCK, luma.shape[1] // BLOCK, BLOCK)
    found: NDArray[np.float64] = np.einsum("aybx,cyx->abc", blocks, _basis(), optimize=True).astype(np.float64)
    return found


def _picture(coefficients: NDArray[np.float64]) -> Floats:
    down, across, _ = coefficients.shape
    blocks = np.einsum("abc,cyx->aybx", coefficients.astype(np.float32), _basis(), optimize=True)
    made: Floats = blocks.reshape(down * BLOCK, across * BLOCK)
    return made
