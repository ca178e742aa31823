"""A pack of toy nodes: no tensors, so that tests of the engine are about the engine."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

from pydantic import Field

from nodegraph import Context, Lazy, NodeError, Pack, Registry, Report, Widget, coercion, node

T = TypeVar("T")


@dataclass(frozen=True)
class Weights:
    key: str
    size: int = 4
    place: str = "cpu"

    @property
    def name(self) -> str:
        return self.key

    def capacity(self) -> int:
        return 8

    def load(self, report: Report) -> list[float]:
        report(self.size, self.size)
        return [1.0]

    def drop(self, value: list[float]) -> None:
        value.clear()


@dataclass(frozen=True)
class Model:
    source: str


@dataclass(frozen=True)
class Conditioning:
    text: str


@dataclass(frozen=True)
class Latent:
    data: tuple[float, ...]


@dataclass(frozen=True)
class Image:
    data: tuple[float, ...]


@dataclass(frozen=True)
class Mask:
    data: tuple[float, ...]


class Size(NamedTuple):
    width: int
    height: int


Steps = Annotated[int, Field(ge=1, le=1000)]


@node(version=1, lane="io")
def load_model(source: str) -> Model:
    """Open a model."""
    return Model(source)


@load_model.fingerprint
def _revision(source: str) -> str:
    if source == "gone":
        raise NodeError("there is no model 'gone'; try 'toy'", port="source")
    return "r0"


@node(version=1, lane="gpu")
def encode_prompt(model: Model, text: Annotated[str, Widget("textarea")]) -> Conditioning:
    """Encode a prompt.

    Args:
        text: What the picture should show.
    """
    return Conditioning(f"{model.source}:{text}")


@node(version=2, lane="gpu")
def sample(
    ctx: Context,
    model: Model,
    positive: Conditioning,
    negative: Conditioning | None = None,
    seed: Annotated[int, Field(ge=0), Widget("seed")] = 0,
    steps: Steps = 20,
    cfg: float = 7.0,
    sampler: Literal["euler", "heun"] = "euler",
    pause: float = 0.0,
) -> Latent:
    """Denoise.

    Args:
        cfg: How strictly to follow
            the prompt.
    """
    x = float(seed)
    with ctx.lease(Weights(model.source)) as unet:
        for i in range(steps):
            time.sleep(pause)
            x += unet[0] * cfg / steps
            ctx.progress(i + 1, steps)
    return Latent((x, float(len(positive.text))))


@sample.upgrade(since=1)
def _(inputs: dict[str, Any]) -> dict[str, Any]:
    return {"cfg" if k == "guidance" else k: v for k, v in inputs.items()}


@node(version=1, lane="gpu")
def decode(model: Model, latent: Latent) -> Image:
    """Decode."""
    return Image(latent.data)


@node(version=1)
def many(n: Steps = 3) -> list[Image]:
    """A list of pictures."""
    return [Image((float(i),)) for i in range(n)]


@node(version=1)
def picture(value: float = 1.0) -> Image:
    """One picture."""
    return Image((value,))


@node(version=1)
def invert(image: Image, amount: float = 1.0) -> Image:
    """Turn light into dark."""
    return Image(tuple(amount - v for v in image.data))


@node(version=1)
def join(images: list[Image]) -> Image:
    """Join pictures."""
    return Image(tuple(v for i in images for v in i.data))


@node(version=1)
def blend(a: Image, b: Image) -> Image:
    """Mix two pictures."""
    return Image(tuple((x + y) / 2 for x, y in zip(a.data, b.data, strict=True)))


@node(version=1)
def grow(mask: Mask, by: int = 1) -> Mask:
    """Grow a mask."""
    return Mask(mask.data * by)


@node(version=1)
def image_size(image: Image) -> Size:
    """Measure."""
    return Size(len(image.data), 1)


@node(version=1)
async def switch(on: bool, yes: Lazy[T], no: Lazy[T]) -> T:
    """Take one branch. The other never runs."""
    return await (yes if on else no)


@node(version=1)
def add(a: int, b: int = 1) -> int:
    """Add."""
    return a + b


@node(version=1)
def half(value: float) -> float:
    """Halve."""
    return value / 2


@node(version=1)
def boom(image: Image | None = None) -> Image:
    """Fail."""
    raise ValueError("no luck")


@node(version=1)
def read(file: Path) -> str:
    """Read a file."""
    return file.read_text()


@node(version=1, pure=False)
def now() -> float:
    """Another value each time."""
    return time.perf_counter()


@node(version=1, pure=False, lane="io")
def keep(ctx: Context, image: Image, name: str = "toy") -> None:
    """Write a file with the document in it."""
    ctx.save(name, ".txt", f"{image.data}\n{ctx.document}".encode())


@coercion
def mask_to_image(mask: Mask) -> Image:
    return Image(mask.data)


@coercion
def image_to_mask(image: Image) -> Mask:
    return Mask(image.data)


def pack(*extra: Callable[..., Any]) -> Pack:
    found = [v for v in globals().values() if isinstance(v, type(add))]
    return Pack("", (*found, *extra), (mask_to_image, image_to_mask))  # type: ignore[arg-type]


def registry(*extra: Any) -> Registry:
    return Registry(pack(*extra))


TXT2IMG: dict[str, Any] = {
    "model": {"type": "LoadModel@1", "inputs": {"source": "toy"}},
    "prompt": {"type": "EncodePrompt@1", "inputs": {"model": {"$from": "model.model"}, "text": "a cat"}},
    "sample": {
        "type": "Sample@2",
        "inputs": {"model": {"$from": "model.model"}, "positive": {"$from": "prompt.conditioning"}, "steps": 5},
    },
    "decode": {
        "type": "Decode@1",
        "inputs": {"model": {"$from": "model.model"}, "latent": {"$from": "sample.latent"}},
    },
}
