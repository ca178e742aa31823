"""Pictures to files."""

from __future__ import annotations

import io
from typing import Any, Literal

from nodegraph import Context, carry, node

from .params import Quality
from .values import Image

SUFFIXES = {"png": ".png", "jpeg": ".jpg", "webp": ".webp"}


@node(version=1, lane="io", pure=False, category="output")
def save_image(
    ctx: Context,
    image: Image,
    name: str = "picture",
    format: Literal["png", "jpeg", "webp"] = "png",
    quality: Quality = 92,
    lossless: bool = False,
) -> None:
    """Save every picture of a batch as a file in sRGB that carries this workflow: open it to get the workflow back.

    Args:
        image: A picture, or a batch of them.
        name: What the files are called, before their number.
        format: PNG is exact; JPEG and WebP are smaller.
        quality: Of JPEG, and of WebP unless it is lossless.
        lossless: Whether a WebP is exact.
    """
    from PIL import Image as Pillow

    suffix = SUFFIXES[format]
    how = carry(ctx.document, suffix) | _options(format, quality, lossless)
    if format == "png":
        how["pnginfo"].add(b"sRGB", b"\0")  # perceptual; JPEG and WebP without a profile are sRGB by their standards
    pictures = image.to_bytes()
    for number, pixels in enumerate(pictures, 1):
        file = io.BytesIO()
        Pillow.fromarray(pixels).save(file, format, **how)
        ctx.save(name, suffix, file.getvalue())
        ctx.progress(number, len(pictures))


def _options(format: str, quality: int, lossless: bool) -> dict[str, Any]:
    match format:
        case "png":
            return {"compress_level": 4}
        case "jpeg":
            return {"quality": quality, "subsampling": 0 if quality >= 90 else 2, "optimize": True}
        case _:
            return {"quality": quality, "lossless": lossless, "method": 4}
