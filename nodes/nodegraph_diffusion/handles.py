"""Models on edges: small values that say which weights are meant. The weights load when a node leases them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from nodegraph import Context, NodeError, Report

from .checkpoint import Checkpoint, Component, ModelError
from .checkpoint.adapters import Adapter
from .checkpoint.controls import T2I
from .checkpoint.ip_adapters import IpAdapter
from .checkpoint.spaces import STABLE_DIFFUSION, Space
from .checkpoint.words import Word
from .families import FAMILIES, Family
from .values import ControlHint, Floats, frozen

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from .diffusion.control import Control, Features
    from .diffusion.denoiser import Prediction
    from .diffusion.guidance import Combine, Memory
    from .diffusion.ip_adapter import Attended
    from .diffusion.prompts import PromptEncoder
    from .diffusion.schedules import Table
    from .diffusion.weakening import Weakened

T = TypeVar("T")

Dtype = Literal["auto", "float32", "float16", "bfloat16"]


@dataclass(frozen=True, slots=True)
class Guider:
    """How the outputs for the positive and the negative prompt are combined, where it is not the usual guidance."""

    kind: str
    eta: float
    limit: float
    momentum: float = 0.0

    def memory(self) -> Memory | None:
        """What a run remembers of its steps, if it does."""
        from .diffusion.guidance import Memory

        return Memory(self.momentum) if self.kind == "projected" and self.momentum else None

    def combine(self, memory: Memory | None = None) -> Combine:
        from .diffusion import guidance

        if self.kind == "projected":
            return guidance.projected(self.eta, self.limit, memory)
        return {"zero_star": guidance.zero_star, "tangential": guidance.tangential}[self.kind]()


@dataclass(frozen=True, slots=True)
class Weakening:
    """How a denoiser is made worse, so that its output can be moved away from what it then says.

    Args:
        layers: Which layers are changed, see `diffusion.weakening`.
        scale: How far the output is moved.
        start, end: The part of the steps on which that is done, 0..1.
    """

    kind: Literal["perturbed", "skip_layer"]
    layers: str
    scale: float
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Options:
    """How a denoiser is run, where it is not as it comes.

    Args:
        attention: The backend of diffusers that computes attention.
        step_cache: A change of the first block, relative to its output, below which the others are not asked.
        offload: Whether layers stay in the memory of the CPU and come to the device one group at a time.
    """

    attention: str = "auto"
    step_cache: float = 0.0
    offload: bool = False


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
        return self.component.bytes if self.component.quantised else self.component.elements * self.dtype.itemsize

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

        options = self.options
        where = torch.device("cpu") if options.offload else self.device
        made = loading.load(self.checkpoint, self.component, self.dtype, where, report)
        if options.attention != "auto":
            running.set_attention(made, options.attention)
        if options.step_cache:
            running.enable_step_cache(made, options.step_cache)
        if options.offload:
            running.offload(made, self.device)
        return made

    def drop(self, value: T) -> None:
        from .diffusion.allocator import release_memory
        from .diffusion.loading import unload

        unload(value)
        release_memory()


@dataclass(frozen=True, slots=True)
class Lora:
    """A LoRA on a model, and how strong it is."""

    adapter: Adapter
    strength: float


@dataclass(frozen=True, slots=True, eq=False)
class ImagePrompt:
    """An IP-Adapter and what its image encoder sees in pictures, and in none (N, T, D).

    Args:
        start, end: The part of the way from noise to picture on which it acts, 0..1.
    """

    adapter: IpAdapter
    seen: Floats
    unseen: Floats
    strength: float = 1.0
    start: float = 0.0
    end: float = 1.0

    def __post_init__(self) -> None:
        for name in ("seen", "unseen"):
            object.__setattr__(
                self, name, frozen(getattr(self, name), 3, f"ImagePrompt.{name} (picture, token, width)")
            )


@dataclass(frozen=True, slots=True)
class Taught:
    """A word that a text encoder was taught, as prompts write it."""

    text: str
    word: Word


A = TypeVar("A", Adapter, IpAdapter)


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


@dataclass(frozen=True, slots=True)
class _Handle:
    checkpoint: Checkpoint
    dtype: Dtype = "auto"
    device: str = "auto"

    @property
    def family(self) -> Family:
        return FAMILIES[self.checkpoint.family]

    @contextmanager
    def _changed(
        self, ctx: Context, module: Any, component: Component, loras: Sequence[Lora], part: str
    ) -> Iterator[None]:
        """`module` with the LoRAs that change it, for the length of a `with` block."""
        from .diffusion import lora

        weights = self._weights(component)
        with ExitStack() as leases:
            used = []
            for each in loras:
                if each.strength and part in each.adapter.parts:
                    wanted = AdapterWeights("LoRA", each.adapter, lora.read, weights.dtype, weights.device)
                    parts = leases.enter_context(ctx.lease(wanted))
                    used.append((each.adapter.name, parts[part], each.strength))
            try:
                adapted = lora.applied(module, used, lambda name: self.family.adapted(name, component.config))
                for message in leases.enter_context(adapted):
                    ctx.warn(message)
            except ModelError as error:
                raise NodeError(str(error)) from error
            yield

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
        loras: In the order in which they were applied.
        controls: ControlNets and T2I-Adapters with the pictures that they hold to.
        images: IP-Adapters with the pictures that they show.
        options: How it is run.
        guider: How outputs are combined; None leaves it to the family.
        weakening: What worse version of itself it is guided away from, if any.
        predicts: What the network gives, where it is not what its checkpoint says.
        differential: How far a mask is made hard, at each step at another level; see `sampling.sample`.
        noise: Of the noise that it was trained on, what is not as its checkpoint says, see `NoiseTable.from_config` and
            `FlowTable`.
    """

    space: Space = STABLE_DIFFUSION
    loras: tuple[Lora, ...] = ()
    controls: tuple[ControlHint, ...] = ()
    images: tuple[ImagePrompt, ...] = ()
    options: Options = AS_IT_COMES
    guider: Guider | None = None
    weakening: Weakening | None = None
    predicts: Literal["epsilon", "v_prediction", "sample", "lcm"] | None = None
    differential: float = 0.0
    noise: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def prediction(self) -> Prediction:
        """What the network gives."""
        return self.predicts or self.checkpoint.prediction

    def table(self, cells: int, steps: int) -> Table:
        """Its noise levels for latents of so many cells and so many steps."""
        return self.family.table({**self.checkpoint.scheduler, **self.noise}, cells, steps)

    @property
    def denoiser(self) -> Weights[Any]:
        return replace(self._weights(self.checkpoint.denoiser), options=self.options)

    @contextmanager
    def leased(self, ctx: Context) -> Iterator[Any]:
        """The denoiser with its adapters, for the length of a `with` block."""
        part = self.checkpoint.denoiser
        with ctx.lease(self.denoiser) as network, self._changed(ctx, network, part, self.loras, "denoiser"):
            yield network

    @contextmanager
    def controlled(self, ctx: Context, size: tuple[int, int], like: Tensor) -> Iterator[list[Control | Features]]:
        """Its ControlNets and T2I-Adapters, ready to be asked about latents like `like` of pictures of `size` (height,
        width)."""
        from .diffusion.control import features, ready

        family = self.family
        with ExitStack() as leases:
            made: list[Control | Features] = []
            for each in self.controls:
                weights = self._weights(each.checkpoint.denoiser)
                weights = replace(weights, checkpoint=each.checkpoint)
                network = leases.enter_context(ctx.lease(weights))
                try:
                    if each.checkpoint.denoiser.cls == T2I:
                        made.append(features(network, each, size, len(like)))
                    else:
                        assert family.control is not None
                        made.append(ready(family.control, network, each, size, like))
                except ValueError as error:
                    raise NodeError(str(error), "model") from error
            yield made

    @contextmanager
    def weakened(self, network: Any) -> Iterator[Weakened | None]:
        """`network`, its denoiser, ready to be made worse, for the length of a `with` block."""
        from .diffusion.weakening import weakened

        how = self.weakening
        with ExitStack() as hooks:
            try:
                yield hooks.enter_context(weakened(network, **asdict(how))) if how is not None else None
            except ValueError as error:
                raise NodeError(str(error), "model") from error

    @contextmanager
    def shown(self, ctx: Context, network: Any) -> Iterator[Attended]:
        """What its IP-Adapters show to `network`, its denoiser, for the length of a `with` block."""
        from torch import from_numpy

        from .diffusion import ip_adapter

        like = self.denoiser
        with ExitStack() as leases:
            made = []
            for each in self.images:
                wanted = AdapterWeights("IP-Adapter", each.adapter, ip_adapter.read, like.dtype, like.device)
                weights = leases.enter_context(ctx.lease(wanted))
                seen, unseen = (from_numpy(array.copy()) for array in (each.seen, each.unseen))
                made.append(ip_adapter.shown(weights, seen, unseen, each.strength, each.start, each.end))
            try:
                names = [each.adapter.name for each in self.images]
                yield leases.enter_context(ip_adapter.attending(network, made, names))
            except ModelError as error:
                raise NodeError(str(error), "model") from error


@dataclass(frozen=True, slots=True)
class TextEncoder(_Handle):
    """What turns prompts into conditioning: one text encoder or several."""

    loras: tuple[Lora, ...] = ()
    words: tuple[Taught, ...] = ()

    @property
    def encoders(self) -> tuple[Weights[PromptEncoder] | None, ...]:
        """In the family's order; None for one that the model does without."""
        there = {component.name: component for component in self.checkpoint.text_encoders}
        names = [encoder.name for encoder in self.family.encoders]
        return tuple(self._weights(there[name]) if name in there else None for name in names)

    @contextmanager
    def leased(self, ctx: Context, weights: Weights[PromptEncoder]) -> Iterator[PromptEncoder]:
        """One of the text encoders with its adapters, for the length of a `with` block."""
        part = weights.component
        with ctx.lease(weights) as encoder, self._changed(ctx, encoder.model, part, self.loras, part.name):
            yield replace(encoder, words=self._vectors(self.checkpoint.text_encoders.index(part)))

    def _vectors(self, index: int) -> dict[str, Tensor]:
        """What stands for each word that was taught, in one of the text encoders."""
        from safetensors.torch import load_file

        try:
            return {each.text: load_file(each.word.path)[each.word.tensors[index]] for each in self.words}
        except OSError as error:
            raise NodeError(f"a textual inversion cannot be read ({error}); put it back") from error

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
        enlarges: Whether the denoiser makes a large picture of a small one.
    """

    multiple: int = 1
    hides: bool = False
    enlarges: bool = False

    @property
    def autoencoder(self) -> Weights[Any]:
        return self._weights(self.checkpoint.autoencoder)
