"""A prompt for the denoiser."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

from pydantic import Field

from nodegraph import Context, Facts, Known, NodeError, Widget, node

from .families import Encoded
from .handles import TextEncoder
from .params import Text
from .values import Conditioning, Floats, Image

Layer = Annotated[int, Field(ge=0, le=64), Widget("number", step=1)]


@node(version=1, lane="gpu", category="prompt")
def encode_prompt(
    ctx: Context, text_encoder: TextEncoder, text: Text = "", layer: Layer = 0, comfyui: bool = False
) -> Conditioning:
    r"""Say in words what a picture should show, or should not.

    Prompts may be of any length. `(words)` count 1.1 times as much, `[words]` as much less, `(words:1.3)` 1.3 times;
    nesting multiplies; `\(` and `\[` are plain brackets. `BREAK` begins a new chunk. `[before:after:0.4]` changes what
    is said after that part of the steps; either may be empty.

    Args:
        text: The prompt.
        layer: Which of CLIP's layers is read, counted from the last. 2 is what is called "clip skip 2"; 0 is the one
            that the model was trained with.
        comfyui: Fill up prompts for T5 as ComfyUI does, for documents that come from there: to 256 tokens for Flux.1
            and to 77 for Stable Diffusion 3 instead of 512 and 256, and never cut them off.
    """
    from .diffusion.prompts import phases

    if comfyui:
        text_encoder = text_encoder.as_comfyui()

    if text and not text_encoder.family.encoders:
        ctx.warn(f"{text_encoder.checkpoint.name} reads no prompts; what this one says does not count")
    parts = [
        replace(
            encoded(ctx, text_encoder, [phase.text] * len(text_encoder.encoders), layer),
            start=phase.start,
            end=phase.end,
        )
        for phase in phases(text)
    ]
    return replace(parts[0], also=tuple(parts[1:]))


def encoded(ctx: Context, text_encoder: TextEncoder, texts: Sequence[str], layer: int) -> Conditioning:
    """What the text encoders make of a text for each of them, in the family's order."""
    family = text_encoder.family
    made = [_read(ctx, text_encoder, place, text, layer) for place, text in enumerate(texts)]
    if len(set(texts)) > 1:
        made = _filled(ctx, text_encoder, made, layer)
    whole = family.joined(made, family.width(text_encoder.checkpoint.denoiser.config))
    assert whole.tokens is not None
    return Conditioning(whole.tokens.numpy(), None if whole.pooled is None else whole.pooled.numpy())


def _read(ctx: Context, text_encoder: TextEncoder, place: int, text: str, layer: int) -> Encoded | None:
    """What one of the text encoders makes of a text; None for one that the model does without."""
    own, weights = text_encoder.family.encoders[place], text_encoder.encoders[place]
    if weights is None:
        return None if text_encoder.filled is None else _nothing(text_encoder)
    with text_encoder.leased(ctx, weights) as encoder:
        try:
            return own.encode(encoder, text, layer)
        except ValueError as error:
            raise NodeError(str(error), "layer") from error


def _filled(
    ctx: Context, text_encoder: TextEncoder, made: Sequence[Encoded | None], layer: int
) -> list[Encoded | None]:
    """Texts for several CLIPs, the shorter ones filled up by chunks that say nothing."""
    import torch

    clips = [place for place, own in enumerate(text_encoder.family.encoders) if own.classes[0].startswith("CLIP")]
    tokens = {place: each.tokens for place in clips if (each := made[place]) is not None and each.tokens is not None}
    longest = max((each.shape[1] for each in tokens.values()), default=0)
    filled = list(made)
    for place, own in tokens.items():
        if own.shape[1] < longest and (empty := _read(ctx, text_encoder, place, "", layer)) is not None:
            assert empty.tokens is not None
            rest = empty.tokens.repeat(1, -(-(longest - own.shape[1]) // empty.tokens.shape[1]), 1)
            said = made[place]
            assert said is not None
            filled[place] = Encoded(torch.cat([own, rest], dim=1)[:, :longest], said.pooled)
    return filled


def _nothing(text_encoder: TextEncoder) -> Encoded:
    """What ComfyUI puts in the place of a text encoder that is absent, where pipelines have zeros."""
    from torch import zeros

    return Encoded(zeros(1, 0, text_encoder.family.width(text_encoder.checkpoint.denoiser.config)))


def looked(
    ctx: Context, text_encoder: TextEncoder, text: str, pictures: Sequence[Image], counted: bool
) -> Conditioning:
    """What a text encoder that sees makes of a text about pictures; `counted` calls them Picture 1, 2, ..."""
    look = text_encoder.family.look
    if look is None:
        title = text_encoder.family.title
        raise NodeError(f"its text encoder, of {title}, sees no pictures; use that of Qwen-Image Edit", "clip")
    with text_encoder.leased(ctx, text_encoder.encoder) as encoder:
        made = look(encoder, text, [each.to_bytes()[0] for each in pictures], counted)
    assert made.tokens is not None
    return Conditioning(made.tokens.numpy())


def phrase(ctx: Context, text_encoder: TextEncoder, text: str) -> Floats | None:
    """A text in one vector (1, D), as GLIGEN reads it; None where there is no GLIGEN for the family."""
    if not text_encoder.family.grounds:
        return None
    from .diffusion.prompts import clip, phases

    with text_encoder.leased(ctx, text_encoder.encoder) as encoder:
        found = clip(encoder, phases(text)[0].text, pooled=True).pooled
    assert found is not None
    return found.numpy()


@encode_prompt.facts
def _facts(known: Known) -> dict[str, Facts]:
    return {"conditioning": known["text_encoder"].only("prompt", "family")}
