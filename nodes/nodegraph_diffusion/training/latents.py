"""Examples encoded once: a denoiser's step then costs the denoiser alone."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import AutoencoderKL
from torch import Tensor

from .autoencoder import to_tensor
from .loop import Report, save
from .scenes import Examples, Split

NEAR = 0.05
"""How far latents that were made before may be from the same made again: half floats and threads differ a little."""

SHARD = 500
"""Examples in a file: what a kill can lose."""


class OtherLatents(ValueError):
    """A folder has latents of other pictures, or of another model."""


@torch.no_grad()
def encode(model: AutoencoderKL, examples: Examples, split: Split, first: int, count: int, batch: int = 25) -> Tensor:
    """Latents (count, channels, h, w) of `examples`, the posterior's mean, before any scaling."""
    found = []
    for start in range(first, first + count, batch):
        numbers = range(start, min(start + batch, first + count))
        found.append(model.encode(to_tensor([examples.pixels(split, i) for i in numbers])).latent_dist.mean)
    return torch.cat(found)


def load_latents(
    folder: Path, model: AutoencoderKL, examples: Examples, split: Split, count: int, report: Report
) -> Tensor:
    """The first `count` latents of `split`, float16 (n, channels, h, w), from files in `folder`, made where missing.

    Raises:
        OtherLatents: Those in the files are not of these `examples` by this `model`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if (path := folder / f"{split.name.lower()}-0.pt").is_file():
        made, again = torch.load(path, weights_only=True)["latents"][:1], encode(model, examples, split, 0, 1)
        if made.shape != again.shape or not torch.allclose(made.float(), again, atol=NEAR):
            raise OtherLatents(
                f"{str(folder)!r} has latents of other pictures or another model: name another folder, or delete it"
            )
    shards = []
    for first in range(0, count, SHARD):
        path = folder / f"{split.name.lower()}-{first}.pt"
        if not path.is_file():
            save(path, {"latents": encode(model, examples, split, first, SHARD).half()})
            report(f"latents: {min(first + SHARD, count)} of {count} ({split.name.lower()})")
        shards.append(torch.load(path, weights_only=True)["latents"])
    return torch.cat(shards)[:count]
