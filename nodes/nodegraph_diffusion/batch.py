"""Several pictures as one batch, and one out of it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from nodegraph import NodeError, Widget, node

from .late import np
from .sizes import check_size
from .values import Image

Index = Annotated[int, Field(ge=-4096, le=4095), Widget("number", step=1)]


@node(version=1, category="image")
def join_images(images: list[Image]) -> Image:
    """Join pictures and batches of one size into one batch.

    Args:
        images: Pictures and batches, in the order of the links.
    """
    if not images:
        raise NodeError("needs at least one picture; link one", "images")
    sizes = {(image.width, image.height) for image in images}
    if len(sizes) > 1:
        listed = ", ".join(f"{w} x {h}" for w, h in sorted(sizes))
        raise NodeError(f"pictures of one size make a batch, and these are {listed} pixels; resize them", "images")
    check_size(images[0].width, images[0].height, sum(image.batch for image in images), "images")
    return Image(np.concatenate([image.pixels for image in images]))


@node(version=1, category="image")
def pick_image(image: Image, index: Index = 0) -> Image:
    """Take one picture out of a batch.

    Args:
        image: The batch.
        index: Which one: 0 is the first, -1 the last.
    """
    if not -image.batch <= index < image.batch:
        raise NodeError(f"the batch has {image.batch}, so there is no picture {index}; the last one is -1", "index")
    return Image(image.pixels[index][None])
