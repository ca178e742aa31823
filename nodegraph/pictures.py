"""Opening picture files that nobody vouches for."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000", "PPM", "QOI")
LARGEST = 2**27
"""Pixels of the largest picture that is read or made: as float32 RGB it takes 1.6 GB."""


def open_picture(file: IO[bytes]) -> ImageFile:
    """Read the header of a picture; Pillow decodes the rest when asked to.

    Pillow's own `open` is not used: it also tries formats that run other programs (EPS), and it reports large pictures
    as a warning, which threads can only silence for the whole process.

    Args:
        file: At its beginning. It must stay open for as long as the picture is used.
    Raises:
        ValueError: This is no picture in one of `FORMATS`, its header is damaged, or it has more pixels than `LARGEST`.
    """
    from PIL import Image

    start = file.read(16)
    for prepare in (Image.preinit, Image.init):  # the second takes 0.2 s and is needed for the rarer formats only
        prepare()
        for factory, accept in (Image.OPEN[name] for name in FORMATS if name in Image.OPEN):
            if accept is not None and accept(start) is True:
                file.seek(0)
                return _opened(factory, file)
    what = "an empty file" if not start else "not a picture"
    raise ValueError(f"it is {what}; needed is a file in one of the formats {', '.join(FORMATS)}")


def _opened(factory: Callable[[IO[bytes], str], ImageFile], file: IO[bytes]) -> ImageFile:
    from PIL import Image

    try:
        picture = factory(file, "")
    except (SyntaxError, OSError, ValueError, LookupError, TypeError, struct.error) as error:
        raise ValueError(f"its header is damaged ({error}); save the picture anew") from error
    except Image.DecompressionBombError as error:
        raise ValueError(f"{error} At most {LARGEST:,} pixels are read; make it smaller") from error
    width, height = picture.size
    if width * height > LARGEST:
        raise ValueError(f"it is {width:,} x {height:,} pixels; at most {LARGEST:,} are read, so make it smaller")
    return picture
