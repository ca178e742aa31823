"""Models on edges: small values that say which weights are meant. The weights load when a node leases them."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

from nodegraph import NodeError, Report

from .checkpoint import Checkpoint, Component, ModelError

if TYPE_CHECKING:
    import torch
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from torch import nn

    from .diffusion.prompts import PromptEncoder

T = TypeVar("T", bound="nn.Module | PromptEncoder")

Part = Literal["denoiser", "text_encoder", "vae"]
Dtype = Literal["auto", "float32", "float16", "bfloat16"]


@dataclass(frozen=True, slots=True)
class Weights(Generic[T]):
    """One component of a model on a device in a dtype, to be leased."""

    checkpoint: Checkpoint
    part: Part
    dtype: torch.dtype
    device: torch.device

    @property
    def component(self) -> Component:
        found: Component = getattr(self.checkpoint, self.part)
        return found

    @property
    def key(self) -> Hashable:
        return self.checkpoint.path, self.checkpoint.revision, self.part, self.dtype, self.place

    @property
    def name(self) -> str:
        return f"{self.part.replace('_', ' ')} of {self.checkpoint.name}"

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

        load = {"denoiser": loading.load_denoiser, "text_encoder": loading.load_text_encoder, "vae": loading.load_vae}
        try:
            made: T = load[self.part](self.checkpoint, self.dtype, self.device, report)
        except ModelError as error:
            raise NodeError(str(error)) from error
        return made

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

    def _weights(self, part: Part) -> Weights[T]:
        from .diffusion.devices import choose_device, choose_dtype

        try:
            device = choose_device(self.device)
        except ValueError as error:
            raise NodeError(str(error)) from error
        return Weights(self.checkpoint, part, choose_dtype(device, self.dtype), device)


class Model(_Handle):
    """A denoiser, and what is known about it."""

    __slots__ = ()

    @property
    def denoiser(self) -> Weights[UNet2DConditionModel]:
        return self._weights("denoiser")


class TextEncoder(_Handle):
    """What turns prompts into conditioning."""

    __slots__ = ()

    @property
    def encoder(self) -> Weights[PromptEncoder]:
        return self._weights("text_encoder")


class Vae(_Handle):
    """What turns pictures into latents and back."""

    __slots__ = ()

    @property
    def autoencoder(self) -> Weights[AutoencoderKL]:
        return self._weights("vae")
