"""An invisible mark in a picture, and reading it."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from pydantic import Field

from nodegraph import NodeError, Widget, node

from . import qim
from .late import np
from .values import Image

Strength = Annotated[float, Field(ge=0.25, le=2), Widget("slider", step=0.05)]


class Read(NamedTuple):
    text: str
    found: bool
    certainty: float


@node(version=1, category="provenance")
def watermark(image: Image, text: str = "nodegraph", key: str = "", strength: Strength = 1.0) -> Image:
    """Write a short text into a picture so that nobody sees it and ReadWatermark finds it.

    It survives JPEG, cropping, and resizing there and back. Whoever knows how it is made can take it out, and another
    diffusion pass washes it away: it says where a picture came from, and cannot prove where one did not.

    Args:
        image: At least 64 x 64 pixels.
        text: 1 to 10 bytes: a name, or an id that is written down elsewhere.
        key: Only who knows it can read the mark or take it for another's. An empty one is known to all.
        strength: How strong the mark is: 1 changes pixels by 43 dB (noise of 2 levels of 255), and JPEG of quality 50
            does not harm it.
    """
    try:
        return Image(np.stack([qim.write(pixels, text, key, strength) for pixels in image.pixels]))
    except ValueError as error:
        raise NodeError(str(error), "image" if "pixels" in str(error) else "text") from error


@node(version=1, category="provenance")
def read_watermark(image: Image, key: str = "", strength: Strength = 1.0) -> Read:
    """Read the mark that Watermark wrote into a picture.

    Args:
        image: In the size in which it was marked; edges may be cut off.
        key: That it was written with.
        strength: That it was written with.
    Returns:
        text: What it says; a line for each picture of a batch, empty where there is no mark.
        found: Whether every picture of the batch is marked.
        certainty: By how many standard deviations the mark stands out of chance, at least. Below 5 nothing is read.
    """
    readings = [qim.read(pixels, key, strength) for pixels in image.pixels]
    texts = [reading.text for reading in readings]
    return Read("\n".join(texts), all(texts), round(min(reading.certainty for reading in readings), 3))
