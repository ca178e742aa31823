"""Models on edges: small values that say which weights are meant. The weights load when a node leases them."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from nodegraph import NodeError, Report

from .checkpoint import Checkpoint, Component, ModelError
from .checkpoint.spaces import STABLE_DIFFUSION, Space
from .families import FAMILIES, Family

if TYPE_CHECKING:
    import torch

    from .diffusion.prompts import PromptEncoder

T = TypeVar("T")

Dtype = Literal["auto", "float32", "float16", "bfloat16"]


@dataclass(frozen=True, slots=True)
class Weights(Generic[T]):
    """One component of a model on a device in a dtype, to be leased."""

    checkpoint: Checkpoint
    component: Component
    dtype: torch.dtype
    device: torch.device

    @property
    def key(self) -> Hashable:
        return self.checkpoint.path, self.checkpoint.revision, self.component.name, self.dtype, self.place

    @property
    def name(self) -> str:
        part = "denoiser" if self.component is self.checkpoint.denoiser else self.component.name.replace("_", " ")
        return f"{part} of {self.checkpoint.name}"

    @property
    def place(self) -> str:
        return str(self.device)

    @property
    def size(self) -> int:
        return self.component.elements * self.dtype.itemsize

    def capacity(self) -> int:
        from .diffusion.devices import memory

        return memory(self.device)

    def load(self, report: Report) -> T:
        from .diffusion import loading

        try:
            if self.component in self.checkpoint.text_encoders:
                index = self.checkpoint.text_encoders.index(self.component)
                made: Any = loading.load_text_encoder(self.checkpoint, self.dtype, self.device, report, index)
            else:
                made = loading.load(self.checkpoint, self.component, self.dtype, self.device, report)
        except ModelError as error:
            raise NodeError(str(error)) from error
        return made  # type: ignore[no-any-return]

    def drop(self, value: T) -> None:
        from .diffusion.allocator import release_memory
        from .diffusion.loading import unload

        unload(value)
        release_memory()


@dataclass(frozen=True, slots=True)
class _Handle:
    checkpoint: Checkpoint
    dtype: Dtype = "auto"
    device: str = "auto"

    @property
    def family(self) -> Family:
        return FAMILIES[self.checkpoint.family]

    def _weights(self, component: Component) -> Weights[Any]:
        from .diffusion.devices import choose_device, choose_dtype

        try:
            device = choose_device(self.device)
        except ValueError as error:
            raise NodeError(str(error)) from error
        return Weights(self.checkpoint, component, choose_dtype(device, self.dtype), device)


@dataclass(frozen=True, slots=True)
class Model(_Handle):
    """A denoiser, and what is known about it.

    Args:
        space: Of the latents it works on.
    """

    space: Space = STABLE_DIFFUSION

    @property
    def denoiser(self) -> Weights[Any]:
        return self._weights(self.checkpoint.denoiser)


@dataclass(frozen=True, slots=True)
class TextEncoder(_Handle):
    """What turns prompts into conditioning: one text encoder or several."""

    @property
    def encoders(self) -> tuple[Weights[PromptEncoder] | None, ...]:
        """In the family's order; None for one that the model does without."""
        there = {component.name: component for component in self.checkpoint.text_encoders}
        names = [encoder.name for encoder in self.family.encoders]
        return tuple(self._weights(there[name]) if name in there else None for name in names)

    @property
    def encoder(self) -> Weights[PromptEncoder]:
        """The first."""
        return self._weights(self.checkpoint.text_encoder)


@dataclass(frozen=True, slots=True)
class Vae(_Handle):
    """What turns pictures into latents and back.

    Args:
        multiple: Of how many pixels the denoiser wants width and height to be multiples.
        hides: Whether the denoiser reads a picture with a hole, which is then encoded too.
    """

    multiple: int = 1
    hides: bool = False

    @property
    def autoencoder(self) -> Weights[Any]:
        return self._weights(self.checkpoint.autoencoder)
