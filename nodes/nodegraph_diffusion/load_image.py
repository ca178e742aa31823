"""A picture from a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

from nodegraph import Context, Facts, Known, Widget, node

from .late import np
from .picture_files import gather, in_srgb, picture_frames
from .values import Image, Mask

if TYPE_CHECKING:
    from PIL.Image import Image as Frame


class LoadedImage(NamedTuple):
    image: Image
    mask: Mask


@node(version=1, lane="io", category="image")
def load_image(
    ctx: Context, file: Annotated[Path, Widget("image")], frames: Literal["first", "all"] = "first"
) -> LoadedImage:
    """Load a picture from a file.

    It is turned as its camera says (EXIF) and converted to sRGB where it carries another colour profile. Palettes,
    greys (8 and 16 bits), CMYK and transparency are read; what a file is called plays no part.

    Args:
        file: A PNG, JPEG, WebP, GIF, BMP, TIFF, AVIF, JPEG 2000, PPM or QOI.
        frames: Of an animation or of several pages: the first, or all as a batch.
    Returns:
        image: The colours, also those under transparency.
        mask: What is transparent: 1 where it is wholly, 0 where it is opaque or the file knows no transparency.
    """
    with picture_frames(file, every=frames == "all") as found:
        pixels, opacity = gather(_converted(ctx, found))
    transparent = np.zeros((len(pixels), *pixels.shape[2:]), np.float32) if opacity is None else 1 - opacity
    return LoadedImage(Image(pixels), Mask(transparent))


@load_image.facts
def _facts(known: Known) -> dict[str, Facts]:
    file = known.value("file")
    if file is None or not file.is_file():
        return {}
    from PIL import Image as Pillow
    from PIL.ExifTags import Base

    try:
        with Pillow.open(file) as picture:
            (width, height), turned = picture.size, picture.getexif().get(Base.Orientation, 1) > 4
    except (OSError, ValueError, Pillow.DecompressionBombError):
        return {}
    if turned:
        width, height = height, width
    size = Facts(width=width, height=height, batch=1 if known.value("frames") == "first" else None)
    return {"image": size, "mask": size}


def _converted(ctx: Context, frames: Iterator[Frame]) -> Iterator[Frame]:
    from PIL.ImageCms import PyCMSError

    for frame in frames:
        try:
            yield in_srgb(frame)
        except (OSError, PyCMSError) as error:
            ctx.warn(f"its colour profile cannot be used ({error}), so its colours are taken as sRGB")
            yield frame
