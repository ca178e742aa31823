"""A document of ours against a pipeline of diffusers: the same weights, noise, scheduler and settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from families import models
from harness import link, step
from nodegraph import Engine, Folders, Registry
from nodegraph_diffusion.values import Image, Mask

SEED = 5
REGISTRY = Registry.installed()
PROMPT, NEGATIVE = "a red fox in the snow", "blurry"


def engine(models: Path) -> Engine:
    return Engine(REGISTRY, folders=Folders(models=(models,)))


def noise(*shape: int) -> Tensor:
    """What our sampler starts from."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(SEED))


def picture(width: int = 64, height: int = 64) -> Image:
    y, x = np.mgrid[:height, :width] / max(width, height)
    shown = Image(np.stack([x, y, (x + y) / 2])[None].astype(np.float32))
    return Image.from_bytes(shown.to_bytes())


def hole(width: int = 64, height: int = 64) -> Mask:
    values = np.zeros((1, height, width), np.float32)
    values[:, height // 4 : height // 2, width // 4 : 3 * width // 4] = 1
    return Mask(values)


def document(
    source: str, latent: dict[str, Any] | None = None, *, negative: bool = True, **settings: Any
) -> dict[str, Any]:
    """Text to image by default; `latent` is another node to start from."""
    size = latent or step("EmptyLatent@1", width=64, height=64)
    nodes: dict[str, Any] = {
        "model": step("LoadModel@1", source=source),
        "prompt": step("EncodePrompt@1", text_encoder=link("model.text_encoder"), text=PROMPT),
        "latent": size,
        "sample": step(
            "Sample@1",
            model=link("model.model"),
            positive=link("prompt.conditioning"),
            latent=link("latent.latent"),
            **({"seed": SEED, "steps": 4, "cfg": 5.0, "sampler": "euler", "schedule": "native"} | settings),
        ),
        "decode": step("Decode@1", vae=link("model.vae"), latent=link("sample.latent")),
    }
    if negative:
        nodes["negative"] = step("EncodePrompt@1", text_encoder=link("model.text_encoder"), text=NEGATIVE)
        nodes["sample"]["inputs"]["negative"] = link("negative.conditioning")
    return nodes


def run(made: Engine, nodes: dict[str, Any]) -> np.ndarray[Any, Any]:
    """The picture (H, W, 3), 0..1."""
    result = made.run(made.read({"nodes": nodes, "outputs": {"image": link("decode.image")}}))
    pixels: np.ndarray[Any, Any] = result["image"].pixels[0].transpose(1, 2, 0)
    return pixels


def save(image: Image | Mask, path: Path) -> str:
    path.write_bytes(image._repr_png_())
    return str(path)


def chained(
    nodes: dict[str, Any], type: str, file: Path, adapters: Sequence[tuple[str, dict[str, Any]]], **inputs: Any
) -> dict[str, Any]:
    """`nodes` with adapters that read the picture in `file`, each a source and its settings, one behind the other."""
    nodes["picture"] = step("LoadImage@1", file=str(file))
    before = "model"
    for number, (source, how) in enumerate(adapters):
        here = {"model": link(f"{before}.model"), "image": link("picture.image"), "source": source}
        before = f"adapter_{number}"
        nodes[before] = step(type, **here, **inputs, **how)
    nodes["sample"]["inputs"]["model"] = link(f"{before}.model")
    return nodes


def with_part(cls: Callable[..., Any], name: str, **part: Any) -> Any:
    """The pipeline `cls` made of the parts of the family's tiny model, and of one more."""
    parts = {k: v for k, v in models.FAMILIES[name]().components.items() if k in signature(cls).parameters}
    if name == "sd1":
        parts["requires_safety_checker"] = False
    return models.quiet(cls(**parts, **part))


def theirs(pipeline: Any, **settings: Any) -> np.ndarray[Any, Any]:
    """The picture (H, W, 3), 0..1, of a pipeline called with these settings."""
    # diffusers 0.42.1 forgets the shift of the latents where SD 3's inpainting decodes them.
    if type(pipeline).__name__ == "StableDiffusion3InpaintPipeline":
        with torch.no_grad():
            latents = pipeline(output_type="latent", **settings).images
            vae = pipeline.vae
            made = vae.decode(latents / vae.config.scaling_factor + vae.config.shift_factor).sample
        whole: np.ndarray[Any, Any] = pipeline.image_processor.postprocess(made, "np")[0]
        return whole
    with torch.no_grad():
        found: np.ndarray[Any, Any] = pipeline(output_type="np", **settings).images[0]
    return found


def close(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any], tolerance: float = 2e-4) -> None:
    assert one.shape == other.shape
    spread = float(other.std())
    assert spread > 0.01, "the picture is flat, so it would look like any other"
    difference = float(np.abs(one - other).max())
    assert difference < tolerance, f"differs by {difference:.2e} where the picture has a spread of {spread:.2f}"
