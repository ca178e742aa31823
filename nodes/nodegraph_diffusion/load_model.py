"""A model from a file or folder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from nodegraph import Choices, Context, Folders, NodeError, choices, node

from .checkpoint import DEMO, Checkpoint, ModelError, list_models, open_model
from .handles import Dtype, Model, TextEncoder, Vae

Device = Annotated[str, Field(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")]


class LoadedModel(NamedTuple):
    model: Model
    text_encoder: TextEncoder
    vae: Vae


@node(version=1, lane="io", category="model")
def load_model(
    ctx: Context,
    source: Annotated[str, Choices("models")] = DEMO,
    prediction: Literal["auto", "epsilon", "v_prediction"] = "auto",
    dtype: Dtype = "auto",
    device: Device = "auto",
) -> LoadedModel:
    """Open a model. Its weights load when a node first uses them.

    Reads diffusers folders and single `.safetensors` files of Stable Diffusion 1.x and 2.x. Nothing is downloaded, and
    pickles are refused.

    Args:
        source: "demo" (the small model that comes along), a file or folder in the folders of models, or an absolute
            path.
        prediction: What the model was trained to predict. A single file of Stable Diffusion 2.x does not always tell:
            where pictures come out as noise or burnt, try the other.
        dtype: Precision of the weights. By default float32 on a CPU and float16 on a graphics card.
        device: Where to compute: "cuda", "cuda:1", "mps", "cpu". By default the best there is.
    Returns:
        model: The denoiser.
        text_encoder: Encodes prompts for it.
        vae: Encodes and decodes its latents.
    """
    try:
        found = open_model(source, ctx.folders.models, prediction)
    except ModelError as error:
        raise NodeError(str(error), "source") from error
    if device not in ("auto", "cpu"):
        from .diffusion.devices import choose_device

        try:
            choose_device(device)
        except ValueError as error:
            raise NodeError(str(error), "device") from error
    if found.prediction_guessed:
        ctx.warn(f"takes {found.name} to predict {found.prediction}: {found.prediction_from}; `prediction` can say it")
    return LoadedModel(Model(found, dtype, device), TextEncoder(found, dtype, device), Vae(found, dtype, device))


@load_model.fingerprint
def _revision(source: str, folders: Folders) -> str:
    found = open_model(source, folders.models)
    # The path too: a cached handle must not point to where an equal file was before.
    return f"{found.path}\0{found.revision}"


@choices("models")
def models(folders: Folders) -> Mapping[str, str]:
    """The models in the folders, each with what it is, or why it cannot be used."""
    return {source: _described(source, folders) for source in list_models(folders.models)}


def _described(source: str, folders: Folders) -> str:
    try:
        return described(open_model(source, folders.models))
    except ModelError as error:
        return f"cannot be used: {error}"


def described(found: Checkpoint) -> str:
    """One line for people."""
    family = {"sd1": "Stable Diffusion 1.x", "sd2": "Stable Diffusion 2.x"}[found.family]
    kind = {"demo": "the shipped demo model", "folder": f"{family}, diffusers folder", "file": f"{family}, single file"}
    inpainting = ", for inpainting" if found.in_channels == 9 else ""
    size = sum(part.bytes for part in (found.denoiser, found.text_encoder, found.vae)) / 1e6
    return f"{kind[found.kind]}{inpainting}, {found.prediction}, {found.denoiser.dtype}, {size:,.0f} MB"
