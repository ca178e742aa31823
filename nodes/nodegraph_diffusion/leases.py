"""Weights to be leased: what loads when a node first uses it, and how it is then run."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from nodegraph import NodeError, Report

from .checkpoint import Checkpoint, Component, ModelError
from .checkpoint.adapters import Adapter
from .checkpoint.gligen import Gligen
from .checkpoint.ip_adapters import IpAdapter
from .families import FAMILIES

if TYPE_CHECKING:
    import torch

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Options:
    """How a denoiser is run, where it is not as it comes.

    Args:
        attention: The backend of diffusers that computes attention.
        step_cache: A change of the first block, relative to its output, below which the others are not asked.
        offload: Whether layers stay in the memory of the CPU and come to the device one group at a time.
        compile: Whether PyTorch compiles the blocks that repeat.
        float8: Whether layers are kept in float8 and widened while they are used.
    """

    attention: str = "auto"
    step_cache: float = 0.0
    offload: bool = False
    compile: bool = False
    float8: bool = False


AS_IT_COMES = Options()


@dataclass(frozen=True, slots=True)
class Weights(Generic[T]):
    """One component of a model on a device in a dtype, to be leased."""

    checkpoint: Checkpoint
    component: Component
    dtype: torch.dtype
    device: torch.device
    options: Options = AS_IT_COMES

    @property
    def key(self) -> Hashable:
        model = self.checkpoint.path, self.checkpoint.revision
        return *model, self.component.name, self.dtype, self.place, self.options

    @property
    def name(self) -> str:
        name = self.component.name
        part = "denoiser" if name == FAMILIES[self.checkpoint.family].denoiser[0] else name.replace("_", " ")
        return f"{part} of {self.checkpoint.name}"

    @property
    def place(self) -> str:
        return str(self.device)

    @property
    def size(self) -> int:
        if self.component.quantised:
            return self.component.bytes
        return self.component.elements * (1 if self.options.float8 else self.dtype.itemsize)

    def capacity(self) -> int:
        from .diffusion.devices import memory

        return memory(self.device)

    def load(self, report: Report) -> T:
        from .diffusion import loading
        from .diffusion.running import UnsupportedOption

        try:
            if self.component in self.checkpoint.text_encoders:
                index = self.checkpoint.text_encoders.index(self.component)
                made: Any = loading.load_text_encoder(self.checkpoint, self.dtype, self.device, report, index)
            else:
                made = self._module(report)
        except (ModelError, UnsupportedOption) as error:
            raise NodeError(str(error)) from error
        return made  # type: ignore[no-any-return]

    def _module(self, report: Report) -> Any:
        import torch

        from .diffusion import loading, running
        from .diffusion.convolution import multiply_less
        from .diffusion.running import UnsupportedOption

        options = self.options
        where = torch.device("cpu") if options.offload else self.device
        made = loading.load(self.checkpoint, self.component, self.dtype, where, report)
        if options.attention != "auto":
            running.set_attention(made, options.attention)
        if options.float8:
            running.keep_in_float8(made, self.dtype)
        if options.step_cache:
            running.enable_step_cache(made, options.step_cache)
        if options.offload:
            running.offload(made, self.device)
        if options.compile:
            if options.offload or options.step_cache:
                raise UnsupportedOption("compiled blocks go with neither step_cache nor offload; turn one of them off")
            running.compile_blocks(made, self.device)
        elif self.device.type == "cpu":
            multiply_less(made)
        return made

    def drop(self, value: T) -> None:
        from .diffusion.allocator import release_memory
        from .diffusion.loading import unload

        unload(value)
        release_memory()


A = TypeVar("A", Adapter, Gligen, IpAdapter)


@dataclass(frozen=True, slots=True)
class AdapterWeights(Generic[A, T]):
    """The weights of a small file beside a model, on a device in a dtype, to be leased.

    Args:
        what: Its kind, as people call it.
        read: Makes it from its file.
    """

    what: str
    adapter: A
    read: Callable[[Path, torch.dtype, torch.device], T]
    dtype: torch.dtype
    device: torch.device

    @property
    def key(self) -> Hashable:
        return self.adapter.path, self.adapter.revision, self.dtype, self.place

    @property
    def name(self) -> str:
        return f"{self.what} {self.adapter.name}"

    @property
    def place(self) -> str:
        return str(self.device)

    @property
    def size(self) -> int:
        return self.adapter.bytes

    def capacity(self) -> int:
        from .diffusion.devices import memory

        return memory(self.device)

    def load(self, report: Report) -> T:
        try:
            made = self.read(Path(self.adapter.path), self.dtype, self.device)
        except (ModelError, OSError) as error:
            raise NodeError(str(error)) from error
        report(self.size, self.size)
        return made

    def drop(self, value: T) -> None:
        """Its memory goes with it."""
