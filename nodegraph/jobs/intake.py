"""How a picture that was sent comes into the folder of uploads."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import time
from pathlib import Path

from ..pictures import open_picture
from .library import Upload

SUFFIXES = {
    "PNG": ".png", "JPEG": ".jpg", "MPO": ".jpg", "WEBP": ".webp", "GIF": ".gif", "BMP": ".bmp", "TIFF": ".tiff",
    "AVIF": ".avif", "JPEG2000": ".jp2", "PPM": ".ppm", "QOI": ".qoi",
}  # fmt: skip
UPLOAD = rf"[0-9a-f]{{32}}(?:{'|'.join(re.escape(s) for s in sorted(set(SUFFIXES.values())))})"
"""What the name of an upload looks like: the digest of its bytes, and the suffix of its format."""


def keep_picture(data: bytes, folder: Path) -> Upload:
    """Store a picture under the digest of its bytes. Raises `ValueError` for what is none."""
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=".", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        with open_picture(Path(temporary)) as picture:
            suffix = SUFFIXES[picture.format or ""]
            width, height = picture.size
        name = hashlib.blake2b(data, digest_size=16).hexdigest() + suffix
        os.replace(temporary, folder / name)
    finally:
        Path(temporary).unlink(missing_ok=True)
    return Upload(name, width, height, len(data), time.time())
