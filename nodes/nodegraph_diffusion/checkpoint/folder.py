"""Folders in the layout of diffusers: `model_index.json`, and `config.json` and weights in a folder per component."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .header import CONVERT, PICKLES, ModelError, Tensor, read_header
from .value import Component, Family, Prediction

NEEDED = {"unet": "UNet2DConditionModel", "text_encoder": "CLIPTextModel", "vae": "AutoencoderKL"}
STEMS = {"unet": "diffusion_pytorch_model", "text_encoder": "model", "vae": "diffusion_pytorch_model"}
TOKENS = "embeddings.token_embedding.weight"
MARKS = {
    "unet": ("conv_in.weight",),
    "text_encoder": (TOKENS, f"text_model.{TOKENS}"),
    "vae": ("decoder.conv_in.weight",),
}
"""A tensor that tells each component from the others; transformers 5 dropped a level of its names."""
PREDICTIONS: tuple[Prediction, ...] = ("epsilon", "v_prediction", "sample")


@dataclass(frozen=True, slots=True)
class Found:
    """What a folder holds."""

    family: Family
    prediction: Prediction
    scheduler: dict[str, Any]
    denoiser: Component
    text_encoder: Component
    vae: Component
    configs: tuple[Path, ...]
    """Every small file that decides what the model does."""


def read_folder(root: Path) -> Found:
    """Read the configurations and the headers of a diffusers folder.

    Raises:
        ModelError: It is of a family that is not supported, or something is missing or damaged.
    """
    index = _json(root / "model_index.json", "A diffusers folder has one; give the folder that holds it")
    pipeline = index.get("_class_name", "?")
    for name, cls in NEEDED.items():
        given = index.get(name)
        given = given[1] if isinstance(given, list) and len(given) == 2 else None
        if given != cls:
            raise ModelError(
                f"{root}: a {pipeline} folder whose {name} is {given or 'missing'}, needed {cls}. LoadModel reads the "
                "folders of Stable Diffusion 1.x and 2.x"
            )
    if extra := [name for name in ("text_encoder_2", "transformer") if (index.get(name) or [None])[0]]:
        raise ModelError(
            f"{root}: a {pipeline} folder with {extra[0]!r}, which Stable Diffusion 1.x and 2.x have not. LoadModel "
            "reads the folders of these two"
        )
    missing = f"The {pipeline} folder is not whole; get it again"
    tokenizer = root / "tokenizer"
    if not (tokenizer / "tokenizer.json").is_file() and not (tokenizer / "merges.txt").is_file():
        raise ModelError(f"{tokenizer}: expected 'tokenizer.json', or 'vocab.json' and 'merges.txt'. {missing}")
    scheduler = _json(root / "scheduler" / "scheduler_config.json", missing)
    prediction = scheduler.get("prediction_type", "epsilon")
    if prediction not in PREDICTIONS:
        raise ModelError(
            f"{root / 'scheduler' / 'scheduler_config.json'}: needs a 'prediction_type' of {', '.join(PREDICTIONS)}, "
            f"found {prediction!r}"
        )
    parts = {name: _component(root, name, _json(root / name / "config.json", missing)) for name in NEEDED}
    configs = [root / "model_index.json", root / "scheduler" / "scheduler_config.json"]
    configs += [root / name / "config.json" for name in NEEDED]
    configs += sorted(p for p in tokenizer.iterdir() if p.suffix in (".json", ".txt"))
    # OpenAI's CLIP, which 1.x reads, has the quick GELU; OpenCLIP, which 2.x reads, the exact one.
    family: Family = "sd2" if parts["text_encoder"].config.get("hidden_act") == "gelu" else "sd1"
    return Found(
        family, prediction, scheduler, parts["unet"], parts["text_encoder"], parts["vae"], tuple(configs)
    )  # fmt: skip


def _component(root: Path, name: str, config: dict[str, Any]) -> Component:
    files = _files(root / name, STEMS[name])
    tensors: dict[str, Tensor] = {}
    for file in files:
        tensors |= read_header(file).tensors
    if not any(mark in tensors for mark in MARKS[name]):
        raise ModelError(
            f"{files[0]}: has no tensor {MARKS[name][0]!r}, so it is not the {name} of a model. Get it again"
        )
    return Component.of(tuple(str(file.relative_to(root)) for file in files), config, tensors)


def _files(folder: Path, stem: str) -> list[Path]:
    """The weights of one component: whole, in parts, or a half-precision variant."""
    if (whole := folder / f"{stem}.safetensors").is_file():
        return [whole]
    for index in sorted(folder.glob(f"{stem}.safetensors.index*.json")):
        parts = _json(index, "Get it again").get("weight_map", {})
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


def _json(path: Path, todo: str) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(f"{path}: not there. {todo}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path}: expected JSON ({error}). Get it again") from error
    if not isinstance(found, dict):
        raise ModelError(f"{path}: expected a JSON object, found a {type(found).__name__}. Get it again")
    return found
