"""What a sweep leaves behind beside its cells: a labelled contact sheet, and a page to browse them."""

from __future__ import annotations

import io
import json
import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

from .axes import Axis
from .carrier import PICTURES, carry
from .engine import Cell
from .pictures import open_picture

if TYPE_CHECKING:
    from PIL.Image import Image as Picture
    from PIL.ImageFont import FreeTypeFont, ImageFont

GAP = 8
LARGEST = 512
"""Pixels of the longer side of a picture on the sheet; larger ones are made smaller."""
SHEET = 2**14
"""Pixels of the longest side of a sheet: more, and its pictures are made smaller still."""
LINE = 24
"""Letters in a line of a row's title."""
INK, PAPER, FAINT = "#202020", "#ffffff", "#b0b0b0"


@dataclass(frozen=True, slots=True)
class Sheet:
    """Where cells lie: the first axis runs across, all others run down."""

    axes: Sequence[Axis]
    zipped: bool

    def columns(self) -> list[str]:
        return [] if self.zipped else [_label(self.axes[0].name, v) for v in self.axes[0].values]

    def place(self, cell: Cell) -> tuple[int, int]:
        """The row and column of a cell."""
        if self.zipped:
            return cell.place[0], 0
        row = 0
        for axis, index in zip(self.axes[1:], cell.place[1:], strict=True):
            row = row * len(axis.values) + index
        return row, cell.place[0]

    def row(self, cell: Cell) -> str:
        """What the row of a cell is called, one line for each axis."""
        axes = self.axes if self.zipped else self.axes[1:]
        return "\n".join(_label(axis.name, cell.inputs[axis.name]) for axis in axes)


def _label(name: str, value: Any) -> str:
    return f"{name.rpartition('.')[2]} {value}"


def contact_sheet(sheet: Sheet, cells: Sequence[Cell], document: str) -> bytes:
    """The cells as one PNG, with the document in it. A cell that failed is an empty frame."""
    from PIL import Image, ImageDraw, ImageFont

    thumbs = [_picture(cell) for cell in cells]
    places = [sheet.place(cell) for cell in cells]
    rows, columns = (1 + max(place[axis] for place in places) for axis in (0, 1))
    side = min(LARGEST, SHEET // rows - GAP, SHEET // columns - GAP)
    for thumb in thumbs:
        if thumb is not None:
            thumb.thumbnail((side, side))
    sizes = [thumb.size for thumb in thumbs if thumb is not None] or [(64, 64)]
    width, height = (max(size[axis] for size in sizes) for axis in (0, 1))
    letters = max(11, min(22, width // 14))
    font = ImageFont.load_default(letters)
    titles = {place[0]: _wrapped(sheet.row(cell), height // letters) for cell, place in zip(cells, places, strict=True)}
    lines = [line for title in titles.values() for line in title]
    margin = max((math.ceil(font.getlength(line)) for line in lines), default=0)
    left = margin + 2 * GAP if margin else GAP
    heads = sheet.columns()
    top = letters * 2 + GAP if heads else GAP
    made = Image.new("RGB", (left + columns * (width + GAP), top + rows * (height + GAP)), PAPER)
    draw = ImageDraw.Draw(made)
    for column, head in enumerate(heads):
        draw.text((left + column * (width + GAP) + width / 2, top / 2), _fit(head, width, font), INK, font, "mm")
    for row, title in titles.items():
        y = top + row * (height + GAP) + height / 2
        draw.text((left - GAP, y), "\n".join(title), INK, font, "rm", align="right")
    for thumb, (row, column) in zip(thumbs, places, strict=True):
        x, y = left + column * (width + GAP), top + row * (height + GAP)
        if thumb is None:
            draw.rectangle((x, y, x + width - 1, y + height - 1), outline=FAINT)
            draw.text((x + width / 2, y + height / 2), "failed", FAINT, font, "mm")
        else:
            made.paste(thumb, (x + (width - thumb.width) // 2, y + (height - thumb.height) // 2))
    file = io.BytesIO()
    made.save(file, "png", **carry(document, ".png"))
    return file.getvalue()


def _wrapped(title: str, most: int) -> list[str]:
    """The lines of a title in lines of 24 letters; at most `most`, the last of which then ends in an ellipsis."""
    lines = [part for line in title.splitlines() for part in textwrap.wrap(line, LINE)]
    return lines if len(lines) <= max(1, most) else [*lines[: max(1, most)][:-1], f"{lines[max(1, most) - 1]}…"]


def _fit(text: str, width: float, font: FreeTypeFont | ImageFont) -> str:
    """`text`, cut to a width in pixels."""
    shown = text
    while shown and font.getlength(shown) > width:
        text = text[:-1]
        shown = f"{text}…" if text else ""
    return shown


def picture_of(cell: Cell) -> Path | None:
    """The first picture that a cell saved."""
    files = cell.result.files if cell.result is not None else []
    return next((file for file in files if file.suffix.lower() in PICTURES), None)


def _picture(cell: Cell) -> Picture | None:
    """The picture of a cell: what it saved, or the first of its outputs that shows itself."""
    from PIL import Image

    if cell.result is None:
        return None
    if (file := picture_of(cell)) is not None:
        with open_picture(file) as picture:
            return picture.convert("RGB")
    shown = next((value for value in cell.result.values() if hasattr(value, "_repr_png_")), None)
    return None if shown is None else Image.open(io.BytesIO(shown._repr_png_())).convert("RGB")


def page(sheet: Sheet, cells: Sequence[Cell], title: str, folder: Path) -> str:
    """A page of HTML that shows the pictures in `folder` in rows and columns, and any of them large.

    It needs nothing but itself and the pictures.
    """
    rows: dict[int, list[tuple[int, Cell]]] = {}
    for cell in cells:
        row, column = sheet.place(cell)
        rows.setdefault(row, []).append((column, cell))
    heads = "".join(f"<th>{escape(head)}</th>" for head in sheet.columns())
    body = "".join(
        f"<tr><th>{escape(sheet.row(found[0][1]), quote=False)}</th>"
        + "".join(_cell(cell, folder) for _, cell in sorted(found, key=lambda item: item[0]))
        + "</tr>"
        for _, found in sorted(rows.items())
    )
    head = f"<tr><th></th>{heads}</tr>" if heads else ""
    return PAGE.substitute(title=escape(title), table=head + body)


def _cell(cell: Cell, folder: Path) -> str:
    inputs = escape(json.dumps(dict(cell.inputs), ensure_ascii=False, default=str))
    file = picture_of(cell)
    if file is None:
        return f'<td title="{inputs}">{escape(cell.error or "no picture")}</td>'
    source = escape(file.relative_to(folder).as_posix())
    return f'<td><img loading="lazy" src="{source}" alt="{inputs}" title="{inputs}" tabindex="0"></td>'


PAGE = Template("""<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>$title</title>
<style>
body { font: 14px system-ui, sans-serif; margin: 1rem; color: #202020; background: #fff }
table { border-spacing: 6px } th { font-weight: 500; white-space: pre-line; background: #fff; padding: 4px }
th { position: sticky; top: 0; left: 0 }
td { max-width: 256px; vertical-align: top; color: #a00000 }
img { max-width: 256px; max-height: 256px; cursor: zoom-in; display: block } img:focus { outline: 2px solid #1060d0 }
dialog { max-width: 96vw; border: 0; padding: 0; background: #000; color: #fff }
dialog img { max-width: 96vw; max-height: 88vh; margin: auto; cursor: zoom-out }
dialog p { margin: 8px; font-size: 13px }
dialog::backdrop { background: #000c }
</style>
<h1>$title</h1><p>Click a picture or press Enter on it for its full size; the arrow keys go to the others.</p>
<table>$table</table>
<dialog><img alt=""><p></p></dialog>
<script>
const all = [...document.querySelectorAll("td img")], box = document.querySelector("dialog")
const columns = Math.max(1, ...[...document.querySelectorAll("tr")].map(row => row.querySelectorAll("td").length))
let now = 0
function show(index) {
  now = Math.min(Math.max(index, 0), all.length - 1)
  box.querySelector("img").src = all[now].src
  box.querySelector("img").alt = box.querySelector("p").textContent = all[now].title
  if (!box.open) box.showModal()
}
all.forEach((picture, index) => {
  picture.onclick = () => show(index)
  picture.onkeydown = event => { if (event.key === "Enter") show(index) }
})
box.onclick = () => box.close()
document.onkeydown = event => {
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key]
  if (box.open && step) { event.preventDefault(); show(now + step) }
}
</script></html>
""")
