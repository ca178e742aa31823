"""What Lotus is told for a prompt. In ComfyUI that is a list of numbers, which is not copied here but made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from nodegraph import Choices, Context, Facts, Folders, Known, NodeError, node

from ..checkpoint import Checkpoint, ModelError, open_model
from ..encode_prompt import encoded
from ..families import FAMILIES
from ..handles import TextEncoder
from ..values import Conditioning

CATEGORY = "ComfyUI"
FAMILY, READ = "lotus", ("sd2", "lotus")
MARKS = 2
"""An empty prompt is its start and its end, without the padding behind them."""
NEEDED = (
    "needs what Stable Diffusion 2's text encoder says of an empty prompt, and none is named; name a Stable Diffusion "
    "2 model in text_encoder_from"
)


@node(version=1, title="LotusConditioning", lane="gpu", category=CATEGORY)
def LotusConditioning(ctx: Context, text_encoder_from: Annotated[str, Choices("models")] = "") -> Conditioning:
    """Say nothing to Lotus, which is what it was trained with.

    Args:
        text_encoder_from: A Stable Diffusion 2 model, whose text encoder says it.
    """
    found = _opened(text_encoder_from, ctx.folders)
    said = encoded(ctx, TextEncoder(found), [""], 0)
    return Conditioning(said.tokens[:, :MARKS])


def _opened(source: str, folders: Folders) -> Checkpoint:
    if not source:
        raise NodeError(NEEDED, "text_encoder_from")
    try:
        found = open_model(source, folders.models)
    except ModelError as error:
        raise NodeError(str(error), "text_encoder_from") from error
    if found.family not in READ or not found.text_encoders:
        what = f"a model of {FAMILIES[found.family].title}" if found.text_encoders else "without text encoders"
        raise NodeError(f"{found.name} is {what}; name a whole Stable Diffusion 2 model", "text_encoder_from")
    return found


@LotusConditioning.fingerprint
def _revision(text_encoder_from: str, folders: Folders) -> str:
    found = _opened(text_encoder_from, folders)
    return f"{found.path}\0{found.revision}"


@LotusConditioning.facts
def _facts(known: Known) -> Mapping[str, Facts]:
    source = known.value("text_encoder_from")
    if source is None:
        return {}
    found = _opened(str(source), known.folders)
    width = FAMILIES[FAMILY].width(found.denoiser.config)
    return {"conditioning": Facts({"family": FAMILY, "prompt": f"{FAMILY} of width {width}"})}
