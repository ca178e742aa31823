"""Pictures in files, as Pillow frames and as float32 arrays."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from nodegraph import MAX_PIXELS, NodeError, open_picture

from .late import np

if TYPE_CHECKING:
    from PIL.Image import Image as Frame

    from .values import Floats


@contextmanager
def picture_frames(file: Path, every: bool = False) -> Iterator[Iterator[Frame]]:
    """The first frame of a picture file, or every one, turned as its EXIF says and decoded when asked for.

    Raises:
        NodeError: Of the port `file`: it is missing, no picture, too large or (also out of the block) damaged.
    """
    try:
        with open_picture(file) as picture:
            yield _turned(picture, every)
    except OSError as error:
        message = f"{str(file)!r} cannot be opened: {error.strerror or error}; give the path of a picture"
        raise NodeError(message, "file") from error
    except ValueError as error:
        raise NodeError(f"{str(file)!r} cannot be loaded: {error}", "file") from error


def _turned(picture: Frame, every: bool) -> Iterator[Frame]:
    from PIL import ImageOps, ImageSequence

    # The further pictures of an MPO, as phones write, are previews and depth maps
    several = every and picture.format != "MPO"
    for frame in ImageSequence.Iterator(picture) if several else [picture]:
        yield ImageOps.exif_transpose(frame)


def gather(frames: Iterator[Frame]) -> tuple[Floats, Floats | None]:
    """Frames of one size as pixels (B, 3, H, W) and opacity (B, H, W), both 0..1; None where there is no transparency.

    Raises:
        NodeError: Their sizes differ, or they have more than `MAX_PIXELS` in all.
    """
    pixels: list[Floats] = []
    opacity: list[Floats | None] = []
    for frame in frames:
        if (len(pixels) + 1) * frame.width * frame.height > MAX_PIXELS:
            raise NodeError(f"its frames have more than {MAX_PIXELS:,} pixels in all; load only the first", "frames")
        if pixels and pixels[0].shape[1:] != (frame.height, frame.width):
            first = f"{pixels[0].shape[2]} x {pixels[0].shape[1]}"
            message = f"frame {len(pixels) + 1} is {frame.width} x {frame.height} pixels and the first is {first}"
            raise NodeError(f"{message}, so they make no batch; load only the first", "frames")
        colours, opaque = levels(frame)
        pixels.append(colours)
        opacity.append(opaque)
    if all(plane is None for plane in opacity):
        return np.stack(pixels), None
    whole = np.ones(pixels[0].shape[1:], np.float32)
    return np.stack(pixels), np.stack([whole if plane is None else plane for plane in opacity])


def levels(frame: Frame) -> tuple[Floats, Floats | None]:
    """A frame as pixels (3, H, W) and opacity (H, W), both 0..1. Greys of 16 bits keep all of them."""
    if frame.mode.startswith("I") or frame.mode == "F":
        grey = np.asarray(frame, np.float32) / np.float32(1 if frame.mode == "F" else 65535)
        if not (grey.min() >= 0 and grey.max() <= 1):
            kind, limits = ("floating point", "0 and 1") if frame.mode == "F" else ("integer", "0 and 65535")
            raise NodeError(
                f"its {kind} pixels need to lie between {limits}; save it with 8 or 16 bits a channel", "file"
            )
        return np.repeat(grey[None], 3, axis=0), None
    transparent = frame.has_transparency_data
    planes = np.asarray(frame.convert("RGBA" if transparent else "RGB"), np.float32).transpose(2, 0, 1)
    scaled = planes / np.float32(255)
    return scaled[:3], scaled[3] if transparent else None


def in_srgb(frame: Frame) -> Frame:
    """A frame whose colours are described by an embedded ICC profile, converted to sRGB.

    Raises:
        OSError, PIL.ImageCms.PyCMSError: The profile is damaged or made for other channels.
    """
    from PIL import Image, ImageCms

    profile = frame.info.get("icc_profile")
    if not profile or frame.mode.startswith("I") or frame.mode == "F":
        return frame
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    if "srgb" in ImageCms.getProfileDescription(source).casefold():
        return frame  # a conversion to itself would still round
    target = ImageCms.createProfile("sRGB")
    if frame.mode in ("P", "PA", "LA") or frame.has_transparency_data:
        frame = frame.convert("RGBA" if frame.has_transparency_data else "RGB")
    opacity = frame.getchannel("A") if frame.mode == "RGBA" else None
    colours = frame.convert("RGB") if opacity else frame
    if colours.mode == "RGB" and source.profile.xcolor_space.strip() == "GRAY":
        colours = colours.convert("L")
    made = ImageCms.profileToProfile(colours, source, target, outputMode="RGB")
    assert isinstance(made, Image.Image)
    if opacity:
        made.putalpha(opacity)
    return made
