"""Many pictures on one sheet."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from nodegraph import NodeError, Widget, node

from .colours import luminance, rgb
from .late import np
from .params import Colour, Text
from .sizes import check_size
from .values import Image

if TYPE_CHECKING:
    from .values import Floats

Columns = Annotated[int, Field(ge=0, le=256), Widget("number", step=1)]
Gap = Annotated[int, Field(ge=0, le=1024), Widget("number", step=1)]


@node(version=1, category="image")
def grid(
    images: list[Image], columns: Columns = 0, gap: Gap = 4, background: Colour = "#ffffff", labels: Text = ""
) -> Image:
    """Lay out pictures and batches as a contact sheet, row by row.

    Pictures of different sizes lie in the middle of cells as large as the largest.

    Args:
        images: Pictures and batches, in the order of the links.
        columns: Pictures in a row. 0 makes the sheet about square.
        gap: Pixels between pictures and around them.
        background: What shows between them.
        labels: Written below the pictures, one line for each.
    """
    pictures = [picture for image in images for picture in image.pixels]
    if not pictures:
        raise NodeError("needs at least one picture; link one", "images")
    lines = labels.splitlines()
    if len(lines) > len(pictures):
        raise NodeError(f"has {len(lines)} lines for {len(pictures)} pictures; give at most one for each", "labels")
    height, width = (max(picture.shape[axis] for picture in pictures) for axis in (1, 2))
    across = min(columns or math.ceil(math.sqrt(len(pictures))), len(pictures))
    down = math.ceil(len(pictures) / across)
    strip = _letter_height(width) * 3 // 2 if any(lines) else 0
    step_x, step_y = width + gap, height + strip + gap
    check_size(across * step_x + gap, down * step_y + gap, port="images")
    sheet = np.empty((3, down * step_y + gap, across * step_x + gap), np.float32)
    sheet[:] = paper = rgb(background)
    for index, picture in enumerate(pictures):
        row, column = divmod(index, across)
        top, left = gap + row * step_y, gap + column * step_x
        y, x = top + (height - picture.shape[1]) // 2, left + (width - picture.shape[2]) // 2
        sheet[:, y : y + picture.shape[1], x : x + picture.shape[2]] = picture
        if index < len(lines) and strip:
            ink = np.float32(luminance(paper)[0, 0] < 0.5)
            cover = _written(lines[index], width, strip)
            below = sheet[:, top + height : top + height + strip, left : left + width]
            below += cover * (ink - below)
    return Image(sheet[None])


def _letter_height(width: int) -> int:
    return max(9, min(width // 12, 48))


def _written(text: str, width: int, height: int) -> Floats:
    """How much ink lies on each pixel of a strip with `text` in its middle; too long a text ends in an ellipsis."""
    from PIL import Image as Pillow
    from PIL import ImageDraw, ImageFont

    strip = Pillow.new("L", (width, height))
    draw, font = ImageDraw.Draw(strip), ImageFont.load_default(_letter_height(width))
    shown = text
    while shown and draw.textlength(shown, font) > width:
        text = text[:-1]
        shown = f"{text}…" if text else ""
    draw.text((width / 2, height / 2), shown, 255, font, anchor="mm")
    return np.asarray(strip, np.float32) / np.float32(255)
