"""How a model is run, beside what it is."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field

from nodegraph import Facts, Known, Widget, node

from .checkpoint.header import QUANTISED
from .families import FAMILIES
from .handles import Model
from .leases import Options

Threshold = Annotated[float, Field(ge=0, le=1), Widget("slider", min=0, max=0.3, step=0.01)]


@node(version=1, category="model")
def run_options(
    model: Model,
    attention: Literal["auto", "native", "_native_math", "_native_flash", "flash", "sage", "xformers"] = "auto",
    step_cache: Threshold = 0.0,
    offload: bool = False,
    compile: bool = False,
    weights: Literal["as loaded", "float8"] = "as loaded",
) -> Model:
    """Trade memory, time and exactness of a model.

    Args:
        attention: What computes attention. "auto" and "native" are PyTorch's own; flash, sage and xformers are packages
            of their own and need a graphics card.
        step_cache: Leave out all blocks but the first on steps where the first one's output changed less than this part
            since they were asked: 0.08 saves about a third of the time with a small change of the picture. 0 leaves out
            nothing. Flux.1, Flux.2 and Qwen-Image have it, others do not.
        offload: Keep the layers in the computer's memory and bring each to the graphics card while it is used: slower,
            and models run that are larger than the card.
        compile: Let PyTorch compile the blocks that repeat: the first step takes a minute or more, the others less time
            than before. Models with LoRAs, IP-Adapters or perturbed layers, whose hooks compiled blocks do not see, run
            as they are.
        weights: "float8" keeps layers in eight bits and widens each while it is used: half the memory of float16, with
            a small change of the picture.
    """
    return replace(model, options=Options(attention, step_cache, offload, compile, weights == "float8"))


@run_options.facts
def _facts(known: Known) -> dict[str, Facts]:
    model = known["model"]
    cache, offload = known.value("step_cache"), known.value("offload")
    family = FAMILIES.get(str(model.get("family")))
    if cache and family is not None and not family.caches:
        known.refuse("step_cache", f"diffusers has no step cache for {family.title}; set it to 0")
    if known.value("compile") and (cache or offload):
        known.refuse(
            "compile", f"compiled blocks do not go with {'offload' if offload else 'step_cache'}; turn one off"
        )
    if known.value("weights") == "float8" and (stored := model.get("stored")) in QUANTISED:
        known.refuse("weights", f"the model's weights are {stored} already; set it to 'as loaded'")
    return {"model": model}
