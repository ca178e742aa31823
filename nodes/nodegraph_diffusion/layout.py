"""Prompts in places."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Annotated

from pydantic import Field

from nodegraph import Context, NodeError, Widget, node

from .encode_prompt import encode_prompt, phrase
from .handles import TextEncoder
from .late import np
from .layouts import Area, Layout
from .params import Text, Unit
from .values import Conditioning, Mask

Weight = Annotated[float, Field(gt=0, le=100), Widget("number", step=0.5)]
NUMBER = r"(\d+(?:\.\d*)?|\.\d+)"
LINE = re.compile(rf"\s*{NUMBER}\s+{NUMBER}\s+{NUMBER}\s+{NUMBER}(?:\s+{NUMBER})?\s*:(.*)")


@node(version=1, lane="gpu", category="prompt")
def layout(
    ctx: Context,
    text_encoder: TextEncoder,
    background: Text = "",
    boxes: Annotated[str, Widget("boxes")] = "",
    until: Unit = 0.0,
    soft: Unit = 0.1,
    gligen_beta: Unit = 0.3,
) -> Layout:
    """Say what a picture should show where: boxes with prompts of their own. Goes to Sample instead of a prompt.

    Each box is sampled as a small picture of its own while the whole is sampled with the background's prompt, and their
    answers are laid over each other at every step. It works with every model, and best with boxes about as large as the
    pictures that the model was trained on. Every box costs as much as a picture of its size.

    A model with GLIGEN (see ApplyGligen) is told the boxes instead, which costs little: the background's prompt should
    then name everything.

    Args:
        background: The prompt of the whole picture, and of what no box covers.
        boxes: One box in a line, `left top width height: prompt` in shares of the picture, such as
            `0.5 0 0.5 1: a cat`. A fifth number is a weight, for boxes that overlap.
        until: Down to which share of the starting noise boxes are sampled by themselves. Above 0 the background's
            prompt joins them in the last steps: it should then tell everything.
        soft: Width of a box's soft edge, as a share of its shorter side.
        gligen_beta: Of models with GLIGEN, up to which part of the steps they hold to the boxes. 0.3 leaves them their
            finish, 1 is the strictest.
    """
    areas = []
    for number, line in enumerate(boxes.splitlines(), 1):
        if line.strip():
            areas.append(_area(ctx, text_encoder, line, number))
    return Layout(encode_prompt.fn(ctx, text_encoder, background), tuple(areas), until, soft, gligen_beta)


def _area(ctx: Context, text_encoder: TextEncoder, line: str, number: int) -> Area:
    found = LINE.fullmatch(line)
    if not found:
        message = f"line {number} is {line.strip()!r}, but a box is `left top width height: prompt`"
        raise NodeError(f"{message}, such as `0.5 0 0.5 1: a cat`", "boxes")
    x, y, width, height = (float(part) for part in found.groups()[:4])
    if width <= 0 or height <= 0 or x + width > 1.0001 or y + height > 1.0001:
        message = f"the box in line {number} reaches from {x:g}, {y:g} to {x + width:g}, {y + height:g}"
        raise NodeError(f"{message}, but a box lies within 0 and 1 and has a width and a height; change it", "boxes")
    weight = float(found[5]) if found[5] else 1.0
    if weight <= 0:
        raise NodeError(f"the weight in line {number} is {weight:g}; give one above 0", "boxes")
    text = found[6].strip()
    said = phrase(ctx, text_encoder, text)
    return Area(encode_prompt.fn(ctx, text_encoder, text), x, y, width, height, weight, phrase=said)


@node(version=1, category="prompt")
def layout_area(layout: Layout, prompt: Conditioning, mask: Mask, weight: Weight = 1.0) -> Layout:
    """Add an area of any shape to a layout.

    Args:
        layout: Where to add it.
        prompt: What the area should show.
        mask: The area, of the picture's proportions and of any size.
        weight: How much it counts where areas overlap.
    """
    values = mask.values.max(axis=0)
    rows, columns = np.flatnonzero(values.any(axis=1)), np.flatnonzero(values.any(axis=0))
    if not len(rows):
        raise NodeError("the mask selects nothing, so there is no area; paint one", "mask")
    top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    place = (left / mask.width, top / mask.height, (right - left) / mask.width, (bottom - top) / mask.height)
    area = Area(prompt, *place, weight, Mask(values[None, top:bottom, left:right]))
    return replace(layout, areas=(*layout.areas, area))
