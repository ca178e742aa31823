"""A model from a file or folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from nodegraph import Choices, Context, Fact, Facts, Folders, Known, NodeError, choices, node

from .checkpoint import DEMO, Checkpoint, ModelError, list_models, open_model, with_text_encoders, with_vae
from .checkpoint.memory import decoding, itemsize
from .checkpoint.spaces import space
from .families import FAMILIES, Family
from .handles import Dtype, Model, TextEncoder, Vae
from .teach_word import text_widths

Other = Annotated[str, Choices("models")]
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
    text_encoder_from: Annotated[str, Choices("models", several=True)] = "",
    vae_from: Other = "",
) -> LoadedModel:
    """Open a model. Its weights load when a node first uses them.

    Reads diffusers folders and single `.safetensors` files in the layout of the models' original code; which families,
    `docs/models.md` says. The family is found out from the file's header. Nothing is downloaded, and pickles are
    refused.

    Args:
        source: "demo" (the small model that comes along), a file or folder in the folders of models, or an absolute
            path.
        prediction: What the model was trained to predict. A single file of Stable Diffusion 2.x does not always tell:
            where pictures come out as noise or burnt, try the other.
        dtype: Precision of the weights. By default float32 on a CPU and float16 on a graphics card. A processor
            without instructions for a half type takes float32.
        device: Where to compute: "cuda", "cuda:1", "mps", "cpu". By default the best there is.
        text_encoder_from: Another model to take the text encoders from, for files that hold the denoiser alone; or
            files that hold a CLIP or T5 alone, with commas between their names.
        vae_from: Another model to take the VAE from, or a file that holds one alone.
    Returns:
        model: The denoiser.
        text_encoder: Encodes prompts for it.
        vae: Encodes and decodes its latents.
    """
    found, texts, pictures = _opened(source, prediction, text_encoder_from, vae_from, ctx.folders)
    if device not in ("auto", "cpu") or dtype not in ("auto", "float32"):
        from .diffusion.devices import choose_device, choose_dtype

        try:
            place = choose_device(device)
        except ValueError as error:
            raise NodeError(str(error), "device") from error
        taken = str(choose_dtype(place, dtype)).removeprefix("torch.")
        if taken != dtype != "auto":
            ctx.warn(f"computes in {taken}: this processor has no instructions for {dtype}")
    if found.prediction_guessed:
        ctx.warn(f"takes {found.name} to predict {found.prediction}: {found.prediction_from}; `prediction` can say it")
    family = FAMILIES[found.family]
    return LoadedModel(
        Model(found, dtype, device, space(pictures.autoencoder)),
        TextEncoder(texts, dtype, device),
        Vae(pictures, dtype, device, family.multiple, family.inpaints(found.denoiser.config), family.enlarges),
    )


def _opened(
    source: str, prediction: Literal["auto", "epsilon", "v_prediction"], texts: str, pictures: str, folders: Folders
) -> tuple[Checkpoint, Checkpoint, Checkpoint]:
    """The models that denoiser, text encoders and VAE are of. Raises `NodeError` where one lacks them."""

    def opened(port: str, look: Callable[[], Checkpoint]) -> Checkpoint:
        try:
            return look()
        except ModelError as error:
            raise NodeError(str(error), port) from error

    found = opened("source", lambda: open_model(source, folders.models, prediction))
    text_model, picture_model = found, found
    if texts:
        text_model = opened("text_encoder_from", lambda: with_text_encoders(found, texts, folders.models))
    if pictures:
        picture_model = opened("vae_from", lambda: with_vae(found, pictures, folders.models))
    if _family(found).encoders and not text_model.text_encoders:
        message = f"{text_model.name} holds no text encoders; name a model that has those of {_family(found).title}"
        raise NodeError(message, "text_encoder_from")
    if picture_model.vae is None:
        message = f"{picture_model.name} holds no VAE; name a model that has one of {_family(found).title}"
        raise NodeError(message, "vae_from")
    return found, text_model, picture_model


def _family(found: Checkpoint) -> Family:
    return FAMILIES[found.family]


@load_model.fingerprint
def _revision(source: str, text_encoder_from: str, vae_from: str, folders: Folders) -> str:
    found = _opened(source, "auto", text_encoder_from, vae_from, folders)
    # The paths too: a cached handle must not point to where an equal file was before.
    return "\0".join(f"{each.path}\0{each.revision}" for each in dict.fromkeys(found))


@load_model.ingredients
def _weights(source: str, text_encoder_from: str, vae_from: str, folders: Folders) -> list[Path]:
    found, texts, pictures = _opened(source, "auto", text_encoder_from, vae_from, folders)
    used = [(found, found.denoiser), *((texts, part) for part in texts.text_encoders), (pictures, pictures.autoencoder)]
    return list(dict.fromkeys(model.root / file for model, part in used for file in part.files))


@load_model.facts
def _facts(known: Known) -> Mapping[str, Facts]:
    source, prediction = known.value("source"), known.value("prediction")
    text_encoder_from, vae_from = known.value("text_encoder_from"), known.value("vae_from")
    if None in (source, prediction, text_encoder_from, vae_from):  # a link feeds it
        return {}
    found, texts, pictures = _opened(source, prediction, text_encoder_from, vae_from, known.folders)
    family, at = FAMILIES[found.family], space(pictures.autoencoder)
    prompt = f"{family.name} of width {family.width(found.denoiser.config)}"
    written = prompt if texts.family == found.family else texts.family
    if written != prompt:
        known.refuse("text_encoder_from", f"{texts.name} is {FAMILIES[texts.family].title}, but {found.name} reads the "
                     f"prompts of {family.title}; name a model of that family")  # fmt: skip
    if FAMILIES[pictures.family].space != family.space:
        known.refuse("vae_from", f"{pictures.name} is {FAMILIES[pictures.family].title}, whose latents "
                     f"{found.name}, {family.title}, does not read; name a model with its VAE")  # fmt: skip
    latent = latent_space(family, pictures)
    size = itemsize(known.value("dtype") or "auto", known.value("device") or "auto")
    held = family.activations(found.denoiser.config) if family.activations else None
    model: dict[str, Fact | None] = {
        "family": family.name,
        "latent space": latent,
        "channels": at.channels,
        "prompt": prompt,
        "prompt width": family.width(found.denoiser.config),
        "prediction": found.prediction,
        "refines": family.refines or None,
        "cell": at.cell,
        "bytes per cell": None if held is None else round(size * held[0]),
        "bytes of a prompt": None if held is None else round(size * held[1]) or None,
        "two at once": family.together != "never" or None,
        "inpaints": family.inpaints(found.denoiser.config) or None,
        "enlarges": at.cell if family.enlarges else None,
        "gligen": found.denoiser.config.get("attention_type") == "gated" or None,
        "weights": found.denoiser.bytes,
        "stored": found.denoiser.dtype,
    }
    text_encoder: dict[str, Fact | None] = {
        "family": family.name,
        "prompt": prompt,
        "token widths": text_widths([part.config for part in texts.text_encoders]) or None,
        "weights": sum(part.bytes for part in texts.text_encoders),
    }
    vae: dict[str, Fact | None] = {
        "latent space": latent,
        "channels": at.channels,
        "enlarges": at.cell if family.enlarges else None,
        "cell": at.cell,
        "bytes of a number": size,
        "numbers per pixel": round(decoding(pictures.autoencoder.config)),
        "weights": pictures.autoencoder.bytes,
    }
    return {"model": Facts(model), "text_encoder": Facts(text_encoder), "vae": Facts(vae)}


def latent_space(family: Family, found: Checkpoint) -> str:
    """The name of a latent space: the family's, and what tells that of a VAE of its own apart."""
    at = space(found.autoencoder)
    own = family.scaling is not None and at.scaling is not None and abs(at.scaling - family.scaling) > 1e-6
    return f"{family.space} scaled by {at.scaling:.5g}" if own else family.space


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
    family = FAMILIES[found.family]
    name = family.title
    kind = {"demo": "the shipped demo model", "folder": f"{name}, diffusers folder", "file": f"{name}, single file"}
    inpainting = ", for inpainting" if family.inpaints(found.denoiser.config) else ""
    size = sum(part.bytes for part in found.parts) / 1e6
    return f"{kind[found.kind]}{inpainting}, {found.prediction}, {found.denoiser.dtype}, {size:,.0f} MB"
