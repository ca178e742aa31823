"""The trained parts as a `StableDiffusionPipeline` folder, half precision, that diffusers itself loads."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, DPMSolverMultistepScheduler, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer


def export(
    folder: Path,
    vae: AutoencoderKL,
    denoiser: UNet2DConditionModel,
    text_encoder: CLIPTextModel,
    tokenizer: CLIPTokenizer,
    *,
    schedule: Mapping[str, Any],
) -> int:
    """Write the pipeline to `folder`, in place of what is there; return its size in bytes.

    Raises ValueError where a weight is too large for half precision.
    """
    for module in (vae, denoiser, text_encoder):
        for name, value in module.half().state_dict().items():
            if not torch.isfinite(value).all():
                raise ValueError(
                    f"{name!r} of {type(module).__name__} is not finite in float16: train with a lower rate"
                )
    pipeline = StableDiffusionPipeline(
        vae=vae,
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        unet=denoiser,
        scheduler=DPMSolverMultistepScheduler(**schedule, steps_offset=1),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    backend = tokenizer.backend_tokenizer  # which would be written as the last call of it left it
    backend.no_truncation()
    backend.no_padding()
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    pipeline.save_pretrained(part)
    _write_slow_tokenizer(tokenizer, part / "tokenizer")
    for path in part.glob("*/config.json"):  # where its parts came from on this machine is nobody's business
        config = json.loads(path.read_text())
        if config.pop("_name_or_path", None) is not None:
            path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    shutil.rmtree(folder, ignore_errors=True)
    part.replace(folder)
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _write_slow_tokenizer(tokenizer: CLIPTokenizer, folder: Path) -> None:
    """vocab.json and merges.txt, which programs other than transformers 5 look for."""
    model = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
    (folder / "vocab.json").write_text(json.dumps(model["vocab"], ensure_ascii=False))
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]))
