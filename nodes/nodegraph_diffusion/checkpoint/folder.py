"""Folders in the layout of diffusers: `model_index.json`, and `config.json` and weights in a folder per component."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from .header import CONVERT, PICKLES, ModelError, Tensor, read_header
from .value import Component, Prediction

if TYPE_CHECKING:
    from ..families import Encoder, Family

INDEX = "model_index.json"
SCHEDULER = Path("scheduler", "scheduler_config.json")
LOW_RES_SCHEDULER = Path("low_res_scheduler", "scheduler_config.json")
WEIGHTS = "diffusion_pytorch_model"
TOKENS = "embeddings.token_embedding.weight"
CLIP = (TOKENS, f"text_model.{TOKENS}")
MARKS: Mapping[str, tuple[str, ...]] = {
    "UNet2DConditionModel": ("conv_in.weight",),
    "CLIPTextModel": CLIP,
    "CLIPTextModelWithProjection": CLIP,
    "AutoencoderKL": ("decoder.conv_in.weight",),
}
"""A tensor that tells a component from others; transformers 5 dropped a level of its names."""
VOCABULARIES = ("tokenizer.json", "merges.txt", "spiece.model", "tokenizer.model", "vocab.txt")


@dataclass(frozen=True, slots=True)
class Found:
    """What a folder holds."""

    family: str
    prediction: Prediction
    scheduler: dict[str, Any]
    low_res_scheduler: dict[str, Any]
    denoiser: Component
    text_encoders: tuple[Component, ...]
    vae: Component
    configs: tuple[Path, ...]
    """Every small file that decides what the model does."""


def read_folder(root: Path, families: Sequence[Family]) -> Found:
    """Read the configurations and the headers of a diffusers folder of one of `families`.

    Raises:
        ModelError: It is of a family that is not supported, or something is missing or damaged.
    """
    index = read_json(root / INDEX, "A diffusers folder has one; give the folder that holds it")
    pipeline = index.get("_class_name", "?")
    missing = f"The {pipeline} folder is not whole; get it again"
    family, encoders = _family(root, index, families, missing)
    for encoder in encoders:
        tokenizer = root / encoder.tokenizer
        if not any((tokenizer / name).is_file() for name in VOCABULARIES):
            raise ModelError(f"{tokenizer}: expected 'tokenizer.json', or 'vocab.json' and 'merges.txt'. {missing}")
    scheduler = read_json(root / SCHEDULER, missing)
    own = family.prediction if family.prediction in ("flow", "direct") else None
    prediction: Any = own or scheduler.get("prediction_type", "epsilon")
    if not own and prediction not in (known := get_args(Prediction)[:3]):
        raise ModelError(f"{root / SCHEDULER}: needs a 'prediction_type' of {', '.join(known)}, found {prediction!r}")
    low_res = read_json(root / LOW_RES_SCHEDULER, missing) if "low_res_scheduler" in index else {}
    kinds = [family.denoiser, *((e.name, index[e.name][1]) for e in encoders), family.vae]
    written = {encoder.name: "model" for encoder in encoders}  # by transformers
    parts = [
        _component(root, name, cls, _config(root, family, name, missing), written.get(name, WEIGHTS))
        for name, cls in kinds
    ]
    configs = [root / INDEX, root / SCHEDULER, *([root / LOW_RES_SCHEDULER] if low_res else [])]
    configs += [root / name / "config.json" for name, _ in kinds]
    for encoder in encoders:
        files = (root / encoder.tokenizer).iterdir()
        configs += sorted(p for p in files if p.suffix in (".json", ".txt", ".model", ".jinja"))
    return Found(family.name, prediction, scheduler, low_res, parts[0], tuple(parts[1:-1]), parts[-1], tuple(configs))


def _config(root: Path, family: Family, name: str, missing: str) -> dict[str, Any]:
    found = read_json(root / name / "config.json", missing)
    return found | dict(family.vae_config) if name == family.vae[0] else found


def _family(
    root: Path, index: Mapping[str, Any], families: Sequence[Family], missing: str
) -> tuple[Family, list[Encoder]]:
    """Whose folder it is, and which of the family's text encoders it has. Its name and its pipeline's play no part."""
    classes = {name: given[1] for name, given in index.items() if isinstance(given, list) and len(given) == 2}
    classes = {name: cls for name, cls in classes.items() if cls}
    refused = ""
    for family in families:
        network, cls = family.denoiser
        if classes.get(network) != cls:
            continue
        encoders = [encoder for encoder in family.encoders if classes.get(encoder.name) in encoder.classes]
        unlike = [
            f"whose {name} is {classes.get(name, 'missing')}, needed {known[0]}"
            for name, *known in [*((e.name, *e.classes) for e in family.encoders if not e.optional), family.vae]
            if classes.get(name) not in known
        ]
        named = {encoder.name for encoder in encoders}
        unlike += [f"with {n!r}, which {family.title} has not" for n in classes
                   if n.startswith("text_encoder") and n not in named]  # fmt: skip
        if not unlike:
            folders = [network, *named, family.vae[0]]
            if family.owns({name: read_json(root / name / "config.json", missing) for name in folders}):
                return family, encoders
            unlike = [f"configured unlike {family.title}"]
        refused = refused or unlike[0]
    denoiser = classes.get("unet") or classes.get("transformer") or "missing"
    raise ModelError(
        f"{root}: a {index.get('_class_name', '?')} folder {refused or f'whose denoiser is {denoiser}'}. LoadModel "
        f"reads the folders of {titles(families)}"
    )


def titles(families: Sequence[Family]) -> str:
    """The families as people read them."""
    return ", ".join(family.title for family in families)


def _component(root: Path, name: str, cls: str, config: dict[str, Any], stem: str) -> Component:
    files = files_of(root / name, stem)
    tensors: dict[str, Tensor] = {}
    for file in files:
        tensors |= read_header(file).tensors
    marks = MARKS.get(cls, ())
    if marks and not any(mark in tensors for mark in marks):
        raise ModelError(f"{files[0]}: has no tensor {marks[0]!r}, so it is not the {name} of a model. Get it again")
    return Component.of(name, cls, tuple(str(file.relative_to(root)) for file in files), config, tensors)


def files_of(folder: Path, stem: str) -> list[Path]:
    """The weights of one component: whole, in parts, or a half-precision variant."""
    if (whole := folder / f"{stem}.safetensors").is_file():
        return [whole]
    for index in sorted(folder.glob(f"{stem}.safetensors.index*.json")):
        parts = read_json(index, "Get it again").get("weight_map", {})
        files = [folder / part for part in sorted(set(parts.values()))]
        if lost := [file for file in files if file.parent != folder or not file.is_file()]:
            raise ModelError(f"{lost[0]}: not there, but {index.name} names it. Get it again")
        if files:
            return files
    if variants := sorted(folder.glob(f"{stem}.*.safetensors")):
        return variants[:1]
    if pickles := sorted(p.name for p in folder.glob("*") if p.suffix in PICKLES):
        raise ModelError(
            f"{folder}: expected '{stem}.safetensors', found only {pickles[0]!r}, a pickle, which can run code. "
            f"{CONVERT}"
        )
    raise ModelError(f"{folder}: expected '{stem}.safetensors', found no weights. Get the whole folder")


def read_json(path: Path, todo: str) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(f"{path}: not there. {todo}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path}: expected JSON ({error}). Get it again") from error
    if not isinstance(found, dict):
        raise ModelError(f"{path}: expected a JSON object, found a {type(found).__name__}. Get it again")
    return found
