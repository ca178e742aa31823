"""The size of a picture to be made."""

from __future__ import annotations

from nodegraph import Facts, Known, node

from .params import Count, Pixels
from .sizes import check_size
from .values import Latent


@node(version=1, category="latent")
def empty_latent(width: Pixels = 512, height: Pixels = 512, batch: Count = 1) -> Latent:
    """The size of pictures that are made from nothing. It fits every model.

    Args:
        width: Pixels.
        height: Pixels.
        batch: How many pictures.
    """
    check_size(width, height, batch, "width")
    return Latent(width, height, batch)


@empty_latent.facts
def _facts(known: Known) -> dict[str, Facts]:
    sizes = {name: known.count(name) for name in ("width", "height", "batch")}
    return {"latent": Facts({"content": "nothing", **sizes})}
