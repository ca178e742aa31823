"""Whether a picture is fit to be shown."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

from nodegraph import Context, NodeError, Widget, node

from .checkpoint import ModelError
from .file_weights import FileWeights
from .late import np
from .params import Unit
from .values import Image

if TYPE_CHECKING:
    from .diffusion.safety import Checker
    from .values import Floats

WITHHELD = 0.5
"""The grey that stands for a withheld picture."""
BLUR = 8
"""A blurred picture keeps about this many patches across."""
SHIPPED_SIZE = 6 * 2**20


class Checked(NamedTuple):
    image: Image
    safe: bool
    score: float


@node(version=1, lane="gpu", category="provenance")
def safety_check(
    ctx: Context,
    image: Image,
    action: Literal["flag", "blur", "withhold"] = "blur",
    threshold: Unit = 0.5,
    suggestive: bool = False,
    checker: Annotated[Path | None, Widget("file", suffix=".safetensors")] = None,
) -> Checked:
    """Look for sexually explicit pictures, and blur or withhold them.

    It is a filter and no guarantee: it lets some such pictures pass and stops some harmless ones, and it knows nothing
    of violence, of hate, of persons or of age. How often it errs on explicit pictures has not been measured.

    Args:
        image: A picture, or a batch of them; each is judged by itself.
        action: What becomes of an unfit picture: "flag" only says so, "blur" leaves its rough colours, "withhold" puts
            a plain grey in its place.
        threshold: A picture with a score above it is unfit.
        suggestive: Whether to count what is suggestive without being explicit. The CompVis checker does not tell them
            apart.
        checker: Used instead of the network that ships: the `model.safetensors` of a CompVis safety checker, with its
            `config.json` beside it. Its own limit is a threshold of 0.5.
    Returns:
        image: The pictures, the unfit ones changed as the action says.
        safe: Whether every picture was fit.
        score: The highest score, 0 to 1.
    """
    import torch

    from .diffusion.devices import choose_device

    try:
        with ctx.lease(_weights(checker, str(choose_device()))) as judge:
            scores = judge(torch.from_numpy(image.pixels.copy()), suggestive).numpy()
    except (ModelError, OSError) as error:
        raise NodeError(str(error), "checker") from error
    unfit = np.flatnonzero(scores > threshold)
    for index in unfit:
        ctx.warn(f"picture {index + 1} of {image.batch} has a score of {scores[index]:.2f}, so it may be unfit")
    if not len(unfit) or action == "flag":
        made = image
    else:
        pixels = image.pixels.copy()
        pixels[unfit] = _blurred(pixels[unfit]) if action == "blur" else WITHHELD
        made = Image(pixels)
    return Checked(made, not len(unfit), round(float(scores.max()), 4))


def _weights(checker: Path | None, place: str) -> FileWeights[Checker]:
    """The checker that ships, or that of a file. Raises `OSError`."""
    from .diffusion.safety import load_checker

    read = partial(load_checker, checker)
    if checker is None:
        return FileWeights("safety checker", None, 0, place, SHIPPED_SIZE, read)
    stat = checker.stat()
    return FileWeights(f"safety checker {checker.parent.name}", checker, stat.st_mtime_ns, place, stat.st_size, read)


def _blurred(pixels: Floats) -> Floats:
    from scipy.ndimage import gaussian_filter

    sigma = max(pixels.shape[2:]) / BLUR
    made: Floats = gaussian_filter(pixels, (0, 0, sigma, sigma), mode="nearest")
    return made
