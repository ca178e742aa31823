"""How a model is guided."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field

from nodegraph import Facts, Known, NodeError, Widget, node

from .families import FAMILIES
from .handles import Guider, Model, Weakening
from .params import Unit

Limit = Annotated[float, Field(ge=0, le=1000), Widget("number", step=1)]
Momentum = Annotated[float, Field(ge=-0.99, le=0.99), Widget("slider", min=-0.9, max=0.9, step=0.05)]
Scale = Annotated[float, Field(ge=0, le=100), Widget("slider", min=0, max=10, step=0.1)]
Layers = Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[\w. ,]+$")]
UNET = "a UNet has no row of blocks to skip; use 'perturbed', or a model with a transformer"


@node(version=1, category="model")
def apply_guidance(
    model: Model,
    kind: Literal["projected", "zero_star", "tangential", "perturbed", "skip_layer"] = "projected",
    eta: Unit = 0.0,
    limit: Limit = 15.0,
    momentum: Momentum = 0.0,
    scale: Scale = 3.0,
    layers: Layers = "auto",
    start: Unit = 0.0,
    end: Unit = 1.0,
) -> Model:
    """Guide a model in another way than the usual.

    The first three say how positive and negative prompt are combined: they need a negative and a cfg above 1. The other
    two ask the model once more each step, made worse on purpose, and move away from what it then says; they go with any
    of the first, one node behind the other, and with none.

    Args:
        kind: "projected" (adaptive projected guidance) does not burn at a high cfg; "zero_star" (the scaling of
            CFG-Zero*) suits flow models; "tangential" keeps of the negative only what it has in common with the
            positive; "perturbed" (perturbed attention) makes shapes whole; "skip_layer" does so for Stable Diffusion
            3.5 and other transformers.
        eta: Of "projected": how much of the change along the positive stays. 1 is the usual.
        limit: Of "projected": the largest change of a step. 0 is none.
        momentum: Of "projected": how much of the changes before is added to each. Below 0, such as -0.5, it steers away
            from where they went; 0 is none.
        scale: Of "perturbed" and "skip_layer": how far to move away. 3 is usual.
        layers: Of these: which layers are made worse. Numbers of a transformer's blocks, such as "7, 8, 9", or parts of
            the names of a UNet's layers, such as "mid" or "up_blocks.1". "auto" is the middle of a UNet, and of a
            transformer the part where Stable Diffusion 3.5 has the blocks 7 to 9 of 24.
        start: Of these: from which part of the steps on. Stable Diffusion 3.5 is guided so from 0.01 to 0.2.
        end: Of these: up to which part of the steps.
    """
    if kind in ("perturbed", "skip_layer"):
        if kind == "skip_layer" and model.family.denoiser[0] == "unet":
            raise NodeError(UNET, "kind")
        return replace(model, weakening=Weakening(kind, layers, scale, start, end))
    return replace(model, guider=Guider(kind, eta, limit, momentum))


@apply_guidance.facts
def _facts(known: Known) -> dict[str, Facts]:
    family = FAMILIES.get(str(known["model"].get("family")))
    if family is not None and family.denoiser[0] == "unet" and known.value("kind") == "skip_layer":
        known.refuse("kind", UNET)
    return {"model": known["model"]}
