"""Changes of how a model is sampled, as ComfyUI makes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import Field

from nodegraph import Choices, Context, Facts, Folders, Known, NodeError, Widget, node

from ..apply_lora import Strength, check_fit, opened, revision, with_lora
from ..families import FAMILIES
from ..guides import Weakening
from ..handles import Model
from ..params import Pixels, Unit

CATEGORY = "ComfyUI"
Away = Annotated[float, Field(ge=0, le=10), Widget("number", step=0.1)]
Layers = Annotated[str, Field(max_length=500, pattern=r"^[0-9 ,]*$")]
Shift = Annotated[float, Field(ge=0, le=100), Widget("number", step=0.01)]
PREDICTIONS: Mapping[str, Literal["epsilon", "v_prediction", "sample", "lcm"]] = {
    "eps": "epsilon",
    "v_prediction": "v_prediction",
    "lcm": "lcm",
    "x0": "sample",
}
ZERO_SNR = 4.8973451890853435e-08
"""The cumulative product that stands for zero there: sigma is 4518.8."""
DISTILLED = 50
"""On how many timesteps models of latent consistency were distilled."""
SMALL, LARGE = 256, 4096
"""Patches of the pictures that Flux's two shifts belong to."""
PATCH = 16
"""Pixels."""


@node(version=1, title="ModelSamplingDiscrete", category=CATEGORY)
def ModelSamplingDiscrete(
    model: Model, sampling: Literal["eps", "v_prediction", "lcm", "x0"] = "eps", zsnr: bool = False
) -> Model:
    """Say what a model gives that was trained on discrete timesteps.

    Args:
        sampling: The noise, "v", the noise after distillation to latent consistency, or the picture.
        zsnr: Whether it was trained with a last step that is noise alone.
    """
    if model.checkpoint.prediction == "flow":
        raise NodeError(f"{model.checkpoint.name!r} is a flow model, which has no discrete timesteps", "model")
    noise: dict[str, Any] = dict(model.noise)
    if sampling == "lcm":
        noise["distilled_steps"] = DISTILLED
    if zsnr:
        noise |= {"rescale_betas_zero_snr": True, "terminal_product": ZERO_SNR}
    return replace(model, predicts=PREDICTIONS[sampling], noise=noise)


@node(version=1, title="ModelSamplingSD3", category=CATEGORY)
def ModelSamplingSD3(model: Model, shift: Shift = 3.0) -> Model:
    """Shift the times of a flow model towards noise.

    Args:
        shift: 1 is not at all; large pictures want more.
    """
    return _shifted(model, shift)


@node(version=1, title="ModelSamplingAuraFlow", category=CATEGORY)
def ModelSamplingAuraFlow(model: Model, shift: Shift = 1.73) -> Model:
    """Shift the times of a flow model towards noise.

    Args:
        shift: 1 is not at all; large pictures want more.
    """
    return _shifted(model, shift)


@node(version=1, title="ModelSamplingFlux", category=CATEGORY)
def ModelSamplingFlux(
    model: Model, max_shift: Shift = 1.15, base_shift: Shift = 0.5, width: Pixels = 1024, height: Pixels = 1024
) -> Model:
    """Shift the times of a flow model towards noise, by the size of the picture.

    Args:
        max_shift: For a picture of 1024 x 1024, as an exponent.
        base_shift: For one of 256 x 256.
        width: Of the picture that is made, in pixels.
        height: Of the picture that is made, in pixels.
    """
    patches = width * height / PATCH**2
    shift = base_shift + (max_shift - base_shift) * (patches - SMALL) / (LARGE - SMALL)
    moved = {"use_dynamic_shifting": True, "base_shift": shift, "max_shift": shift, "usual_shift": shift}
    return _flow(model, moved)


def _shifted(model: Model, shift: float) -> Model:
    if shift == 0:
        raise NodeError("0 leaves no noise; 1 is no shift", "shift")
    return _flow(model, {"use_dynamic_shifting": False, "shift": shift, "shift_terminal": None})


def _flow(model: Model, noise: Mapping[str, Any]) -> Model:
    if model.checkpoint.prediction != "flow":
        raise NodeError(f"{model.checkpoint.name!r} is no flow model, so it has no times to shift", "model")
    return replace(model, noise={**model.noise, **noise})


@node(version=1, title="DifferentialDiffusion", category=CATEGORY)
def DifferentialDiffusion(model: Model, strength: Unit = 1.0) -> Model:
    """Let a soft mask say for how long each part of a picture is made anew: the lighter, the longer.

    Args:
        strength: 0 mixes both at each step, as without this node.
    """
    return replace(model, differential=strength)


@node(version=1, title="CFGNorm", category=CATEGORY)
def CFGNorm(model: Model, strength: Annotated[float, Field(ge=0, le=100), Widget("number", step=0.01)] = 1.0) -> Model:
    """Hold what guidance makes, in each cell, to the length that it has without.

    Args:
        strength: A factor of that length.
    """
    return replace(model, held=strength)


@node(version=1, title="SkipLayerGuidanceSD3", category=CATEGORY)
def SkipLayerGuidanceSD3(
    model: Model, layers: Layers = "7, 8, 9", scale: Away = 3.0, start_percent: Unit = 0.01, end_percent: Unit = 0.15
) -> Model:
    """Move away from what a model says where some of its blocks are left out, for Stable Diffusion 3.5.

    Args:
        layers: Numbers of its blocks.
        scale: How far. 0 is not at all.
        start_percent: From which part of the noise on.
        end_percent: Up to which part of it.
    """
    if not scale or not layers.strip(" ,"):
        return model
    return replace(model, weakening=Weakening("skip_layer", layers, scale, start_percent, end_percent, by_noise=True))


@node(version=1, title="RescaleCFG", category=CATEGORY)
def RescaleCFG(model: Model, multiplier: Unit = 0.7) -> Model:
    """Bring the contrast back that a high cfg adds, as models that were trained to give "v" see it.

    Args:
        multiplier: How far. 0 is not at all.
    """
    return replace(model, rescaled=multiplier)


@ModelSamplingDiscrete.facts
def _discrete(known: Known) -> dict[str, Facts]:
    model = known["model"]
    if model.get("prediction") == "flow":
        known.refuse("model", "it is a flow model, which has no discrete timesteps; use ModelSamplingSD3")
    sampling = known.value("sampling")
    told = None if sampling is None else PREDICTIONS.get(str(sampling))
    return {"model": model if told is None else model | {"prediction": told}}


@ModelSamplingSD3.facts
@ModelSamplingAuraFlow.facts
@ModelSamplingFlux.facts
def _flowing(known: Known) -> dict[str, Facts]:
    if known["model"].get("prediction") not in (None, "flow"):
        known.refuse("model", "it is no flow model, so it has no times to shift; take this node away")
    return {"model": known["model"]}


@node(version=1, title="LoraLoaderModelOnly", lane="io", category=CATEGORY)
def LoraLoaderModelOnly(
    ctx: Context, model: Model, lora_name: Annotated[str, Choices("loras")], strength_model: Strength = 1.0
) -> Model:
    """Change a model by a LoRA, and leave its text encoders as they are.

    Args:
        lora_name: A `.safetensors` file in the folders of models.
        strength_model: How much. 0 is not at all.
    """
    return with_lora(model, opened(lora_name, ctx.folders, "lora_name"), strength_model)


@LoraLoaderModelOnly.fingerprint
def _revision(lora_name: str, folders: Folders) -> str:
    return revision(lora_name, folders)


@LoraLoaderModelOnly.facts
def _adapted(known: Known) -> dict[str, Facts]:
    check_fit(known, "lora_name")
    return {"model": known["model"]}


@SkipLayerGuidanceSD3.facts
def _skipping(known: Known) -> dict[str, Facts]:
    family = FAMILIES.get(str(known["model"].get("family")))
    if family is not None and family.denoiser[0] == "unet":
        known.refuse("model", "a UNet has no row of blocks to skip; use PerturbedAttentionGuidance")
    return {"model": known["model"]}


@CFGNorm.facts
@RescaleCFG.facts
@DifferentialDiffusion.facts
def _kept(known: Known) -> dict[str, Facts]:
    return {"model": known["model"]}
