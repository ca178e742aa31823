"""Several prompts together, prompts for a part of the picture or of the steps, and prompts that say nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from nodegraph import Facts, Known, NodeError, Widget, node

from .late import np
from .params import Unit
from .values import Conditioning, Mask

if TYPE_CHECKING:
    from .values import Floats

Weight = Annotated[float, Field(ge=0, le=10), Widget("slider", min=0, max=2, step=0.05)]
Size = Annotated[int, Field(ge=0, le=16384), Widget("number", step=8)]
Score = Annotated[float, Field(ge=0, le=10), Widget("slider", step=0.5)]
FINE = 256
"""Cells on a side of the mask that a box becomes."""
SAME = "encode both with the text encoder of one model"


@node(version=1, category="prompt")
def combine_prompts(prompts: list[Conditioning]) -> Conditioning:
    """Ask a model about several prompts at each step and average its answers.

    Each counts where and when it is restricted to. This takes as many calls of the model as there are prompts.

    Args:
        prompts: In any order.
    """
    if not prompts:
        raise NodeError("needs at least one prompt; link one", "prompts")
    first, *others = (part for prompt in prompts for part in prompt.parts)
    return replace(first, also=tuple(others))


@node(version=1, category="prompt")
def average_prompts(first: Conditioning, second: Conditioning, amount: Unit = 0.5) -> Conditioning:
    """Mix what two prompts say into one.

    Args:
        first: What the second is mixed into; its restrictions hold.
        second: Is read as far as the first is long.
        amount: 0 is the first alone, 1 the second.
    """
    if first.also or second.also:
        raise NodeError("single prompts can be mixed, but one is several combined; mix before combining", "first")
    if first.tokens.shape[2] != second.tokens.shape[2]:
        widths = f"{first.tokens.shape[2]} and {second.tokens.shape[2]}"
        raise NodeError(f"prompts of one width can be mixed, but these are {widths} wide; {SAME}", "second")
    length = first.tokens.shape[1]
    other = second.tokens[:, :length]
    other = np.pad(other, ((0, 0), (0, length - other.shape[1]), (0, 0)))
    pooled = first.pooled
    if pooled is not None and second.pooled is not None:
        pooled = _mixed(pooled, second.pooled, amount)
    return replace(first, tokens=_mixed(first.tokens, other, amount), pooled=pooled)


def _mixed(one: Floats, other: Floats, amount: float) -> Floats:
    mixed: Floats = one + np.float32(amount) * (other - one)
    return mixed


@node(version=1, category="prompt")
def concatenate_prompts(prompts: list[Conditioning]) -> Conditioning:
    """Say several prompts one after the other, as one that is longer than the text encoder reads at once.

    Args:
        prompts: In their order. Where a family reads a prompt in one vector too, it is that of the first.
    """
    if not prompts:
        raise NodeError("needs at least one prompt; link one", "prompts")
    if any(prompt.also for prompt in prompts):
        raise NodeError("takes single prompts, but one is several combined; concatenate before combining", "prompts")
    if len({prompt.tokens.shape[2] for prompt in prompts}) > 1:
        widths = ", ".join(str(prompt.tokens.shape[2]) for prompt in prompts)
        raise NodeError(f"takes prompts of one width, but these are {widths} wide; {SAME}", "prompts")
    batch = max(len(prompt.tokens) for prompt in prompts)
    tokens = [np.repeat(p.tokens, batch // len(p.tokens), axis=0) for p in prompts]
    return replace(prompts[0], tokens=np.concatenate(tokens, axis=1))


@node(version=1, category="prompt")
def restrict_to_mask(prompt: Conditioning, mask: Mask, weight: Weight = 1.0) -> Conditioning:
    """Let a prompt count in a part of the picture alone. Combine it with others, for the rest.

    Args:
        mask: Where it counts; it lies over the whole picture.
        weight: How much it counts there beside others.
    """
    if mask.batch != 1:
        raise NodeError(f"takes one mask, but a batch of {mask.batch} is given; take one out of it", "mask")
    return prompt.each(lambda part: replace(part, weight=weight, mask=mask.values))


@node(version=1, category="prompt")
def restrict_to_box(
    prompt: Conditioning, x: Unit = 0.0, y: Unit = 0.0, width: Unit = 0.5, height: Unit = 1.0, weight: Weight = 1.0
) -> Conditioning:
    """Let a prompt count in a box alone. Combine it with others, for the rest.

    Args:
        x: Its left edge, as a part of the picture's width.
        y: Its upper edge, as a part of the picture's height.
        width: As a part of the picture's.
        height: As a part of the picture's.
        weight: How much it counts there beside others.
    """
    values = np.zeros((1, FINE, FINE), np.float32)
    left, top = round(x * FINE), round(y * FINE)
    values[:, top : top + max(1, round(height * FINE)), left : left + max(1, round(width * FINE))] = 1
    return prompt.each(lambda part: replace(part, weight=weight, mask=values))


@node(version=1, category="prompt")
def restrict_to_steps(prompt: Conditioning, start: Unit = 0.0, end: Unit = 1.0) -> Conditioning:
    """Let a prompt count on a part of the steps alone. Combine it with others, for the rest.

    Args:
        start: From which part of the steps on.
        end: Up to which part of them.
    """
    if start >= end:
        raise NodeError(f"the part from {start:g} to {end:g} has no steps; make the end larger than the start", "end")

    def within(part: Conditioning) -> Conditioning:
        length = part.end - part.start
        return replace(part, start=part.start + start * length, end=part.start + end * length)

    return prompt.each(within)


@node(version=1, category="prompt")
def zero_prompt(prompt: Conditioning) -> Conditioning:
    """Say nothing at all, which is not the same as an empty prompt: every number of the encoding is zero.

    Args:
        prompt: Of the model's text encoder; only its length is read.
    """

    def silent(part: Conditioning) -> Conditioning:
        pooled = None if part.pooled is None else np.zeros_like(part.pooled)
        return replace(part, tokens=np.zeros_like(part.tokens), pooled=pooled)

    return prompt.each(silent)


@node(version=1, category="prompt")
def describe_size(
    prompt: Conditioning,
    width: Size = 1024,
    height: Size = 1024,
    crop_x: Size = 0,
    crop_y: Size = 0,
    target_width: Size = 1024,
    target_height: Size = 1024,
    score: Score = 6.0,
) -> Conditioning:
    """Tell Stable Diffusion XL of what size and crop the picture should look. Other families do not read it.

    Args:
        width: Of the picture that it was cut from. A small one looks blurred.
        height: Of the picture that it was cut from.
        crop_x: How much was cut off on the left: 0 keeps things in the middle.
        crop_y: How much was cut off above.
        target_width: Of the picture that was seen.
        target_height: Of the picture that was seen.
        score: How beautiful it is, for the refiner: 0 to 10.
    """
    sizes = np.array([[height, width, crop_y, crop_x, target_height, target_width]], np.float32)
    return prompt.each(lambda part: replace(part, sizes=sizes, score=score))


@combine_prompts.facts
@concatenate_prompts.facts
def _gathered(known: Known) -> dict[str, Facts]:
    known.agree("prompt", "prompts", hint=SAME)
    return {"conditioning": known["prompts"]}


@average_prompts.facts
def _averaged(known: Known) -> dict[str, Facts]:
    known.agree("prompt", "first", "second", hint=SAME)
    return {"conditioning": known["first"]}


@restrict_to_mask.facts
@restrict_to_box.facts
@restrict_to_steps.facts
@zero_prompt.facts
@describe_size.facts
def _kept(known: Known) -> dict[str, Facts]:
    return {"conditioning": known["prompt"]}
