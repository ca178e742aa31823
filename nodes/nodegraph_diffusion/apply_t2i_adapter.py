"""A T2I-Adapter on a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated

from pydantic import Field

from nodegraph import Choices, Context, Facts, Folders, Known, NodeError, Widget, choices, node

from .checkpoint import Checkpoint, ModelError, find, list_parts
from .checkpoint.controls import open_t2i_adapter
from .families import FAMILIES
from .handles import Model
from .params import Unit
from .values import ControlHint, Image

Strength = Annotated[float, Field(ge=0, le=10), Widget("slider", min=0, max=2, step=0.05)]


@node(version=1, title="Apply T2I-Adapter", lane="io", category="model")
def apply_t2i_adapter(
    ctx: Context,
    model: Model,
    image: Image,
    source: Annotated[str, Choices("t2i_adapters")],
    strength: Strength = 1.0,
    start: Unit = 0.0,
    end: Unit = 1.0,
) -> Model:
    """Hold a Stable Diffusion 1 or XL model to the structure of a picture, as ApplyControlNet does, in less time.

    The adapter looks at its picture once and not on every step. Several are applied one behind the other, beside
    ControlNets too; what they add is summed.

    Args:
        image: What the adapter was trained to read, such as the edges that Canny finds. It is brought to the size of
            the picture that is made.
        source: A T2I-Adapter in the folders of models: a diffusers folder.
        strength: How strictly it is followed.
        start: From which part of the steps on it acts.
        end: Up to which part of the steps it acts.
    """
    found = _opened(source, ctx.folders)
    if found.family != model.family.name:
        raise NodeError(_unlike(found, model.family.title), "source")
    own, wanted = list(found.denoiser.config["channels"]), list(model.checkpoint.denoiser.config["block_out_channels"])
    if any(one != other for one, other in zip(own, wanted, strict=False)):
        raise NodeError(
            f"{found.name} is a T2I-Adapter for levels of {own} channels, but {model.checkpoint.name} has {wanted}; "
            "use one that was made for it",
            "source",
        )
    return replace(model, controls=(*model.controls, ControlHint(found, image.pixels, strength, start, end)))


def _opened(source: str, folders: Folders) -> Checkpoint:
    try:
        return open_t2i_adapter(find(source, folders.models))
    except ModelError as error:
        raise NodeError(str(error), "source") from error


def _unlike(found: Checkpoint, title: str) -> str:
    own = FAMILIES[found.family].title
    return f"{found.name} is a T2I-Adapter for {own}, but the model is {title}; use one for it"


@apply_t2i_adapter.fingerprint
def _revision(source: str, folders: Folders) -> str:
    found = _opened(source, folders)
    return f"{found.path}\0{found.revision}"


@apply_t2i_adapter.facts
def _facts(known: Known) -> Mapping[str, Facts]:
    source, family = known.value("source"), known["model"].get("family")
    if source is not None and family in FAMILIES and (found := _opened(source, known.folders)).family != family:
        reason = _unlike(found, FAMILIES[str(family)].title)
        known.refuse("source", reason)
        known.refuse("model", f"{reason} (in source)")
    return {"model": known["model"]}


@choices("t2i_adapters")
def t2i_adapters(folders: Folders) -> Mapping[str, str]:
    """The T2I-Adapters in the folders of models, each with what it is for."""
    found: dict[str, str] = {}
    for source in list_parts(folders.models):
        try:
            adapter = open_t2i_adapter(find(source, folders.models))
        except ModelError:
            continue
        found[source] = f"for {FAMILIES[adapter.family].title}, {adapter.denoiser.bytes / 1e6:,.0f} MB"
    return found
