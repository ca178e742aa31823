"""GLIGEN: phrases in boxes that a model holds to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated

from nodegraph import Choices, Context, Facts, Folders, Known, NodeError, choices, node

from .adapter_files import AdapterFiles
from .checkpoint.gligen import Gligen, open_gligen
from .encode_prompt import phrase
from .families import FAMILIES
from .handles import Model, TextEncoder
from .params import Text, Unit
from .values import Conditioning, Ground

GLIGENS: AdapterFiles[Gligen] = AdapterFiles(
    open_gligen, lambda found: f"for {FAMILIES['sd1'].title}, {found.bytes / 1e6:,.0f} MB"
)

NO_GLIGEN = "GLIGEN is for Stable Diffusion 1.x, but the text encoder is of {}; {}"


@node(version=1, title="Apply GLIGEN", lane="io", category="model")
def apply_gligen(ctx: Context, model: Model, source: Annotated[str, Choices("gligens")]) -> Model:
    """Let a Stable Diffusion 1 model put what a Layout or GroundPrompt says into their boxes by GLIGEN.

    Models that were saved with GLIGEN in them do without.

    Args:
        source: A GLIGEN for text boxes in the folders of models: a `.safetensors` file with the gates alone, such as
            `gligen_sd14_textbox_pruned.safetensors`.
    """
    return with_gates(model, GLIGENS.open(source, ctx.folders), "source")


@node(version=1, lane="gpu", category="prompt")
def ground_prompt(
    ctx: Context,
    prompt: Conditioning,
    text_encoder: TextEncoder,
    text: Text = "",
    x: Unit = 0.0,
    y: Unit = 0.0,
    width: Unit = 0.5,
    height: Unit = 1.0,
    end: Unit = 0.3,
) -> Conditioning:
    """Say where a thing of a prompt should be, to a model with GLIGEN. Several are applied one behind the other.

    The prompt names everything in the picture, the boxes say where. `Layout` does the same for all boxes at once, and
    works with models of every family.

    Args:
        prompt: Of the whole picture.
        text: The thing in the box, in a few words.
        x: Its left edge, as a part of the picture's width.
        y: Its upper edge, as a part of the picture's height.
        width: As a part of the picture's.
        height: As a part of the picture's.
        end: Up to which part of the steps the box is held to, GLIGEN's beta. 0.3 leaves the model its finish, 1 is the
            strictest.
    """
    if not width or not height or x + width > 1.0001 or y + height > 1.0001:
        place = f"the box reaches from {x:g}, {y:g} to {x + width:g}, {y + height:g}"
        raise NodeError(f"{place}, but a box lies within 0 and 1 and has a width and a height; change it", "width")
    found = phrase(ctx, text_encoder, text)
    if found is None:
        raise NodeError(NO_GLIGEN.format(text_encoder.family.title, "use Layout"), "text")
    ground = Ground(found, x, y, width, height, end)
    return prompt.each(lambda part: replace(part, grounds=(*part.grounds, ground)))


def with_gates(model: Model, found: Gligen, port: str) -> Model:
    """`model` with the gates of `found`. Raises `NodeError` at `port` where they do not go together."""
    family = model.family
    if reason := _unfit(found, family.name, family.width(model.checkpoint.denoiser.config), model.grounded):
        raise NodeError(reason, port)
    return replace(model, gligen=found)


def _unfit(found: Gligen, family: str, width: int, has_one: bool) -> str:
    """Why a GLIGEN does not go with a model; empty where nothing speaks against it."""
    own = FAMILIES[family]
    if not own.grounds or found.width != width:
        needs = f"a Stable Diffusion 1 model that reads prompts of width {found.width}"
        return f"{found.name} is a GLIGEN for {needs}, but the model, {own.title}, reads {width}; use one made for it"
    if has_one:
        return f"the model has GLIGEN already; take {found.name} away"
    return ""


@apply_gligen.fingerprint
def _revision(source: str, folders: Folders) -> str:
    return GLIGENS.revision(source, folders)


@apply_gligen.facts
def _facts(known: Known) -> Mapping[str, Facts]:
    source, model = known.value("source"), known["model"]
    family, width = model.get("family"), model.size("prompt width")
    if source is not None:
        found = GLIGENS.open(source, known.folders)
        has_one = bool(model.get("gligen"))
        if family in FAMILIES and width is not None and (reason := _unfit(found, str(family), width, has_one)):
            known.refuse("source", reason)
            known.refuse("model", f"{reason} (in source)")
    return {"model": model | {"gligen": True}}


@ground_prompt.facts
def _grounded(known: Known) -> Mapping[str, Facts]:
    known.agree("prompt", "prompt", "text_encoder", hint="encode both with the text encoder of one model")
    return {"conditioning": known["prompt"] | {"grounded": True}}


@choices("gligens")
def gligens(folders: Folders) -> Mapping[str, str]:
    """The GLIGENs in the folders of models, each with what it is for."""
    return GLIGENS.listed(folders)
