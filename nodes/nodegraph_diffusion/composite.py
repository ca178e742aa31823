"""One picture over another."""

from __future__ import annotations

from nodegraph import NodeError, node

from .params import Offset
from .sizes import common_batch
from .values import Image, Mask


@node(version=1, category="image")
def composite(base: Image, over: Image, mask: Mask | None = None, x: Offset = 0, y: Offset = 0) -> Image:
    """Lay one picture over another.

    Where the mask is 0 the result is the base exactly, where it is 1 the picture over it; between, it mixes them.

    Args:
        base: The picture below; the result has its size.
        over: The picture on top. What reaches beyond the base is left away.
        mask: Where it shows, in the size of `over`. Without one it shows everywhere.
        x: Where its left edge lies, in pixels from that of the base.
        y: Where its upper edge lies, in pixels from that of the base.
    """
    if mask is not None and (mask.width, mask.height) != (over.width, over.height):
        sizes = f"{over.width} x {over.height}, and the mask is {mask.width} x {mask.height}"
        raise NodeError(f"needs a mask in the size of the picture on top, which is {sizes}; resize one", "mask")
    left, top = max(x, 0), max(y, 0)
    right, bottom = min(x + over.width, base.width), min(y + over.height, base.height)
    if left >= right or top >= bottom:
        message = f"at {x}, {y} the picture on top lies wholly outside of the base"
        raise NodeError(f"{message}, which is {base.width} x {base.height} pixels; move it", "x")
    counts = [("base", base.batch), ("over", over.batch)]
    batch = common_batch(*counts, *([("mask", mask.batch)] if mask is not None else []))
    made = base.pixels.repeat(batch // base.batch, axis=0)
    shown = over.pixels[:, :, top - y : bottom - y, left - x : right - x]
    if mask is not None:
        amount = mask.values[:, None, top - y : bottom - y, left - x : right - x]
        shown = made[:, :, top:bottom, left:right] * (1 - amount) + shown * amount
    made[:, :, top:bottom, left:right] = shown
    return Image(made)
