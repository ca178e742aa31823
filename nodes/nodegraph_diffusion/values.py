"""What travels on the edges of this pack: small, immutable, picklable, and readable without torch."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from .checkpoint.gligen import Gligen
from .checkpoint.value import Checkpoint
from .late import np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float32]
else:
    Floats = Any  # so that reading the annotations of a class does not load numpy


def frozen(array: ArrayLike, dimensions: int, what: str) -> Floats:
    """`array` as contiguous read-only float32. Raises `ValueError` for another number of dimensions."""
    made = np.ascontiguousarray(array, dtype=np.float32)
    if made.ndim != dimensions:
        raise ValueError(f"{what} needs {dimensions} dimensions, got shape {made.shape}")
    if made is array or made.base is not None:
        made = made.copy() if made.flags.writeable else made
    made.flags.writeable = False
    return made


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """A batch of pictures: `pixels` is float32 (B, 3, H, W), RGB, 0..1."""

    pixels: Floats

    def __post_init__(self) -> None:
        object.__setattr__(self, "pixels", frozen(self.pixels, 4, "Image.pixels (batch, channel, height, width)"))
        if self.pixels.shape[1] != 3:
            raise ValueError(f"Image.pixels needs 3 channels, got {self.pixels.shape[1]}")

    @property
    def batch(self) -> int:
        return int(self.pixels.shape[0])

    @property
    def height(self) -> int:
        return int(self.pixels.shape[2])

    @property
    def width(self) -> int:
        return int(self.pixels.shape[3])

    def to_bytes(self) -> NDArray[np.uint8]:
        """The pictures as (B, H, W, 3) bytes."""
        return (self.pixels * 255 + 0.5).clip(0, 255).astype("uint8").transpose(0, 2, 3, 1).copy()

    @classmethod
    def from_bytes(cls, pixels: NDArray[np.uint8]) -> Image:
        """From (B, H, W, 3) or (H, W, 3) bytes."""
        batch = pixels[None] if pixels.ndim == 3 else pixels
        return cls(batch.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255))

    def _repr_png_(self) -> bytes:
        from PIL import Image as Pillow

        file = io.BytesIO()
        Pillow.fromarray(np.concatenate(list(self.to_bytes()), axis=1)).save(file, "png")
        return file.getvalue()


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """A batch of masks: `values` is float32 (B, H, W), 0..1. 1 is what is selected: the part to be made anew."""

    values: Floats

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", frozen(self.values, 3, "Mask.values (batch, height, width)"))

    @property
    def batch(self) -> int:
        return int(self.values.shape[0])

    @property
    def height(self) -> int:
        return int(self.values.shape[1])

    @property
    def width(self) -> int:
        return int(self.values.shape[2])

    def _repr_png_(self) -> bytes:
        return Image(self.values[:, None].repeat(3, axis=1))._repr_png_()


@dataclass(frozen=True, slots=True, eq=False)
class Latent:
    """Pictures in a model's latent space, or only their size.

    `samples` is float32 (B, C, h, w), centred and scaled as the family's denoisers work on it; None where no model was
    met yet: then sampling starts from noise. `width` and `height` are the picture's in pixels; `samples` covers it,
    rounded up to what the denoiser asks for. `mask` is float32 (1 or B, height, width), 1 where to sample. `masked` has
    the shape of `samples`: the picture with its hole greyed, which inpainting models read. `sigma` is the noise left in
    `samples`, on the variance-exploding scale; 0 is clean. Unless it `keeps` what is around the mask, the mask is only
    shown to inpainting models. `places` are those that its pictures have in a larger batch, whose noise they get, as in
    ComfyUI; None counts from 0. `low_res` is float32 (B, 3, h, w), 0..1: the small picture that upscaling models read,
    a pixel for each cell of the latent, and `noise_level` the noise they hide it under.
    """

    width: int
    height: int
    batch: int = 1
    samples: Floats | None = None
    mask: Floats | None = None
    masked: Floats | None = None
    sigma: float = field(default=0.0)
    keeps: bool = True
    low_res: Floats | None = None
    noise_level: int = 0
    places: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if self.samples is not None:
            object.__setattr__(self, "samples", frozen(self.samples, 4, "Latent.samples (batch, channel, h, w)"))
        if self.mask is not None:
            object.__setattr__(self, "mask", frozen(self.mask, 3, "Latent.mask (batch, height, width)"))
        if self.masked is not None:
            object.__setattr__(self, "masked", frozen(self.masked, 4, "Latent.masked (batch, channel, h, w)"))
        if self.low_res is not None:
            object.__setattr__(self, "low_res", frozen(self.low_res, 4, "Latent.low_res (batch, 3, h, w)"))

    def _repr_png_(self) -> bytes:
        """Its first three channels, each stretched over the whole range; grey where it is only a size."""
        if self.samples is None:
            grey = np.full((self.batch, 3, self.height // 8 + 1, self.width // 8 + 1), 0.5, np.float32)
            return Image(grey)._repr_png_()
        first = self.samples[:, [min(i, self.samples.shape[1] - 1) for i in range(3)]]
        low, high = (f(first, axis=(0, 2, 3), keepdims=True) for f in (np.min, np.max))
        return Image(((first - low) / np.maximum(high - low, 1e-6)).astype(np.float32))._repr_png_()


@dataclass(frozen=True, slots=True)
class NoiseLevels:
    """The noise levels that a run visits, from the noisiest to 0, or above it where noise is to be left; or upwards.

    On the scale of the model that they are meant for: sigma of `x0 + sigma * noise`, or times of a flow model, 1 to 0.
    """

    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class SamplerSettings:
    """A sampler by its name, and settings of its own: `eta`, how much noise it adds on the way, 1 as much as was taken
    away; `s_noise`, a factor of that; and others that solvers have."""

    sampler: str
    settings: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True, eq=False)
class ControlHint:
    """A ControlNet or T2I-Adapter and the picture, or its latent, that it holds to (1 or B, C, H, W).

    Args:
        start, end: The part of the way from noise to picture on which it acts, 0..1: of the steps, or `by_noise` of the
            noise that the model was trained on.
        centred: Whether the picture is cut to the proportions of the run and brought to its size by the nearest pixels,
            as ComfyUI does, instead of smoothly and as a whole.
        kinds: Of which kinds the picture is, for a ControlNet that knows several.
        shared: Whether it acts on the negative prompt too where that has none of its own; matters for a prompt's alone.
    """

    checkpoint: Checkpoint
    hint: Floats
    strength: float = 1.0
    start: float = 0.0
    end: float = 1.0
    by_noise: bool = False
    centred: bool = False
    shared: bool = False
    kinds: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "hint", frozen(self.hint, 4, "ControlHint.hint (batch, channel, height, width)"))


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """A thing and the box, in shares of the picture's sides, that models with GLIGEN hold it to.

    Args:
        phrase: (1, D): the thing, as the text encoder says a whole text in one vector.
        end: Up to which part of the steps.
        gligen: The gates, where the prompt brings them as in ComfyUI: the box is in pixels then, and acts on the
            negative prompt too where that has none.
    """

    phrase: Floats
    x: float
    y: float
    width: float
    height: float
    end: float
    gligen: Gligen | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "phrase", frozen(self.phrase, 2, "Ground.phrase (1, width)"))


@dataclass(frozen=True, slots=True)
class Window:
    """A box of a picture that a model is asked about by itself: in pixels, or as `parts` of the picture's sides."""

    x: float
    y: float
    width: float
    height: float
    parts: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Likeness:
    """Pictures, as CLIP says each in one vector (B, D), that stand in the place of a prompt's pooled encoding.

    Args:
        noise: How much noise they are put under, 0..1.
    """

    vectors: Floats
    strength: float
    noise: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "vectors", frozen(self.vectors, 2, "Likeness.vectors (batch, width)"))


@dataclass(frozen=True, slots=True, eq=False)
class Conditioning:
    """What a prompt says to a denoiser.

    `tokens` is float32 (B, tokens, width). `pooled` is float32 (B, width): the whole prompt in one vector, for families
    that read it. `sizes` is float32 (B, 6): original height and width, top and left of the crop, target height and
    width, for families that were trained with them; None where the picture's own size stands for them. `score` is how
    beautiful a picture should be, 0 to 10, for the same; None is what pipelines take. `guidance` is told to models that
    were distilled from it; None leaves that to the run, and with `families.UNTOLD` they are told nothing. `controls`
    are ControlNets that act on it alone. `grounds` say to models with GLIGEN where in the picture its things are.
    `references` are latents (1, C, h, w) of pictures that models for editing look at beside what they make, in order.
    `likenesses` are pictures that are added up in the place of `pooled`, for families that read them.

    It counts `weight` times, where `mask` (1, H, W; the whole picture, of whatever size) selects, from the part `start`
    of the steps to the part `end`, or of the noise that the model was trained on if it counts `by_noise`. With a
    `window` the model sees that alone; if it is `bounded` that is the smallest box around the mask. What stands in
    `also` is asked too, and the answers are averaged.
    """

    tokens: Floats
    pooled: Floats | None = None
    sizes: Floats | None = None
    score: float | None = None
    weight: float = 1.0
    mask: Floats | None = None
    start: float = 0.0
    end: float = 1.0
    by_noise: bool = False
    window: Window | None = None
    references: tuple[Floats, ...] = ()
    bounded: bool = False
    guidance: float | None = None
    controls: tuple[ControlHint, ...] = ()
    grounds: tuple[Ground, ...] = ()
    likenesses: tuple[Likeness, ...] = ()
    also: tuple[Conditioning, ...] = ()

    @property
    def parts(self) -> tuple[Conditioning, ...]:
        """What is asked, one by one."""
        return (replace(self, also=()), *self.also)

    def each(self, change: Callable[[Conditioning], Conditioning]) -> Conditioning:
        """The same with every part changed."""
        first, *others = (change(part) for part in self.parts)
        return replace(first, also=tuple(others))

    def __post_init__(self) -> None:
        object.__setattr__(self, "tokens", frozen(self.tokens, 3, "Conditioning.tokens (batch, token, width)"))
        if self.pooled is not None:
            object.__setattr__(self, "pooled", frozen(self.pooled, 2, "Conditioning.pooled (batch, width)"))
        if self.sizes is not None:
            object.__setattr__(self, "sizes", frozen(self.sizes, 2, "Conditioning.sizes (batch, 6)"))
        if self.mask is not None:
            object.__setattr__(self, "mask", frozen(self.mask, 3, "Conditioning.mask (1, height, width)"))
