"""Pictures to send, made without a picture library where that matters."""

from __future__ import annotations

import struct
import zlib


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(
    width: int, height: int, colour: tuple[int, int, int] = (200, 40, 40), claims: tuple[int, int] | None = None
) -> bytes:
    """A picture of one colour. `claims` is the size its header says, where that is a lie."""
    says = claims or (width, height)
    rows = b"".join(b"\0" + bytes(colour) * width for _ in range(height))
    header = struct.pack(">IIBBBBB", *says, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
