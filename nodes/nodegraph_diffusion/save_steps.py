"""How a picture comes out of noise."""

from __future__ import annotations

from typing import Literal

from nodegraph import Context, NodeError, node

from .decode import decode
from .grid import grid
from .handles import Vae
from .late import np
from .latent_channels import Enlarged
from .params import Count
from .resampling import resampled
from .save_animation import Rate, save_animation
from .values import Image, Latent


@node(version=1, lane="gpu", pure=False, category="inside")
def save_steps(
    ctx: Context,
    vae: Vae,
    steps: Latent,
    noisy: Latent | None = None,
    batch: Count = 1,
    enlarge: Enlarged = 1,
    name: str = "steps",
    format: Literal["gif", "webp", "apng"] = "gif",
    fps: Rate = 6.0,
    loop: bool = True,
) -> None:
    """Save the steps of Sample as an animation: what the model took the picture to be, and what it saw.

    Args:
        steps: The output of that name of a Sample with keep_steps.
        noisy: Likewise; shown on the left of the steps.
        batch: How many pictures Sample made at once; they are shown side by side.
        enlarge: How many times wider and higher.
        name: What the file is called, before its number.
        format: GIF plays everywhere and has 256 colours, WebP is smallest, APNG is exact.
        fps: Steps a second.
        loop: Whether it begins anew at its end.
    """
    shown = [noisy, steps] if noisy is not None else [steps]
    for port, latent in zip(("noisy", "steps")[-len(shown) :], shown, strict=True):
        if latent.batch % batch or latent.batch != steps.batch:
            message = f"holds {latent.batch} pictures, which are no steps of a batch of {batch}"
            raise NodeError(f"{message}; link that output of Sample, with keep_steps, and tell its batch", port)
    rows = [_enlarged(decode.fn(ctx, vae, latent), enlarge) for latent in shown]
    across = len(rows) if batch == 1 else batch
    frames = [
        grid([Image(row.pixels[start : start + batch]) for row in rows], columns=across, gap=2).pixels
        for start in range(0, steps.batch, batch)
    ]
    save_animation.fn(ctx, Image(np.concatenate(frames)), name, format, fps, loop)


def _enlarged(image: Image, factor: int) -> Image:
    return Image(resampled(image.pixels, image.width * factor, image.height * factor, "lanczos"))
