"""GLIGEN as ComfyUI applies it: to prompts, on every step, with boxes in pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import Field

from nodegraph import Choices, Context, Facts, Folders, Known, NodeError, Widget, node

from ..apply_gligen import GLIGENS, NO_GLIGEN
from ..checkpoint.gligen import Gligen
from ..encode_prompt import phrase
from ..families import FAMILIES
from ..handles import TextEncoder
from ..params import Text
from ..values import Conditioning, Ground

CATEGORY = "ComfyUI"
Side = Annotated[int, Field(ge=8, le=16384), Widget("number", step=8)]
Place = Annotated[int, Field(ge=0, le=16384), Widget("number", step=8)]


@dataclass(frozen=True, slots=True)
class Gates:
    """A GLIGEN by itself."""

    gligen: Gligen


@node(version=1, title="GLIGENLoader", lane="io", category=CATEGORY)
def GLIGENLoader(ctx: Context, gligen_name: Annotated[str, Choices("gligens")]) -> Gates:
    """Open a GLIGEN. Its weights load when they are first used.

    Args:
        gligen_name: A `.safetensors` file with the gates alone, in the folders of models.
    """
    return Gates(GLIGENS.open(gligen_name, ctx.folders, "gligen_name"))


@node(version=1, title="GLIGENTextBoxApply", lane="gpu", category=CATEGORY)
def GLIGENTextBoxApply(
    ctx: Context, conditioning_to: Conditioning, clip: TextEncoder, gligen_textbox_model: Gates, text: Text = "",
    width: Side = 64, height: Side = 64, x: Place = 0, y: Place = 0,
) -> Conditioning:  # fmt: skip
    """Say where a thing of a prompt should be.

    It acts on the negative prompt of the same run too, unless that has boxes of its own.

    Args:
        text: The thing in the box, in a few words.
        width: Of the box, in pixels.
        height: Of the box, in pixels.
        x: Its left edge, in pixels.
        y: Its upper edge, in pixels.
    """
    found = phrase(ctx, clip, text)
    if found is None:
        raise NodeError(NO_GLIGEN.format(clip.family.title, "take this node away"), "clip")
    ground = Ground(found, x, y, width, height, end=1.0, gligen=gligen_textbox_model.gligen)
    return conditioning_to.each(lambda part: replace(part, grounds=(*part.grounds, ground)))


@GLIGENLoader.fingerprint
def _revision(gligen_name: str, folders: Folders) -> str:
    return GLIGENS.revision(gligen_name, folders, "gligen_name")


@GLIGENLoader.facts
def _loaded(known: Known) -> Mapping[str, Facts]:
    if (source := known.value("gligen_name")) is not None:
        GLIGENS.open(str(source), known.folders, "gligen_name")
    return {}


@GLIGENTextBoxApply.facts
def _boxed(known: Known) -> Mapping[str, Facts]:
    known.agree("prompt", "conditioning_to", "clip", hint="encode both with the text encoder of one model")
    family = known["clip"].get("family")
    if family in FAMILIES and family != "sd1":
        known.refuse("clip", NO_GLIGEN.format(FAMILIES[str(family)].title, "take this node away"))
    return {"conditioning": known["conditioning_to"]}
