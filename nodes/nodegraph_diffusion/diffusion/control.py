"""ControlNets during a run: when each acts, and what all of them add together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from numpy import typing as npt
from torch import Tensor
from torch.nn import functional

from ..families import Control as Kind
from ..families import Job, Residuals
from .denoiser import Prompt


class Hint(Protocol):
    """The picture, or its latent (1 or B, C, H, W), that a ControlNet holds to, how strictly, and on which steps."""

    @property
    def hint(self) -> npt.NDArray[Any]: ...
    @property
    def strength(self) -> float: ...
    @property
    def start(self) -> float: ...
    @property
    def end(self) -> float: ...
    @property
    def centred(self) -> bool: ...


@dataclass(frozen=True, slots=True, eq=False)
class Control:
    """A loaded ControlNet with its hint, at the size of the run."""

    kind: Kind
    network: Any
    hint: Tensor
    strength: float
    start: float
    end: float

    def acts(self, done: float, share: float) -> bool:
        """Whether it acts on a step that begins when the part `done` of all steps is done and is `share` of them."""
        return done >= self.start and done + share <= self.end + 1e-9

    def ask(self, x: Tensor, time: Tensor, prompt: Prompt, job: Job) -> Residuals:
        hint = self.hint.repeat(len(x) // len(self.hint), 1, 1, 1)
        return self.kind.ask(self.network, hint, x, time, prompt, job, self.strength)


def ready(
    kind: Kind,
    network: Any,
    hint: Hint,
    size: tuple[int, int],
    like: Tensor,
) -> Control:
    """A ControlNet with its hint brought to the size of the run: pixels (height, width), or the cells of `like`.

    Raises:
        ValueError: The hint is a latent of another size, or a batch that does not go with the run's.
    """
    given = torch.from_numpy(hint.hint.copy()).to(network.device, network.dtype)
    if len(given) not in (1, len(like)):
        raise ValueError(f"a batch of {len(like)} needs a control picture for all (1) or for each, got {len(given)}")
    if kind.latent(network.config):
        if given.shape[-2:] != like.shape[-2:]:
            rows, columns = given.shape[-2:]
            raise ValueError(
                f"the control picture covers {columns} x {rows} latent cells, the latent {like.shape[-1]} x "
                f"{like.shape[-2]}; resize it to the size of the picture that is made"
            )
    elif given.shape[-2:] != size:
        if hint.centred:
            given = functional.interpolate(_cut(given, size), size=size, mode="nearest-exact")
        else:
            given = functional.interpolate(given, size=size, mode="bilinear", antialias=True)
    return Control(kind, network, given, hint.strength, hint.start, hint.end)


def _cut(picture: Tensor, size: tuple[int, int]) -> Tensor:
    """The middle of a picture, of the proportions of `size` (height, width)."""
    (height, width), wanted = picture.shape[-2:], size[1] / size[0]
    x = round((width - height * wanted) / 2) if width / height > wanted else 0
    y = round((height - width / wanted) / 2) if width / height < wanted else 0
    return picture[..., y : height - y, x : width - x]


def together(asked: Sequence[Residuals]) -> Residuals:
    """The sum of what several ControlNets add."""
    total: dict[str, Any] = {}
    for residuals in asked:
        for name, value in residuals.items():
            known = total.get(name)
            if known is None or isinstance(value, bool):
                total[name] = value
            elif isinstance(value, Tensor):
                total[name] = known + value
            else:
                total[name] = tuple(one + other for one, other in zip(known, value, strict=False))
    return total
