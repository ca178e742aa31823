"""Whether a picture is fit to be shown."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import numpy as np

from nodegraph import Context, NodeError, Report, Widget, node

from .checkpoint import ModelError
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


@dataclass(frozen=True, slots=True)
class CheckerWeights:
    """A checker, to be leased."""

    file: Path | None
    place: str
    size: int
    modified: int

    @property
    def key(self) -> Hashable:
        return self

    @property
    def name(self) -> str:
        return f"safety checker {self.file.parent.name}" if self.file else "safety checker"

    def capacity(self) -> int:
        import torch

        from .diffusion.devices import memory

        return memory(torch.device(self.place))

    def load(self, report: Report) -> Checker:
        import torch

        from .diffusion.safety import load_checker

        made = load_checker(self.file, torch.device(self.place))
        report(self.size, self.size)
        return made

    def drop(self, value: Checker) -> None:
        """Its memory goes with it."""


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
        stat = checker.stat() if checker else None
        size, modified = (stat.st_size, stat.st_mtime_ns) if stat else (SHIPPED_SIZE, 0)
        with ctx.lease(CheckerWeights(checker, str(choose_device()), size, modified)) as judge:
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


def _blurred(pixels: Floats) -> Floats:
    from scipy.ndimage import gaussian_filter

    sigma = max(pixels.shape[2:]) / BLUR
    made: Floats = gaussian_filter(pixels, (0, 0, sigma, sigma), mode="nearest")
    return made
