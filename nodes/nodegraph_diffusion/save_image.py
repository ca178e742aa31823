"""Pictures to files."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Literal

from nodegraph import Context, NodeError, carry, node

from .late import np
from .params import Quality
from .sizes import common_batch
from .values import Image, Mask

if TYPE_CHECKING:
    from numpy.typing import NDArray

SUFFIXES = {"png": ".png", "jpeg": ".jpg", "webp": ".webp"}


@node(version=1, lane="io", pure=False, category="output")
def save_image(
    ctx: Context,
    image: Image,
    name: str = "picture",
    format: Literal["png", "jpeg", "webp"] = "png",
    quality: Quality = 92,
    lossless: bool = False,
    transparent: Mask | None = None,
) -> None:
    """Save every picture of a batch as a file in sRGB that carries this workflow: open it to get the workflow back.

    Args:
        image: A picture, or a batch of them.
        name: What the files are called, before their number.
        format: PNG is exact; JPEG and WebP are smaller.
        quality: Of JPEG, and of WebP unless it is lossless.
        lossless: Whether a WebP is exact.
        transparent: What is transparent, of the pictures' size, as LoadImage gives it; PNG and WebP keep it. A mask
            that selects nothing leaves no trace.
    """
    pictures = _opaque(image, transparent, format)
    for number, pixels in enumerate(pictures, 1):
        ctx.save(name, SUFFIXES[format], encoded(pixels, ctx.document, format, quality, lossless))
        ctx.progress(number, len(pictures))


def encoded(pixels: NDArray[np.uint8], document: str, format: str, quality: int, lossless: bool) -> bytes:
    """A picture (H, W, 3 or 4) as a file with a document in it."""
    from PIL import Image as Pillow

    how = carry(document, SUFFIXES[format]) | _options(format, quality, lossless)
    if format == "png":
        how["pnginfo"].add(b"sRGB", b"\0")  # perceptual; JPEG and WebP without a profile are sRGB by their standards
    file = io.BytesIO()
    Pillow.fromarray(pixels).save(file, format, **how)
    return file.getvalue()


def _opaque(image: Image, transparent: Mask | None, format: str) -> NDArray[np.uint8]:
    """The pictures as bytes (B, H, W, 3), or (B, H, W, 4) with how opaque they are."""
    colours = image.to_bytes()
    if transparent is None or not transparent.values.any():
        return colours
    if format == "jpeg":
        raise NodeError("a JPEG keeps no transparency; choose png or webp, or link no mask", "transparent")
    if (transparent.width, transparent.height) != (image.width, image.height):
        sizes = f"{transparent.width} x {transparent.height}, the picture {image.width} x {image.height}"
        raise NodeError(f"needs a mask in the size of the picture, and the mask is {sizes}; resize it", "transparent")
    batch = common_batch(("image", image.batch), ("transparent", transparent.batch))
    opaque = ((1 - transparent.values) * 255 + 0.5).astype(np.uint8)[..., None]
    parts = (np.repeat(part, batch // len(part), axis=0) for part in (colours, opaque))
    return np.concatenate(list(parts), axis=3)


def _options(format: str, quality: int, lossless: bool) -> dict[str, Any]:
    match format:
        case "png":
            return {"compress_level": 4}
        case "jpeg":
            return {"quality": quality, "subsampling": 0 if quality >= 90 else 2, "optimize": True}
        case _:
            return {"quality": quality, "lossless": lossless, "method": 4, "exact": True}
