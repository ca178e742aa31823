"""The latent spaces of autoencoders: how many channels a latent has and how many pixels one of its cells covers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .value import Component


@dataclass(frozen=True, slots=True)
class Space:
    """The shape of a latent: (batch, channels, height / cell, width / cell)."""

    channels: int
    cell: int
    """Pixels."""
    scaling: float | None
    """What latents are multiplied by; None where every channel has a mean and spread of its own."""


STABLE_DIFFUSION = Space(4, 8, 0.18215)


def space(vae: Component) -> Space:
    """The latent space of an autoencoder, from its class and configuration."""
    return of(vae.cls, vae.config)


def of(cls: str, config: Mapping[str, Any]) -> Space:
    if cls == "AutoencoderKLQwenImage":
        return Space(int(config["z_dim"]), 1 << len(config["temperal_downsample"]), None)
    if cls == "VQModel":
        return Space(int(config["latent_channels"]), _halvings(config), float(config.get("scaling_factor", 0.18215)))
    if cls == "AutoencoderKLFlux2":  # two by two cells of its own are one
        return Space(4 * int(config["latent_channels"]), 2 * _halvings(config), None)
    return Space(int(config["latent_channels"]), _halvings(config), float(config.get("scaling_factor", 0.18215)))


def _halvings(config: Mapping[str, Any]) -> int:
    return 1 << (len(config["block_out_channels"]) - 1)
