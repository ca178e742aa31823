"""Why single nodes of ComfyUI cannot be carried as their class is, by their values and what reads them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .prompt import Item, Prompt, Wire

Refuse = Callable[[Item, Prompt], str | None]
PENULTIMATE = ("dpm_2", "dpm_2_ancestral", "uni_pc", "uni_pc_bh2")
"""Samplers that leave the last noise level but one out, which ComfyUI does where the sampler makes its own levels."""
SIGMA_MAX, SIGMA_MIN = 14.614642, 0.0291675


def noise_given(item: Item, prompt: Prompt) -> str | None:
    if any(isinstance(item.inputs.get(name), Wire) for name in ("add_noise", "return_with_leftover_noise")):
        return "whether it adds noise and leaves some must be given as values, not linked"
    return None


def all_levels(item: Item, prompt: Prompt) -> str | None:
    for reader in prompt.values():
        sigmas, sampler = _linked(reader, "sigmas", prompt), _linked(reader, "sampler", prompt)
        name = None if sampler is None else sampler.inputs.get("sampler_name")
        if sigmas is item and name in PENULTIMATE:
            return f"{name} takes all of its noise levels there, and Sample would leave the last but one out"
    return None


def own_ends(item: Item, prompt: Prompt) -> str | None:
    ends = (_literal(item, "sigma_max", SIGMA_MAX), _literal(item, "sigma_min", SIGMA_MIN), _literal(item, "rho", 7.0))
    if all(isinstance(v, int | float) for v in ends):
        top, bottom, rho = ends
        if abs(top - SIGMA_MAX) < 1e-3 and abs(bottom - SIGMA_MIN) < 1e-5 and rho == 7:
            return all_levels(item, prompt)
    return "a schedule of Sample has no ends of its own"


def soft_threshold(item: Item, prompt: Prompt) -> str | None:
    return "a threshold of 0 selects all that is above it" if _literal(item, "value", 0.5) == 0 else None


def alpha(item: Item, prompt: Prompt) -> str | None:
    channel = _literal(item, "channel", "alpha")
    return None if channel == "alpha" else f"a mask of the channel {channel!r} cannot be taken out yet"


def no_alpha(item: Item, prompt: Prompt) -> str | None:
    return "pictures here have no transparency" if _literal(item, "channel", "red") == "alpha" else None


def box(item: Item, prompt: Prompt) -> str | None:
    sides = [_literal(item, name, 512) for name in ("width", "height")]
    return "a side of 0 pixels" if 0 in sides else None


def _literal(item: Item, name: str, default: Any) -> Any:
    return item.inputs.get(name, default)


def _linked(item: Item, name: str, prompt: Prompt) -> Item | None:
    wire = item.inputs.get(name)
    return prompt.get(wire.node) if isinstance(wire, Wire) else None
