"""Opening picture files that nobody vouches for."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from .context import NodeError

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000", "PPM", "QOI")
MAX_PIXELS = 2**27
"""Pixels of the largest picture that is read or made: as float32 RGB it takes 1.6 GB."""


@contextmanager
def open_picture(source: Path | bytes) -> Iterator[ImageFile]:
    """Read the header of a picture in a file or in memory; inside the block Pillow decodes the rest when asked to.

    Pillow's own `open` is not used: it also tries formats that run other programs (EPS), and it reports large pictures
    as a warning, which threads can only silence for the whole process.

    Raises:
        OSError: The file cannot be opened.
        ValueError: It is no picture in one of `FORMATS`, it has more than `MAX_PIXELS`, or (also out of the block)
            it is damaged.
    """
    with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
        try:
            picture = _opened(file)
            width, height = picture.size
            if width * height > MAX_PIXELS:
                raise _RefusedError(
                    f"it is {width:,} x {height:,} pixels; at most {MAX_PIXELS:,} pixels are read, so make it smaller"
                )
            yield picture
        except (NodeError, MemoryError):
            raise
        except _RefusedError as error:
            raise ValueError(str(error)) from None
        except Exception as error:  # decoders raise nearly anything for damaged data
            reason = str(error).rstrip(".") or type(error).__name__
            raise ValueError(f"it cannot be decoded ({reason}), so it is cut short or damaged; save it anew") from error


class _RefusedError(Exception):
    """Not the decoder's words but ours."""


def _opened(file: IO[bytes]) -> ImageFile:
    from PIL import Image

    start = file.read(16)
    for prepare in (Image.preinit, Image.init):  # the second takes 0.2 s and is needed for the rarer formats only
        prepare()
        for factory, accept in (Image.OPEN[name] for name in FORMATS if name in Image.OPEN):
            if accept is not None and accept(start) is True:
                file.seek(0)
                return factory(file, "")
    what = "not a picture" if start else "an empty file"
    raise _RefusedError(f"it is {what}; needed is a file in one of the formats {', '.join(FORMATS)}")
