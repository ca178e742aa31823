"""The second, larger pass that A1111's lines tell of ("Hires. fix"), as nodes behind the first."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..problems import Problem
from .table import MAX_STEP

CARRIED = frozenset({"Hires upscale", "Hires resize", "Hires steps", "Hires upscaler", "Denoising strength"})
"""What is read here."""
AVERAGED = {"lanczos": "lanczos", "nearest": "nearest", "none": "bicubic"}
"""Upscalers there that are no networks."""
DRAWN = "realesr-anime"
FILTERS = {"latent (nearest)": "nearest", "latent (nearest-exact)": "nearest", "latent (bicubic)": "bicubic",
           "latent (bicubic antialiased)": "bicubic"}  # fmt: skip


def second_pass(
    given: Mapping[str, str], first: Mapping[str, Any], size: tuple[int, int], notes: list[Problem]
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Id, type and inputs of each node that makes the picture larger and samples it again.

    Args:
        given: The settings by name.
        first: The inputs of the `Sample` of the first pass, whose id is `sample`.
        size: Width and height of the first pass.
    """
    factor = _factor(given, size)
    if factor <= 1:
        return
    latent = {"$from": "sample.latent"}
    upscaler = given.get("Hires upscaler", "Latent").lower()
    if upscaler.startswith("latent"):
        filter = FILTERS.get(upscaler, "bilinear")
        yield "enlarge", "ResizeLatent", {"latent": latent, "factor": factor, "filter": filter}
    else:
        yield "first", "Decode", {"vae": {"$from": "model.vae"}, "latent": latent}
        method = AVERAGED.get(upscaler) or (DRAWN if "anime" in upscaler else "span")
        if upscaler not in AVERAGED:
            message = f"the upscaler {given['Hires upscaler']!r} is not here, so it is {method!r}"
            notes.append(Problem("changed", "enlarge", "method", message))
        yield "enlarge", "Upscale", {"image": {"$from": "first.image"}, "factor": factor, "method": method}
        yield "again", "EncodeImage", {"vae": {"$from": "model.vae"}, "image": {"$from": "enlarge.image"}}
    begins = "enlarge" if upscaler.startswith("latent") else "again"
    steps = whole(given.get("Hires steps"), 0, 0, MAX_STEP) or first["steps"]
    strength = min(real(given.get("Denoising strength"), 0.75), 1.0)
    # All steps lie on the part of the way that is walked, and the noise lies over the latent, as in ComfyUI
    changed = {"latent": {"$from": f"{begins}.latent"}, "steps": steps, "strength": strength, "comfyui": True}
    yield "second", "Sample", {**first, **changed}


def _factor(given: Mapping[str, str], size: tuple[int, int]) -> float:
    """How many times larger the second pass is; 1 where there is none."""
    wanted = re.fullmatch(r"([0-9]{1,5})x([0-9]{1,5})", given.get("Hires resize", ""))
    if wanted:
        return min(max(int(side) / own for side, own in zip(wanted.groups(), size, strict=True)), 16.0)
    return min(real(given.get("Hires upscale"), 1.0), 16.0)


def whole(text: str | None, default: int, least: int, most: int) -> int:
    return min(max(int(text), least), most) if text is not None and re.fullmatch(r"[0-9]{1,25}", text) else default


def real(text: str | None, default: float) -> float:
    return min(float(text), 100.0) if text is not None and re.fullmatch(r"[0-9]{1,5}(\.[0-9]{1,9})?", text) else default
