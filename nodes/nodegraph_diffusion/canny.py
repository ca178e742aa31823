"""The edges of a picture, as ControlNets and T2I-Adapters for edges were trained to read them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from pydantic import Field

from nodegraph import Context, NodeError, Widget, node

from .late import np
from .values import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

Steepness = Annotated[float, Field(ge=0, le=8), Widget("slider", min=0, max=2, step=0.05)]
Ints: TypeAlias = "NDArray[np.int32]"
FLAT = math.tan(math.pi / 8)
"""Gradients within 22.5 degrees of an axis are compared along it, the others along a diagonal."""


@node(version=1, category="image")
def canny(ctx: Context, image: Image, low: Steepness = 0.4, high: Steepness = 0.8) -> Image:
    """Draw the edges of a picture: white lines of one pixel on black (Canny 1986).

    What `ApplyControlNet` and `ApplyT2iAdapter` read whose models were trained for edges. The numbers are those of
    OpenCV's `Canny` without smoothing, divided by 255: its usual 100 and 200 are 0.4 and 0.8.

    Args:
        image: Any picture or batch.
        low: How steep an edge must be where it goes on from a steeper one. Less finds more.
        high: How steep an edge must be somewhere. Less finds more.
    """
    if low > high:
        raise NodeError(f"an edge goes on at low what began at high, but low is {low:g} and high {high:g}", "low")
    made = []
    for index, picture in enumerate(image.to_bytes()):
        made.append(edges(picture, low * 255, high * 255))
        ctx.progress(index + 1, image.batch)
    return Image(np.repeat(np.stack(made)[:, None], 3, axis=1).astype(np.float32))


def edges(picture: NDArray[np.uint8], low: float, high: float) -> NDArray[np.bool_]:
    """Where a picture (H, W, 3) has edges (H, W).

    Args:
        low, high: Of the sum of the absolute Sobel derivatives across and down, 0..2040.
    """
    across, down = _steepest(picture)
    steep = np.abs(across) + np.abs(down)
    return traced(_ridges(steep, across, down), steep, low, high)


def traced(thin: NDArray[np.bool_], steep: NDArray[Any], low: float, high: float) -> NDArray[np.bool_]:
    """Of thin lines (H, W) those that are steeper than `low` everywhere and than `high` somewhere."""
    from scipy.ndimage import label

    areas, _ = label(thin & (steep > low), np.ones((3, 3)))
    kept = np.unique(areas[thin & (steep > high)])
    found: NDArray[np.bool_] = np.isin(areas, kept[kept > 0])
    return found


def _steepest(picture: NDArray[np.uint8]) -> tuple[Ints, Ints]:
    """The derivatives across and down, of the colour that changes most."""
    from scipy.ndimage import sobel

    colours = picture.astype(np.int32).transpose(2, 0, 1)
    both = np.array([[sobel(colour, axis=axis, mode="nearest") for colour in colours] for axis in (1, 0)])
    most = np.abs(both).sum(0).argmax(0)
    across, down = np.take_along_axis(both, most[None, None], axis=1)[:, 0]
    return across, down


def _ridges(steep: Ints, across: Ints, down: Ints) -> NDArray[np.bool_]:
    """Where it is steeper than on both sides along the gradient; of two that are equally steep the first."""
    around = np.pad(steep, 1)
    height, width = steep.shape

    def beside(rows: int, columns: int) -> Ints:
        return around[1 + rows : 1 + rows + height, 1 + columns : 1 + columns + width]

    x, y = np.abs(across), np.abs(down)
    along, upright = y < x * FLAT, y > x / FLAT
    falling = (across < 0) == (down < 0)  # towards the lower right
    return np.select(
        [along, upright, falling],
        [
            (steep > beside(0, -1)) & (steep >= beside(0, 1)),
            (steep > beside(-1, 0)) & (steep >= beside(1, 0)),
            (steep > beside(-1, -1)) & (steep > beside(1, 1)),
        ],
        (steep > beside(-1, 1)) & (steep > beside(1, -1)),
    )
