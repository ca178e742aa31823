"""From a network to the one question solvers ask: what clean latent does it see in this noisy one?"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol, get_args

import torch
from torch import Tensor
from torch.nn import functional

from .schedules import Point
from .weakening import Weakened

Prediction = Literal["epsilon", "v_prediction", "sample", "flow", "direct", "lcm"]
Together = Literal["repeat", "equal", "any", "never"]


class Denoise(Protocol):
    """The contract of k-diffusion: the expectation of the clean latent, given the noisy one."""

    def __call__(self, x: Tensor, point: Point, /) -> Tensor:
        """`x` is (B, C, h, w), `x0 + sigma * noise`; the answer is a new tensor of its shape and dtype, or two of them
        stacked, where the point asks for that."""


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """A phrase (1, D) and the box (left, top, right, bottom), in shares of the picture, that it is held to up to the
    part `end` of the steps."""

    phrase: Tensor
    box: tuple[float, float, float, float]
    end: float

    def acts(self, done: float, share: float) -> bool:
        """Whether it acts on a step that begins when the part `done` of all steps is done and is `share` of them."""
        return done + share <= self.end + 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Prompt:
    """An encoded prompt, for one picture or for each of a batch.

    Attributes:
        tokens: (1 or B, T, D).
        pooled: (1 or B, P): the whole prompt in one vector, for families that read it.
        sizes: (1 or B, 6): original height and width, top and left of the crop, target height and width, for families
            that were trained with them; None where the picture's own size stands for them.
        score: How beautiful the picture should be, 0 to 10, for families that were trained with it.
        references: Latents (1, C, h, w) of pictures that the network looks at beside what it makes.
        weight: How much it counts beside others.
        mask: (1, 1, h, w), at the size of the latent: where it counts; None is everywhere.
        start, end: The part of all steps on which it counts.
        negative: Whether it says what a picture should not show.
        window: The rows and columns of the latent that the network sees of it; None is all.
        guidance: What a network distilled from guidance is told with it; None leaves that to the run.
        controls: Which of the run's ControlNets act on it.
        grounds: Where in the picture its things are, for networks with GLIGEN.
        blind: Whether a network that makes one picture of another is not shown that with it.
    """

    tokens: Tensor
    pooled: Tensor | None = None
    sizes: Tensor | None = None
    score: float = 6.0
    references: tuple[Tensor, ...] = ()
    weight: float = 1.0
    mask: Tensor | None = None
    start: float = 0.0
    end: float = 1.0
    negative: bool = False
    window: tuple[slice, slice] | None = None
    guidance: float | None = None
    controls: frozenset[int] = frozenset()
    grounds: tuple[Ground, ...] = ()
    blind: bool = False

    @property
    def restricted(self) -> bool:
        """Whether it does not count everywhere and always."""
        return self.mask is not None or self.window is not None or self.start > 0 or self.end < 1

    def spread(self, batch: int) -> Prompt:
        """The prompt for each of `batch` pictures."""
        return replace(
            self,
            tokens=spread(self.tokens, batch, "prompt"),
            pooled=None if self.pooled is None else spread(self.pooled, batch, "pooled prompt"),
            sizes=None if self.sizes is None else spread(self.sizes, batch, "size"),
        )

    def one(self, index: int) -> Prompt:
        """That for one of the pictures that it was spread for."""
        at = slice(index, index + 1)
        pooled = None if self.pooled is None else self.pooled[at]
        return replace(
            self, tokens=self.tokens[at], pooled=pooled, sizes=None if self.sizes is None else self.sizes[at]
        )

    def each(self) -> list[Tensor]:
        """The tokens (T, D) for each picture."""
        return list(self.tokens.unbind(0))

    def to(self, device: torch.device, dtype: torch.dtype) -> Prompt:
        pooled = None if self.pooled is None else self.pooled.to(device, dtype)
        sizes = None if self.sizes is None else self.sizes.to(device)
        seen = tuple(each.to(device, dtype) for each in self.references)
        return replace(self, tokens=self.tokens.to(device, dtype), pooled=pooled, sizes=sizes, references=seen)


Network = Callable[[Tensor, Tensor, Prompt], Tensor]
"""`network(x, time, prompt)`: the raw output for scaled latents (B, C, h, w) at a time, a tensor of no dimensions."""


@dataclass(frozen=True, slots=True, eq=False)
class Middle:
    """A third prompt, see `GuidedDenoiser`."""

    prompts: Sequence[Prompt]
    cfg: float
    nested: bool


class GuidedDenoiser:
    """A conditional network with classifier-free guidance (Ho and Salimans 2022, arXiv:2207.12598).

    Where `cfg` is 1 or there is no negative, it runs on the positive alone, unless answers are asked `apart`. Latents
    stay in the solver's precision: only the network's input is cast to its dtype.

    Args:
        network: Asked for its raw output.
        positive, negative: Encoded prompts. Of several the answers are averaged by weight, each where and when it
            counts; a step on which none counts asks all, a cell the first.
        prediction: What the network was trained to give; "lcm" is epsilon of one that was distilled to be consistent.
            The input of a flow network is `x / (1 + sigma)`, of a "direct" one `x`, that of the others `x / sqrt(1 +
            sigma^2)`.
        cfg: Guidance scale; `negative + cfg * (positive - negative)`.
        rescale: 0 to 1, how far the guided prediction is brought back to the spread of the positive one (Lin et al.
            2023, arXiv:2305.08891, section 3.4: 0.7 suits models with zero terminal SNR).
        together: Whether both prompts go through the network in one batch. With "repeat" prompts of different length
            are repeated up to their least common multiple, which leaves cross-attention over each as it was; with "any"
            the network asks `Prompt.each`.
        combine: Another way to combine both outputs.
        middle: A third prompt between both, how far the answer to it is moved away from the negative's, and whether
            what the positive adds to it is moved too (Brooks et al. 2022, arXiv:2211.09800, section 3.2.1).
        apart: Whether points will ask for the answer to the negative too; without one that is the positive's.
        rescaled: The same as `rescale`, but of what "v" would be, whatever the network gives.
        held: Holds the guided estimate in each cell to the length that it has without guidance, times this; None does
            not.
        dtype: Of the network.
        weakened: Makes the network worse for a call: what it then says of the positive is moved away from.
        walked: Which part of all steps is done where the network is told a timestep, and which part one step is.

    Raises:
        ValueError: an argument does not fit the network or the other arguments.
    """

    def __init__(
        self,
        network: Network,
        positive: Prompt | Sequence[Prompt],
        negative: Prompt | Sequence[Prompt] | None = None,
        *,
        prediction: Prediction = "epsilon",
        cfg: float = 1.0,
        rescale: float = 0.0,
        together: Together = "repeat",
        combine: Callable[[Tensor, Tensor, float], Tensor] | None = None,
        middle: Middle | None = None,
        apart: bool = False,
        rescaled: float = 0.0,
        held: float | None = None,
        dtype: torch.dtype | None = None,
        weakened: Weakened | None = None,
        walked: Callable[[float], tuple[float, float]] = lambda timestep: (0.0, 0.0),
    ) -> None:
        if prediction not in get_args(Prediction):
            raise ValueError(f"prediction needs one of {', '.join(get_args(Prediction))}, got {prediction!r}")
        self.network = network
        self.prediction = prediction
        self.cfg = cfg
        self.rescale = rescale
        self.combine = combine or _guided
        self.middle = middle
        self.rescaled = rescaled
        self.held = held
        self.dtype = dtype
        self.weakened = weakened
        self.walked = walked
        unguided = cfg == 1 and middle is None and not apart
        sides = [positive] if negative is None or unguided else [negative, positive]
        if negative is not None and middle is not None:
            sides.insert(1, middle.prompts)
        self.sides = [[side] if isinstance(side, Prompt) else list(side) for side in sides]
        self.guided = len(self.sides) > 1
        plain = [len(side) == 1 and not side[0].restricted and not side[0].references for side in self.sides]
        self.plain = all(plain) and len(sides) < 3
        self.prompts = [side[0] for side in self.sides]
        if self.guided and together == "repeat" and self.plain:
            self.prompts = _of_one_length(*self.prompts)
        length = 2 if together == "any" else 1
        alike = len({(prompt.tokens.shape[length:], prompt.guidance, prompt.controls) for prompt in self.prompts}) == 1
        self.together = together != "never" and alike and not (self.guided and self.prompts[0].grounds)
        self._ready: dict[int, list[Prompt]] = {}
        self._parts: dict[int, list[list[Prompt]]] = {}

    def __call__(self, x: Tensor, point: Point, /) -> Tensor:
        sigma = point.sigma
        scale = {"flow": 1 / (1 + sigma), "direct": 1.0}.get(self.prediction, 1 / math.hypot(1, sigma))
        output, positive, negative = self._predict(x * scale, torch.tensor(point.timestep, device=x.device))
        x0 = self._clean(x, point, scale, output)
        if self.rescaled and self.guided:
            shown, level = (x * scale, sigma * scale) if self.prediction == "flow" else (x, sigma)
            alone = self._clean(x, point, scale, positive)
            guided, plain = (_velocity(shown, each, level) for each in (x0, alone))
            x0 = _estimate(shown, _rescaled(guided, plain, self.rescaled), level)
        if self.held is not None:
            x0 = self._held(x0, self._clean(x, point, scale, positive) if self.guided else None) * self.held
        return torch.stack([x0, self._clean(x, point, scale, negative)]) if point.apart else x0

    def _held(self, x0: Tensor, positive: Tensor | None) -> Tensor:
        """The estimate, in each cell no longer than that for the positive alone."""
        if positive is None:
            return x0
        ratio: Tensor = positive.norm(dim=1, keepdim=True) / (x0.norm(dim=1, keepdim=True) + 1e-8)
        return x0 * ratio.clamp(max=1)

    def _clean(self, x: Tensor, point: Point, scale: float, output: Tensor) -> Tensor:
        """The estimate without noise that an output of the network means."""
        sigma = point.sigma
        if self.prediction == "epsilon":
            return x.sub(output, alpha=sigma)
        if self.prediction == "v_prediction":  # Salimans and Ho 2022, arXiv:2202.00512, appendix D
            return (x * scale**2).sub_(output, alpha=sigma * scale)
        if self.prediction == "flow":  # Liu et al. 2022, arXiv:2209.03003: the network gives noise - x0
            return (x * scale).sub_(output, alpha=sigma * scale)
        if self.prediction == "lcm":
            return _consistent(x, x.sub(output, alpha=sigma), point.timestep)
        return output

    def _predict(self, x: Tensor, time: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The guided output, and those for the positive and the negative alone."""
        *others, positive = self._outputs(x, time)
        guided = positive
        if len(others) == 1:
            guided = self.combine(others[0], positive, self.cfg)
        elif others:
            negative, middle = others
            assert self.middle is not None
            if self.middle.nested:
                guided = negative + self.middle.cfg * (self.combine(middle, positive, self.cfg) - negative)
            else:
                guided = self.combine(negative, middle, self.middle.cfg) + self.cfg * (positive - middle)
        if self.weakened is not None and self.weakened.acts(self.walked(float(time))[0]):
            with self.weakened.during():
                worse = self._averaged(x, time, self._sides_for(x)[-1])
            guided = guided + self.weakened.scale * (positive - worse)
        if self.rescale and self.guided:
            guided = _rescaled(guided, positive, self.rescale)
        return guided, positive, others[0] if others else positive

    def _outputs(self, x: Tensor, time: Tensor) -> Sequence[Tensor]:
        """What the network says of the negative, if it is asked about it, and of the positive."""
        if not self.plain:
            return [self._averaged(x, time, side) for side in self._sides_for(x)]
        prompts = self._prompts_for(x)
        if self.guided and len(prompts) == 1:
            return self._ask(torch.cat([x, x]), time, prompts[0]).chunk(2)
        return [self._ask(x, time, prompt) for prompt in prompts]

    def _averaged(self, x: Tensor, time: Tensor, side: Sequence[Prompt]) -> Tensor:
        """The answers to several prompts, averaged where each counts."""
        done, _ = self.walked(float(time))
        acting = [prompt for prompt in side if prompt.start <= done + 1e-9 and done + 1e-9 < prompt.end] or list(side)
        if len(acting) == 1 and acting[0].window is None:
            return self._ask(x, time, acting[0])
        shares = [prompt.weight * _where(prompt, x) for prompt in acting]
        total = torch.stack([share.expand(1, 1, *x.shape[-2:]) for share in shares]).sum(0)
        uncovered = total <= 1e-6
        if uncovered.any():  # where none counts, the first does, and sees the whole
            acting.append(replace(acting[0], window=None))
            shares.append(uncovered.to(x))
            total = torch.where(uncovered, 1.0, total)
        outputs = [self._seen(x, time, prompt) for prompt in acting]
        return torch.stack([o * (share / total) for o, share in zip(outputs, shares, strict=True)]).sum(0)

    def _seen(self, x: Tensor, time: Tensor, prompt: Prompt) -> Tensor:
        """The answer to a prompt, 0 outside of its window."""
        if prompt.window is None:
            return self._ask(x, time, prompt)
        part = (..., *prompt.window)
        made = torch.zeros_like(x)
        made[part] = self._ask(x[part], time, prompt)
        return made

    def _sides_for(self, x: Tensor) -> list[list[Prompt]]:
        batch = x.shape[0]
        if batch not in self._parts:
            dtype = self.dtype or x.dtype
            self._parts[batch] = [[p.spread(batch).to(x.device, dtype) for p in side] for side in self.sides]
        return self._parts[batch]

    def _ask(self, x: Tensor, time: Tensor, prompt: Prompt) -> Tensor:
        return self.network(x.to(prompt.tokens.dtype), time, prompt).to(x.dtype)

    def _prompts_for(self, x: Tensor) -> list[Prompt]:
        """The prompts for the whole batch, on the device and in the dtype of the network: made once a run."""
        batch = x.shape[0]
        if batch not in self._ready:
            ready = [prompt.spread(batch).to(x.device, self.dtype or x.dtype) for prompt in self.prompts]
            self._ready[batch] = [_joined(*ready)] if self.together and self.guided else ready
        return self._ready[batch]


EDGE = 8
"""Cells over which a prompt's window fades towards its sides, but for those that lie at the picture's own. It is never
more than a quarter of the window."""


def _where(prompt: Prompt, x: Tensor) -> Tensor:
    """How much a prompt counts in each cell (1, 1, h, w), apart from its weight."""
    mask = x.new_ones(1, 1, *x.shape[-2:]) if prompt.mask is None else prompt.mask.to(x)
    if prompt.window is None:
        return mask
    part = (..., *prompt.window)
    made = torch.zeros_like(mask)
    made[part] = mask[part]
    if prompt.mask is None:
        for axis, (span, whole) in enumerate(zip(prompt.window, x.shape[-2:], strict=True), -2):
            inside = made[part]
            length = inside.shape[axis]
            edge = max(min(EDGE, length // 4), 1)
            fade = (torch.arange(1, length + 1, device=x.device) / edge).clamp(max=1)
            shape = (-1, 1) if axis == -2 else (1, -1)
            if span.start > 0:
                inside *= fade.view(shape)
            if span.stop < whole:
                inside *= fade.flip(0).view(shape)
    return made


def spread(value: Tensor, batch: int, what: str) -> Tensor:
    """`value` (1 or B, ...) for a batch. Raises `ValueError` for another number."""
    if value.shape[0] not in (1, batch):
        raise ValueError(f"a batch of {batch} needs a {what} for all (1) or for each ({batch}), got {value.shape[0]}")
    return value.expand(batch, *value.shape[1:])


def _joined(negative: Prompt, positive: Prompt) -> Prompt:
    def joined(one: Tensor | None, other: Tensor | None) -> Tensor | None:
        return None if one is None or other is None else torch.cat([one, other])

    lengths = negative.tokens.shape[1], positive.tokens.shape[1]
    padded = [
        functional.pad(each.tokens, (0, 0, 0, max(lengths) - each.tokens.shape[1])) for each in (negative, positive)
    ]
    return Pair(
        torch.cat(padded),
        joined(negative.pooled, positive.pooled),
        joined(negative.sizes, positive.sizes),
        positive.score,
        guidance=positive.guidance,
        controls=positive.controls,
        grounds=positive.grounds,
        negative_score=negative.score,
        lengths=lengths,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Pair(Prompt):
    """Negative and positive prompts in one batch, in halves, padded to one length."""

    negative_score: float = 2.5
    lengths: tuple[int, int] = (0, 0)

    def each(self) -> list[Tensor]:
        halves = zip(self.tokens.chunk(2), self.lengths, strict=True)
        return [tokens[:length] for half, length in halves for tokens in half.unbind(0)]


def _of_one_length(*prompts: Prompt) -> list[Prompt]:
    widths = {prompt.tokens.shape[2] for prompt in prompts}
    if len(widths) > 1:
        raise ValueError(f"positive and negative prompt need the same width, got {sorted(widths)}: encode both alike")
    length = math.lcm(*(prompt.tokens.shape[1] for prompt in prompts))
    return [replace(p, tokens=p.tokens.repeat(1, length // p.tokens.shape[1], 1)) for p in prompts]


def _consistent(x: Tensor, x0: Tensor, timestep: float) -> Tensor:
    """What is nearer to `x` the less noise there is (Luo et al. 2023, arXiv:2310.04378, appendix B), as ComfyUI has it:
    timesteps count tenfold, data has a spread of one half, and `x` is on this scale."""
    at = 10 * timestep
    keep = 0.25 / (at**2 + 0.25)
    return (x0 * (at / math.sqrt(at**2 + 0.25))).add_(x, alpha=keep)


def _guided(negative: Tensor, positive: Tensor, cfg: float) -> Tensor:
    return negative + cfg * (positive - negative)


def _velocity(x: Tensor, x0: Tensor, sigma: float) -> Tensor:
    """What a network that gives "v" would say where the estimate without noise is `x0`."""
    return (x / (sigma**2 + 1) - x0) * (math.hypot(1, sigma) / sigma)


def _estimate(x: Tensor, velocity: Tensor, sigma: float) -> Tensor:
    """The reverse of `_velocity`."""
    return x / (sigma**2 + 1) - velocity * (sigma / math.hypot(1, sigma))


def _rescaled(guided: Tensor, positive: Tensor, amount: float) -> Tensor:
    channels = tuple(range(1, guided.ndim))
    ratio = positive.std(dim=channels, keepdim=True) / guided.std(dim=channels, keepdim=True)
    return guided * torch.lerp(torch.ones_like(ratio), ratio, amount)
