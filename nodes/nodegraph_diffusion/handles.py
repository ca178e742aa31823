"""Models on edges: small values that say which weights are meant. The weights load when a node leases them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from nodegraph import Context, NodeError

from .adapters import ImagePrompt, Lora, Taught
from .checkpoint import Checkpoint, Component, ModelError
from .checkpoint.gligen import Gligen
from .checkpoint.spaces import STABLE_DIFFUSION, Space
from .checkpoint.t2i_adapters import T2I
from .families import FAMILIES, Family
from .guides import Guider, Weakening
from .leases import AS_IT_COMES, AdapterWeights, Options, Weights
from .values import ControlHint

if TYPE_CHECKING:
    from torch import Tensor

    from .diffusion.control import Control, Features
    from .diffusion.denoiser import Ground, Prediction
    from .diffusion.gligen import Grounded
    from .diffusion.ip_adapter import Attended
    from .diffusion.prompts import PromptEncoder
    from .diffusion.schedules import Table
    from .diffusion.weakening import Weakened


Dtype = Literal["auto", "float32", "float16", "bfloat16"]


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
        gligen: What gives it the gates of GLIGEN, where it was not saved with them.
        options: How it is run.
        guider: How outputs are combined; None leaves it to the family.
        weakening: What worse version of itself it is guided away from, if any.
        predicts: What the network gives, where it is not what its checkpoint says.
        rescaled: How far guided estimates are brought back to the spread that they have without, see `GuidedDenoiser`.
        held: Holds guided estimates to their length without guidance, see `GuidedDenoiser`.
        differential: How far a mask is made hard, at each step at another level; see `sampling.sample`.
        noise: Of the noise that it was trained on, what is not as its checkpoint says, see `NoiseTable.from_config` and
            `FlowTable`.
    """

    space: Space = STABLE_DIFFUSION
    loras: tuple[Lora, ...] = ()
    controls: tuple[ControlHint, ...] = ()
    images: tuple[ImagePrompt, ...] = ()
    gligen: Gligen | None = None
    options: Options = AS_IT_COMES
    guider: Guider | None = None
    weakening: Weakening | None = None
    predicts: Literal["epsilon", "v_prediction", "sample", "lcm"] | None = None
    rescaled: float = 0.0
    held: float | None = None
    differential: float = 0.0
    noise: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def prediction(self) -> Prediction:
        """What the network gives."""
        return self.predicts or self.checkpoint.prediction

    @property
    def grounded(self) -> bool:
        """Whether it has GLIGEN, its own or beside it."""
        return self.gligen is not None or self.checkpoint.denoiser.config.get("attention_type") == "gated"

    def table(self, cells: int, steps: int) -> Table:
        """Its noise levels for latents of so many cells and so many steps."""
        return self.family.table({**self.checkpoint.scheduler, **self.noise}, cells, steps)

    @property
    def denoiser(self) -> Weights[Any]:
        # Which compiled blocks would not see.
        hooked = bool(self.loras or self.images or self.weakening or self.grounded)
        options = replace(self.options, compile=self.options.compile and not hooked)
        return replace(self._weights(self.checkpoint.denoiser), options=options)

    @contextmanager
    def leased(self, ctx: Context) -> Iterator[Any]:
        """The denoiser with its adapters, for the length of a `with` block."""
        part = self.checkpoint.denoiser
        if self.options.compile and not self.denoiser.options.compile:
            ctx.warn(
                "runs without compiling: compiled blocks do not see LoRAs, IP-Adapters, GLIGEN and perturbed layers"
            )
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
                        made.append(features(network, each, size, like))
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
                mask = None if each.mask is None else from_numpy(each.mask.copy())
                made.append(ip_adapter.shown(weights, seen, unseen, each.strength, each.start, each.end, mask))
            try:
                names = [each.adapter.name for each in self.images]
                yield leases.enter_context(ip_adapter.attending(network, made, names))
            except ModelError as error:
                raise NodeError(str(error), "model") from error

    @contextmanager
    def grounding(self, ctx: Context, network: Any, grounds: Sequence[Ground]) -> Iterator[Grounded]:
        """What GLIGEN holds `network`, its denoiser, to, for the length of a `with` block."""
        from .diffusion import gligen

        with ExitStack() as leases:
            weights, like = None, self.denoiser
            if grounds and self.gligen is not None:
                wanted = AdapterWeights("GLIGEN", self.gligen, gligen.read, like.dtype, like.device)
                weights = leases.enter_context(ctx.lease(wanted))
            name = self.gligen.name if self.gligen else ""
            config = self.checkpoint.denoiser.config
            try:
                held = gligen.grounding(
                    network, grounds, weights, name, lambda module: self.family.adapted(module, config)
                )
                yield leases.enter_context(held)
            except ModelError as error:
                raise NodeError(str(error), "model") from error


@dataclass(frozen=True, slots=True)
class TextEncoder(_Handle):
    """What turns prompts into conditioning: one text encoder or several.

    Args:
        filled: How far T5 fills up prompts, where it is not as the family does; see `PromptEncoder`.
    """

    loras: tuple[Lora, ...] = ()
    words: tuple[Taught, ...] = ()
    filled: tuple[int, int] | None = None

    def as_comfyui(self) -> TextEncoder:
        """The same, with prompts filled up as ComfyUI does it."""
        return replace(self, filled=self.filled or (0, self.family.least))

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
            words = self._vectors(self.checkpoint.text_encoders.index(part))
            yield replace(encoder, words=words, filled=self.filled)

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
