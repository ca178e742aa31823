"""A T2I-Adapter on a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated

from nodegraph import Choices, Context, Facts, Folders, Known, NodeError, choices, node

from .checkpoint.t2i_adapters import open_t2i_adapter
from .control_files import ControlFiles
from .handles import Model
from .params import Hold, Unit
from .values import ControlHint, Image

T2I_ADAPTERS = ControlFiles(open_t2i_adapter, what="T2I-Adapter")


@node(version=1, title="Apply T2I-Adapter", lane="io", category="model")
def apply_t2i_adapter(
    ctx: Context,
    model: Model,
    image: Image,
    source: Annotated[str, Choices("t2i_adapters")],
    strength: Hold = 1.0,
    start: Unit = 0.0,
    end: Unit = 1.0,
) -> Model:
    """Hold a Stable Diffusion 1 or XL model to the structure of a picture, as ApplyControlNet does, in less time.

    The adapter looks at its picture once and not on every step. Several are applied one behind the other, beside
    ControlNets too; what they add is summed.

    Args:
        image: What the adapter was trained to read, such as the edges that Canny finds. It is brought to the size of
            the picture that is made.
        source: A T2I-Adapter in the folders of models: a diffusers folder, or a `.safetensors` file.
        strength: How strictly it is followed.
        start: From which part of the steps on it acts.
        end: Up to which part of the steps it acts.
    """
    found = T2I_ADAPTERS.open(source, ctx.folders)
    if found.family != model.family.name:
        raise NodeError(T2I_ADAPTERS.unlike(found, model.family.title), "source")
    own, wanted = list(found.denoiser.config["channels"]), list(model.checkpoint.denoiser.config["block_out_channels"])
    if any(one != other for one, other in zip(own, wanted, strict=False)):
        raise NodeError(
            f"{found.name} is a T2I-Adapter for levels of {own} channels, but {model.checkpoint.name} has {wanted}; "
            "use one that was made for it",
            "source",
        )
    return replace(model, controls=(*model.controls, ControlHint(found, image.pixels, strength, start, end)))


@apply_t2i_adapter.fingerprint
def _revision(source: str, folders: Folders) -> str:
    return T2I_ADAPTERS.revision(source, folders)


@apply_t2i_adapter.facts
def _facts(known: Known) -> Mapping[str, Facts]:
    T2I_ADAPTERS.fitting(known)
    return {"model": known["model"]}


@choices("t2i_adapters")
def t2i_adapters(folders: Folders) -> Mapping[str, str]:
    """The T2I-Adapters in the folders of models, each with what it is for."""
    return T2I_ADAPTERS.listed(folders)
