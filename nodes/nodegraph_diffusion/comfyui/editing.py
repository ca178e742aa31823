"""Prompts about pictures, for Qwen-Image's models that edit, as ComfyUI encodes them."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from nodegraph import Context, Facts, Known, NodeError, node

from ..encode_prompt import looked
from ..handles import TextEncoder, Vae
from ..params import Text
from ..values import Conditioning, Image
from .encoding import encoded_picture
from .scaling import scaled

if TYPE_CHECKING:
    from ..values import Floats

CATEGORY = "ComfyUI"
WHOLE, SMALL = 1024 * 1024, 384 * 384
"""Pixels of what is looked at."""


@node(version=1, title="TextEncodeQwenImageEdit", lane="gpu", category=CATEGORY)
def TextEncodeQwenImageEdit(
    ctx: Context, clip: TextEncoder, prompt: Text = "", vae: Vae | None = None, image: Image | None = None
) -> Conditioning:
    """Say how a picture should be changed.

    Args:
        prompt: What is to be different.
        vae: Shows the picture to the denoiser too.
        image: Is brought to a million pixels. Without one it is an ordinary prompt.
    """
    seen = [] if image is None else [_sized(image, WHOLE, 1, "image")]
    made = looked(ctx, clip, prompt, seen, counted=False)
    return _referring(ctx, made, vae, seen)


@node(version=1, title="TextEncodeQwenImageEditPlus", lane="gpu", category=CATEGORY)
def TextEncodeQwenImageEditPlus(
    ctx: Context, clip: TextEncoder, prompt: Text = "", vae: Vae | None = None, image1: Image | None = None,
    image2: Image | None = None, image3: Image | None = None,
) -> Conditioning:  # fmt: skip
    """Say what is to be made of up to three pictures.

    Args:
        prompt: May call them Picture 1, 2 and 3, counted without those that are not linked.
        vae: Shows the pictures to the denoiser too.
        image1: A picture.
        image2: Another.
        image3: A third.
    """
    given = {"image1": image1, "image2": image2, "image3": image3}
    pictures = {port: each for port, each in given.items() if each is not None}
    small = [_sized(each, SMALL, 1, port) for port, each in pictures.items()]
    whole = [_sized(each, WHOLE, 8, port) for port, each in pictures.items()] if vae is not None else []
    return _referring(ctx, looked(ctx, clip, prompt, small, counted=True), vae, whole)


def _sized(image: Image, pixels: int, multiple: int, port: str) -> Image:
    """The picture with about that many pixels."""
    if image.batch != 1:
        raise NodeError(f"looks at one picture, but a batch of {image.batch} is given; take one out of it", port)
    factor = math.sqrt(pixels / (image.width * image.height))
    width, height = (round(side * factor / multiple) * multiple for side in (image.width, image.height))
    if not width or not height:
        raise NodeError(f"a picture of {image.width} x {image.height} is too narrow to be looked at", port)
    return Image(scaled(image.pixels, width, height, "area"))


def _referring(ctx: Context, prompt: Conditioning, vae: Vae | None, seen: list[Image]) -> Conditioning:
    if vae is None or not seen:
        return prompt
    references: tuple[Floats, ...] = tuple(encoded_picture(ctx, vae, each) for each in seen)
    return prompt.each(lambda part: replace(part, references=references))


@TextEncodeQwenImageEdit.facts
@TextEncodeQwenImageEditPlus.facts
def _encoded(known: Known) -> dict[str, Facts]:
    return {"conditioning": known["clip"].only("prompt", "family")}
