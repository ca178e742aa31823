"""A batch as a moving picture."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from nodegraph import Context, NodeError, Widget, carry, node

from .late import np
from .params import Quality
from .values import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image as Frame

Rate = Annotated[float, Field(ge=0.1, le=60), Widget("number", step=1)]
SUFFIXES = {"gif": ".gif", "webp": ".webp", "apng": ".png"}
FASTEST_GIF = 50.0
"""Pictures a second: a GIF counts in hundredths of a second, and viewers slow down a frame of a single one."""
SAMPLED = 2**20
"""Pixels that the palette of a GIF is chosen from."""


@node(version=1, lane="io", pure=False, category="output")
def save_animation(
    ctx: Context,
    image: Image,
    name: str = "animation",
    format: Literal["gif", "webp", "apng"] = "gif",
    fps: Rate = 8.0,
    loop: bool = True,
    quality: Quality = 92,
    lossless: bool = False,
) -> None:
    """Save a batch as an animation that carries this workflow, one picture after the other.

    Args:
        image: Its pictures in their order.
        name: What the file is called, before its number.
        format: GIF plays everywhere and has 256 colours, WebP is smallest, APNG is exact.
        fps: Pictures a second; a GIF shows at most 50.
        loop: Whether it begins anew at its end.
        quality: Of WebP, unless it is lossless.
        lossless: Whether a WebP is exact.
    """
    if format == "gif" and fps > FASTEST_GIF:
        message = f"a GIF shows at most {FASTEST_GIF:g} pictures a second, and {fps:g} are asked; use webp or apng"
        raise NodeError(message, "fps")
    suffix = SUFFIXES[format]
    how = carry(ctx.document, suffix) | _options(format, loop, quality, lossless)
    frames = _frames(image.to_bytes())
    if format == "gif":
        frames = _in_one_palette(frames)
        how["palette"] = bytes(frames[0].getpalette() or [])  # else every frame repeats it
    file = io.BytesIO()
    kind = "png" if format == "apng" else format
    durations = _durations(len(frames), fps, 10 if format == "gif" else 1)
    frames[0].save(file, kind, save_all=True, append_images=frames[1:], duration=durations, **how)
    ctx.save(name, suffix, file.getvalue())


def _frames(pixels: NDArray[np.uint8]) -> list[Frame]:
    from PIL import Image as Pillow

    return [Pillow.fromarray(picture) for picture in pixels]


def _in_one_palette(frames: list[Frame]) -> list[Frame]:
    """Frames of 256 colours chosen for all of them together, so that nothing flickers."""
    from PIL import Image as Pillow

    colours = np.concatenate([np.asarray(frame).reshape(-1, 3) for frame in frames])
    sample = colours[:: max(1, len(colours) // SAMPLED)]
    palette = Pillow.fromarray(sample[None]).quantize(256, Pillow.Quantize.MEDIANCUT)
    return [frame.quantize(palette=palette, dither=Pillow.Dither.FLOYDSTEINBERG) for frame in frames]


def _durations(count: int, fps: float, unit: int) -> list[int]:
    """Milliseconds of each frame in multiples of `unit`, rounded so that the sum stays right."""
    ends = np.rint(np.arange(count + 1) * (1000 / fps / unit)).astype(int)
    return [int(length) * unit for length in np.diff(ends)]


def _options(format: str, loop: bool, quality: int, lossless: bool) -> dict[str, Any]:
    match format:
        case "gif":
            return {"loop": 0} if loop else {}
        case "webp":
            return {"loop": 0 if loop else 1, "quality": quality, "lossless": lossless, "method": 4}
        case _:
            return {"loop": 0 if loop else 1}
