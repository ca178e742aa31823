"""Another size of a latent, without a picture between."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from nodegraph import Facts, Known, NodeError, Widget, node

from .sizes import check_size
from .values import Latent

Factor = Annotated[float, Field(gt=0, le=16), Widget("number", step=0.25)]


@node(version=1, category="latent")
def resize_latent(
    latent: Latent, factor: Factor = 2.0, filter: Literal["bicubic", "bilinear", "nearest"] = "bicubic"
) -> Latent:
    """Change the size of a latent, for a second pass of Sample at a larger size.

    What comes out is blurred and not quite a picture's latent: sample it again with a strength of 0.5 to 0.7. Decoding,
    Upscale and encoding instead take longer and need less strength.

    Args:
        latent: A sampled one, or an encoded picture. An empty one only gets another size.
        factor: How many times wider and higher.
        filter: How values are averaged.
    """
    if latent.sigma > 0:
        raise NodeError("the latent still holds noise, which would be blurred; sample it to the end first", "latent")
    width, height = round(latent.width * factor), round(latent.height * factor)
    check_size(width, height, latent.batch, "factor")
    if latent.samples is None:
        return Latent(width, height, latent.batch)
    import torch
    from torch.nn import functional

    rows, columns = latent.samples.shape[2:]
    cell = round(max(latent.width / columns, latent.height / rows))
    size = (-(-height // cell), -(-width // cell))
    corners = None if filter == "nearest" else False
    samples = torch.from_numpy(latent.samples.copy())
    made = functional.interpolate(samples, size, mode=filter, align_corners=corners)
    return Latent(width, height, latent.batch, made.numpy())


@resize_latent.facts
def _resized(known: Known) -> dict[str, Facts]:
    return {"latent": known["latent"].without("width", "height")}
