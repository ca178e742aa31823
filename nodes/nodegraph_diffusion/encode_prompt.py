"""A prompt for the denoiser."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from nodegraph import Context, NodeError, Widget, node

from .handles import TextEncoder
from .params import Text
from .values import Conditioning

Layer = Annotated[int, Field(ge=1, le=64), Widget("number", step=1)]


@node(version=1, lane="gpu", category="prompt")
def encode_prompt(ctx: Context, text_encoder: TextEncoder, text: Text = "", layer: Layer = 1) -> Conditioning:
    r"""Say in words what a picture should show, or should not.

    Prompts may be of any length. `(words)` count 1.1 times as much, `[words]` as much less, `(words:1.3)` 1.3 times;
    nesting multiplies; `\(` and `\[` are plain brackets. `BREAK` begins a new chunk.

    Args:
        text: The prompt.
        layer: Which of the text encoder's layers is read, counted from the last. 2 is what is called "clip skip 2".
    """
    from .diffusion.prompts import encode

    with ctx.lease(text_encoder.encoder) as encoder:
        try:
            return Conditioning(encode(encoder, text, layer).numpy())
        except ValueError as error:
            raise NodeError(str(error), "layer") from error
