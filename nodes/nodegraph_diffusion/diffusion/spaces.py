"""What autoencoders differ in: how a latent is centred and scaled, and how the module is called."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..checkpoint.spaces import Space, of


def space(vae: Any) -> Space:
    """The latent space of an autoencoder."""
    return of(type(vae).__name__, vae.config)


def posterior(vae: Any, pixels: Tensor) -> tuple[Tensor, Tensor | None]:
    """Mean and log variance of the latents of pixels (B, 3, H, W), -1..1, as the module gives them."""
    if type(vae).__name__ == "AutoencoderKLQwenImage":  # it is a video's; a picture is one frame
        found: Tensor = vae.encode(pixels[:, :, None]).latent_dist.parameters[:, :, 0]
    elif type(vae).__name__ == "VQModel":
        return vae.encode(pixels).latents, None
    else:
        found = vae.encode(pixels).latent_dist.parameters
    mean, log_variance = found.chunk(2, dim=1)
    return mean, log_variance


def pixels(vae: Any, latents: Tensor) -> Tensor:
    """The pixels (B, 3, H, W), -1..1, of latents as the module takes them."""
    if type(vae).__name__ == "AutoencoderKLQwenImage":
        video: Tensor = vae.decode(latents[:, :, None]).sample
        return video[:, :, 0]
    found: Tensor = vae.decode(latents).sample
    return found


def scaled(vae: Any, latents: Tensor) -> Tensor:
    """What the module gives, as denoisers work on it: about zero mean and unit spread."""
    if type(vae).__name__ == "AutoencoderKLFlux2":
        whole = patched(latents)
        mean, spread = _norm(vae, whole)
        return (whole - mean) / spread
    if type(vae).__name__ == "AutoencoderKLQwenImage":
        mean, spread = _channels(vae, latents)
        return (latents - mean) / spread
    return (latents - shift(vae)) * float(vae.config["scaling_factor"])


def unscaled(vae: Any, latents: Tensor) -> Tensor:
    """The reverse of `scaled`."""
    if type(vae).__name__ == "AutoencoderKLFlux2":
        mean, spread = _norm(vae, latents)
        return unpatched(latents * spread + mean)
    if type(vae).__name__ == "AutoencoderKLQwenImage":
        mean, spread = _channels(vae, latents)
        return latents * spread + mean
    return latents / float(vae.config["scaling_factor"]) + shift(vae)


def patched(latents: Tensor) -> Tensor:
    """(B, C, h, w) as (B, 4 C, h / 2, w / 2): two by two cells become one of four times the channels."""
    batch, channels, height, width = latents.shape
    cells = latents.reshape(batch, channels, height // 2, 2, width // 2, 2).permute(0, 1, 3, 5, 2, 4)
    return cells.reshape(batch, 4 * channels, height // 2, width // 2)


def unpatched(latents: Tensor) -> Tensor:
    """The reverse of `patched`."""
    batch, channels, height, width = latents.shape
    cells = latents.reshape(batch, channels // 4, 2, 2, height, width).permute(0, 1, 4, 2, 5, 3)
    return cells.reshape(batch, channels // 4, 2 * height, 2 * width)


def factor(vae: Any) -> float:
    """What latents are multiplied by."""
    return float(vae.config["scaling_factor"])


def shift(vae: Any) -> float:
    """What is taken off latents before they are multiplied."""
    return float(vae.config.get("shift_factor") or 0.0)


def _norm(vae: Any, like: Tensor) -> tuple[Tensor, Tensor]:
    """The running statistics of a batch norm that was trained over latents and is never called."""
    spread = torch.sqrt(vae.bn.running_var.float() + vae.config["batch_norm_eps"])
    return (vae.bn.running_mean.view(1, -1, 1, 1).to(like), spread.view(1, -1, 1, 1).to(like))


def _channels(vae: Any, like: Tensor) -> tuple[Tensor, Tensor]:
    mean, spread = (torch.tensor(vae.config[name]).view(1, -1, 1, 1) for name in ("latents_mean", "latents_std"))
    return mean.to(like), spread.to(like)
