"""ControlNets and T2I-Adapters during a run: when each acts, and what all of them add together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol

import torch
from numpy import typing as npt
from torch import Tensor
from torch.nn import functional

from ..families import Control as Kind
from ..families import Job, Residuals
from .denoiser import Prompt
from .views import Part


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
    @property
    def kinds(self) -> tuple[int, ...]: ...


@dataclass(frozen=True, slots=True, eq=False)
class Acting:
    """Something that acts from the part `start` of the steps to the part `end`."""

    start: float
    end: float

    def acts(self, done: float, share: float) -> bool:
        """Whether it acts on a step that begins when the part `done` of all steps is done and is `share` of them."""
        return done >= self.start and done + share <= self.end + 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Control(Acting):
    """A loaded ControlNet with its hint, at the size of the run: `scale` pixels for each cell of the latent."""

    kind: Kind
    network: Any
    hint: Tensor
    strength: float
    scale: int
    kinds: tuple[int, ...] = ()

    def ask(self, x: Tensor, time: Tensor, prompt: Prompt, job: Job, part: Part | None = None) -> Residuals:
        """What it adds for latents `x`, of which the network sees the window `part` alone."""
        hint = self.hint if part is None else _window(self.hint, self.scale, part)
        hint = hint.repeat(len(x) // len(hint), 1, 1, 1)
        return self.kind.ask(self.network, hint, x, time, prompt, replace(job, kinds=self.kinds), self.strength)


@dataclass(frozen=True, eq=False)
class Features(Acting):
    """A loaded T2I-Adapter with its picture, at the size of the run: `scale` pixels for each cell of the latent.

    What it finds is the same on each step: in the whole picture it looks once, in windows on each step anew, so that
    no more than one window's features are held.
    """

    network: Any
    hint: Tensor
    strength: float
    scale: int

    @cached_property
    def whole(self) -> Sequence[Tensor]:
        return self._find(self.hint)

    def ask(self, x: Tensor, time: Tensor, prompt: Prompt, job: Job, part: Part | None = None) -> Residuals:
        found = self.whole if part is None else self._find(_window(self.hint, self.scale, part))
        # A list of its own for each call: the UNet takes them out of it.
        return {
            "down_intrablock_additional_residuals": [
                each.repeat(len(x) // len(each), 1, 1, 1).to(x.dtype) for each in found
            ]
        }

    def _find(self, picture: Tensor) -> Sequence[Tensor]:
        """Features (1 or B, C, h, w) of a picture for each level of a UNet."""
        step = self.network.downscale_factor
        rows, columns = picture.shape[-2:]
        given = _resized(picture, (-(-rows // step) * step, -(-columns // step) * step))
        return [each * self.strength for each in self.network(given)]


def _window(hint: Tensor, scale: int, part: Part) -> Tensor:
    """What of a hint lies in a window of the latent."""
    rows, columns = (slice(scale * span.start, scale * span.stop) for span in part)
    return hint[..., rows, columns]


def _fitting(hint: Hint, network: Any, batch: int, size: tuple[int, int] | None) -> Tensor:
    """The hint on the network's device, at the size (height, width) if one is given."""
    given = torch.from_numpy(hint.hint.copy()).to(network.device, network.dtype)
    if len(given) not in (1, batch):
        raise ValueError(f"a batch of {batch} needs a control picture for all (1) or for each, got {len(given)}")
    if size is None or given.shape[-2:] == size:
        return given
    if hint.centred:
        return functional.interpolate(_cut(given, size), size=size, mode="nearest-exact")
    return _resized(given, size)


def _resized(picture: Tensor, size: tuple[int, int]) -> Tensor:
    if picture.shape[-2:] == size:
        return picture
    return functional.interpolate(picture, size=size, mode="bilinear", antialias=True)


def features(network: Any, hint: Hint, size: tuple[int, int], like: Tensor) -> Features:
    """A T2I-Adapter with its picture brought to the size of the run, in pixels (height, width), for latents `like`.

    Raises:
        ValueError: A batch of pictures that does not go with the run's.
    """
    given = _fitting(hint, network, len(like), size)
    if network.config["in_channels"] == 1:
        # ITU-R BT.601, as Pillow makes greys; ComfyUI takes the mean
        weights = given.new_tensor([1 / 3] * 3 if hint.centred else [0.299, 0.587, 0.114])
        given = (given * weights[:, None, None]).sum(1, keepdim=True)
    return Features(hint.start, hint.end, network, given, hint.strength, size[1] // like.shape[-1])


def ready(kind: Kind, network: Any, hint: Hint, size: tuple[int, int], like: Tensor) -> Control:
    """A ControlNet with its hint brought to the size of the run: pixels (height, width), or the cells of `like`.

    Raises:
        ValueError: The hint is a latent of another size, or a batch that does not go with the run's.
    """
    latent = kind.latent(network.config)
    given = _fitting(hint, network, len(like), None if latent else size)
    if latent and given.shape[-2:] != like.shape[-2:]:
        rows, columns = given.shape[-2:]
        raise ValueError(
            f"the control picture covers {columns} x {rows} latent cells, the latent {like.shape[-1]} x "
            f"{like.shape[-2]}; resize it to the size of the picture that is made"
        )
    scale = given.shape[-1] // like.shape[-1]
    return Control(hint.start, hint.end, kind, network, given, hint.strength, scale, hint.kinds)


def _cut(picture: Tensor, size: tuple[int, int]) -> Tensor:
    """The middle of a picture, of the proportions of `size` (height, width)."""
    (height, width), wanted = picture.shape[-2:], size[1] / size[0]
    x = round((width - height * wanted) / 2) if width / height > wanted else 0
    y = round((height - width / wanted) / 2) if width / height < wanted else 0
    return picture[..., y : height - y, x : width - x]


def together(asked: Sequence[Residuals]) -> Residuals:
    """The sum of what several of them add."""
    total: dict[str, Any] = {}
    for residuals in asked:
        for name, value in residuals.items():
            known = total.get(name)
            if known is None or isinstance(value, bool):
                total[name] = value
            elif isinstance(value, Tensor):
                total[name] = known + value
            else:
                total[name] = type(value)(one + other for one, other in zip(known, value, strict=False))
    return total
