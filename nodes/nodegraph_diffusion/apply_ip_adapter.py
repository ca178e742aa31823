"""A picture as a prompt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from nodegraph import Choices, Context, Facts, Folders, Known, NodeError, Widget, choices, node

from .adapter_files import AdapterFiles
from .adapters import ImagePrompt
from .checkpoint import Checkpoint, ModelError, find, list_parts
from .checkpoint.ip_adapters import IpAdapter, open_image_encoder, open_ip_adapter
from .families import FAMILIES, Family
from .handles import Model
from .leases import Weights
from .params import Unit
from .values import Image, Mask

Strength = Annotated[float, Field(ge=-10, le=10), Widget("slider", min=0, max=1.5, step=0.05)]
IP_ADAPTERS: AdapterFiles[IpAdapter] = AdapterFiles(
    open_ip_adapter, lambda found: f"{found.kind}, for prompts of width {found.width}, {found.bytes / 1e6:,.0f} MB"
)
BESIDE = "image_encoder"
FLUX = "FluxTransformer2DModel"


@node(version=1, title="Apply IP-Adapter", lane="gpu", category="model")
def apply_ip_adapter(
    ctx: Context,
    model: Model,
    image: Image,
    source: Annotated[str, Choices("ip_adapters")],
    image_encoder: Annotated[str, Choices("image_encoders")] = "",
    strength: Strength = 1.0,
    start: Unit = 0.0,
    end: Unit = 1.0,
    mask: Mask | None = None,
) -> Model:
    """Let a picture say what a picture should show, beside the prompt: its subject, its style, its face.

    Several are applied one behind the other. For Stable Diffusion 1, 2, XL and Flux.1; the model keeps its weights.

    Args:
        image: What is shown. Its middle square is read; the pictures of a batch are shown together.
        source: An IP-Adapter in the folders of models: a plain, a plus or a full-face `.safetensors` file, or one of
            XLabs for Flux.
        image_encoder: The folder of the image encoder that it was trained with. By default "image_encoder" beside the
            file.
        strength: How much the picture counts. 1 is as much as the prompt; 0.5 to 0.8 leave the prompt more to say.
        start: From which part of the steps on it acts.
        end: Up to which part of the steps it acts.
        mask: Where in the picture that is made it acts. It lies over the whole of it, whatever its size.
    """
    if mask is not None and mask.batch != 1:
        raise NodeError(f"takes one mask, but a batch of {mask.batch} is given; take one out of it", "mask")
    from .diffusion.images import seen

    adapter, encoder = _opened(source, image_encoder, model.family.name, ctx.folders)
    if reason := _unfit(adapter, model.family, model.family.width(model.checkpoint.denoiser.config)):
        raise NodeError(reason, "source")
    if reason := _unread(adapter, encoder):
        raise NodeError(reason, "image_encoder")
    like = model.denoiser
    weights: Weights[Any] = Weights(encoder, encoder.denoiser, like.dtype, like.device)
    with ctx.lease(weights) as network:
        found, none = seen(network, image.to_bytes(), patches=adapter.kind != "plain", black=adapter.denoiser == FLUX)
    where = None if mask is None else mask.values
    shown = ImagePrompt(adapter, found.numpy(), none.numpy(), strength, start, end, where)
    return replace(model, images=(*model.images, shown))


def _opened(source: str, image_encoder: str, family: str, folders: Folders) -> tuple[IpAdapter, Checkpoint]:
    adapter = IP_ADAPTERS.open(source, folders)
    try:
        beside = Path(adapter.path).parent / BESIDE
        return adapter, open_image_encoder(find(image_encoder, folders.models) if image_encoder else beside, family)
    except ModelError as error:
        raise NodeError(str(error), "image_encoder") from error


def _unfit(adapter: IpAdapter, family: Family, width: int) -> str:
    """Why an IP-Adapter does not go with a model; empty where nothing speaks against it."""
    if family.denoiser[1] == adapter.denoiser and width == adapter.width:
        return ""
    return (
        f"{adapter.name} is an IP-Adapter for a {adapter.denoiser} that reads prompts of width {adapter.width}, but "
        f"the model, {family.title}, reads {width}; use one that was made for it"
    )


def _unread(adapter: IpAdapter, encoder: Checkpoint) -> str:
    """Why an IP-Adapter does not go with an image encoder; empty where it does."""
    own = int(encoder.denoiser.config["projection_dim" if adapter.kind == "plain" else "hidden_size"])
    if own == adapter.reads:
        return ""
    return (
        f"{adapter.name} reads vectors of width {adapter.reads}, but {encoder.name} gives {own}; name the image "
        "encoder that it was trained with"
    )


@apply_ip_adapter.fingerprint
def _revision(source: str, image_encoder: str, folders: Folders) -> str:
    found = _opened(source, image_encoder, next(iter(FAMILIES)), folders)
    return "\0".join(f"{each.path}\0{each.revision}" for each in found)


@apply_ip_adapter.facts
def _facts(known: Known) -> Mapping[str, Facts]:
    source, encoder, model = known.value("source"), known.value("image_encoder"), known["model"]
    family, width = model.get("family"), model.size("prompt width")
    if source is not None and encoder is not None:
        adapter, found = _opened(source, encoder, next(iter(FAMILIES)), known.folders)
        if reason := _unread(adapter, found):
            known.refuse("image_encoder", reason)
        if family in FAMILIES and width is not None and (reason := _unfit(adapter, FAMILIES[str(family)], width)):
            known.refuse("source", reason)
            known.refuse("model", f"{reason} (in source)")
    return {"model": model}


@choices("ip_adapters")
def ip_adapters(folders: Folders) -> Mapping[str, str]:
    """The IP-Adapters in the folders of models, each with what it is for."""
    return IP_ADAPTERS.listed(folders)


@choices("image_encoders")
def image_encoders(folders: Folders) -> Mapping[str, str]:
    """The image encoders in the folders of models, each with how wide its vectors are."""
    found: dict[str, str] = {}
    for source in list_parts(folders.models):
        try:
            encoder = open_image_encoder(find(source, folders.models), next(iter(FAMILIES)))
        except ModelError:
            continue
        found[source] = f"vectors of width {encoder.denoiser.config.get('projection_dim')}"
    return found
