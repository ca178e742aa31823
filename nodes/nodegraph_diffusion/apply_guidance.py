"""How a model is guided."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field

from nodegraph import Facts, Known, Widget, node

from .handles import Guider, Model
from .params import Unit

Limit = Annotated[float, Field(ge=0, le=1000), Widget("number", step=1)]


@node(version=1, category="model")
def apply_guidance(
    model: Model,
    kind: Literal["projected", "zero_star", "tangential"] = "projected",
    eta: Unit = 0.0,
    limit: Limit = 15.0,
) -> Model:
    """Guide a model in another way than the usual. It needs a negative prompt and a cfg above 1.

    Args:
        kind: "projected" (adaptive projected guidance) does not burn at a high cfg; "zero_star" (the scaling of
            CFG-Zero*) suits flow models; "tangential" keeps of the negative only what it has in common with the
            positive.
        eta: Of "projected": how much of the change along the positive stays. 1 is the usual.
        limit: Of "projected": the largest change of a step. 0 is none.
    """
    return replace(model, guider=Guider(kind, eta, limit))


@apply_guidance.facts
def _facts(known: Known) -> dict[str, Facts]:
    return {"model": known["model"]}
