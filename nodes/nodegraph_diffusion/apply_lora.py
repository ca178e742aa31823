"""A LoRA on a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import Field

from nodegraph import Choices, Context, Facts, Folders, Known, Widget, choices, node

from .adapter_files import AdapterFiles
from .adapters import Lora
from .checkpoint.adapters import Adapter, open_adapter
from .families import FAMILIES
from .handles import Model, TextEncoder

Strength = Annotated[float, Field(ge=-10, le=10), Widget("slider", min=0, max=1.5, step=0.05)]


def _says(found: Adapter) -> str:
    families = " or ".join(FAMILIES[name].title for name in found.families) or "an unknown family"
    return f"for {families}, {Path(found.path).stat().st_size / 1e6:,.0f} MB"


LORAS: AdapterFiles[Adapter] = AdapterFiles(open_adapter, _says)


class Adapted(NamedTuple):
    model: Model
    text_encoder: TextEncoder | None


@node(version=1, title="Apply LoRA", lane="io", category="model")
def apply_lora(
    ctx: Context,
    model: Model,
    source: Annotated[str, Choices("loras")],
    text_encoder: TextEncoder | None = None,
    strength: Strength = 1.0,
    text_strength: Strength = 1.0,
) -> Adapted:
    """Change a model by a LoRA, without touching its weights.

    Several are applied one behind the other. Files of kohya's trainer, of peft and diffusers, and of the models'
    original code are read. What a LoRA is for is found out from its header.

    Args:
        source: A `.safetensors` file in the folders of models, or an absolute path.
        text_encoder: Where the LoRA changes text encoders too. Without it the model alone is changed.
        strength: How much it changes the denoiser. 0 is not at all.
        text_strength: How much it changes the text encoders, if it does.
    Returns:
        model: The denoiser with the LoRA.
        text_encoder: The text encoders with the LoRA; nothing where none is linked.
    """
    adapter = opened(source, ctx.folders)
    if text_encoder is None and (others := [part for part in adapter.parts if part != "denoiser"]) and text_strength:
        listed = " and ".join(part.replace("_", " ") for part in others)
        ctx.warn(f"{adapter.name} changes the {listed} too; link text_encoder to have that, or set text_strength to 0")
    return Adapted(
        with_lora(model, adapter, strength),
        text_encoder and replace(text_encoder, loras=(*text_encoder.loras, Lora(adapter, text_strength))),
    )


def opened(source: str, folders: Folders, port: str = "source") -> Adapter:
    return LORAS.open(source, folders, port)


def with_lora(model: Model, adapter: Adapter, strength: float) -> Model:
    return replace(model, loras=(*model.loras, Lora(adapter, strength)))


@apply_lora.fingerprint
def revision(source: str, folders: Folders) -> str:
    """What changes when the file does."""
    return LORAS.revision(source, folders)


@apply_lora.facts
def _facts(known: Known) -> Mapping[str, Facts]:
    known.agree("family", "model", "text_encoder", hint="use the model and text encoder of one LoadModel")
    check_fit(known, "source")
    text_encoder = known["text_encoder"]
    if "text_encoder" not in known:
        text_encoder = Facts(absent="no text encoder is linked to this node; link one, or take it from LoadModel")
    return {"model": known["model"], "text_encoder": text_encoder}


def check_fit(known: Known, port: str) -> None:
    """Refuse a LoRA, named by `port`, that is not for the model."""
    source = known.value(port)
    if source is not None:
        adapter = LORAS.open(source, known.folders, port)
        if reason := unfit(adapter, known["model"]):
            known.refuse(port, reason)
            known.refuse("model", f"{reason} (in {port})")


def unfit(adapter: Adapter, model: Facts) -> str:
    """Why a LoRA does not go with a model; empty where nothing speaks against it."""
    family, width = model.get("family"), model.size("prompt width")
    if family in FAMILIES and adapter.families and family not in adapter.families:
        titles = " or ".join(FAMILIES[name].title for name in adapter.families)
        return (
            f"{adapter.name} is a LoRA for {titles}, but the model is {FAMILIES[str(family)].title}; use one of its own"
        )
    if adapter.width is not None and width is not None and adapter.width != width:
        return (
            f"{adapter.name} is a LoRA for a model that reads prompts of width {adapter.width}, but this one reads "
            f"{width}; use one that was trained for it"
        )
    return ""


@choices("loras")
def loras(folders: Folders) -> Mapping[str, str]:
    """The LoRAs in the folders of models, each with what it is for."""
    return LORAS.listed(folders)
