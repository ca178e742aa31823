"""Guidance away from a worse version of the network itself: perturbed attention and skipped layers.

Perturbed attention (Ahn et al. 2024, arXiv:2403.17377) lets each place attend to itself alone in some layers; skip
layer guidance (Stability AI 2024, for Stable Diffusion 3.5) leaves some blocks out. The output is moved away from what
the network then says of the positive prompt. What is changed are the outputs of layers, by hooks, for one thread and
one call at a time.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from torch import Tensor, nn

if TYPE_CHECKING:
    from .schedules import Schedule

Kind = Literal["perturbed", "skip_layer"]
STACKS = ("transformer_blocks", "layers")
"""What transformers call the blocks that are counted."""
USUAL = (7 / 24, 8 / 24, 9 / 24)
"""Where the blocks 7, 8 and 9 of Stable Diffusion 3.5 medium are, which its authors skip."""


@dataclass(slots=True)
class Weakened:
    """A network that can be made worse for the length of a call.

    Args:
        scale: How far the output is moved away from the worse one.
        start, end: The part of the steps on which that is done, 0..1; or `by_noise` of the noise that the network was
            trained on, until it is `timed`.
    """

    scale: float
    start: float
    end: float
    by_noise: bool = False
    on: bool = False

    def timed(self, way: Schedule) -> None:
        """Count in the steps of `way`."""
        if self.by_noise:
            self.start, self.end = way.within(self.start, self.end)

    def acts(self, done: float) -> bool:
        """Whether it is asked on a step that begins when the part `done` of all steps is done."""
        return self.start <= done + 1e-9 and done + 1e-9 < self.end

    @contextmanager
    def during(self) -> Iterator[None]:
        """The network is worse inside of the block."""
        self.on = True
        try:
            yield
        finally:
            self.on = False


@contextmanager
def weakened(
    network: nn.Module, kind: Kind, layers: str, scale: float, start: float, end: float, by_noise: bool = False
) -> Iterator[Weakened]:
    """`network`, ready to be made worse by the thread that enters the block.

    Args:
        layers: Which: numbers of a transformer's blocks, or parts of the names of a UNet's layers, with commas between
            them; "auto" is what the authors of each way take.
    Raises:
        ValueError: There are no such layers, or diffusers does not know how to leave them out.
    """
    state = Weakened(scale, start, end, by_noise)
    me = threading.get_ident()

    def active() -> bool:
        return state.on and threading.get_ident() == me

    handles: list[Any] = []
    try:
        for block in _chosen(network, layers, kind):
            if kind == "skip_layer":
                handles.append(_skipped(block, active))
            else:
                for module in block.modules():
                    handles += _perturbed(module, active)
        if not handles:
            raise ValueError(f"{type(network).__name__} has no self-attention in {layers!r}; name other layers")
        yield state
    finally:
        for handle in handles:
            handle.remove()


def _chosen(network: nn.Module, layers: str, kind: Kind) -> Sequence[nn.Module]:
    stack = next((getattr(network, name) for name in STACKS if hasattr(network, name)), None)
    wanted = [part.strip() for part in layers.split(",") if part.strip()]
    if stack is None:
        if kind == "skip_layer":
            raise ValueError(f"{type(network).__name__} has no row of blocks to skip; use 'perturbed'")
        named = {name: module for name, module in network.named_modules() if name.endswith("attn1")}
        parts = ["mid"] if wanted == ["auto"] else wanted
        found = [module for name, module in named.items() if any(part in name for part in parts)]
        if not found:
            raise ValueError(f"no self-attention of the UNet has {layers!r} in its name; one is {next(iter(named))!r}")
        return found
    count = len(stack)
    if wanted == ["auto"]:
        return [stack[i] for i in sorted({min(round(count * part), count - 1) for part in USUAL})]
    if not wanted or any(not re.fullmatch(r"[0-9]+", each) or int(each) >= count for each in wanted):
        raise ValueError(f"layers needs numbers of 0 to {count - 1} with commas between them, got {layers!r}")
    return [stack[int(each)] for each in wanted]


def _skipped(block: nn.Module, active: Any) -> Any:
    """A hook by which a block gives back what it was given."""
    from diffusers.hooks._helpers import TransformerBlockRegistry

    about = TransformerBlockRegistry.get(type(block))

    def hook(module: nn.Module, args: Any, kwargs: Any, output: Any) -> Any:
        if not active():
            return None
        shown = about._get_parameter_from_args_kwargs(about.hidden_states_argument_name, args, kwargs)
        if about.return_encoder_hidden_states_index is None:
            return shown
        text = about._get_parameter_from_args_kwargs(about.encoder_hidden_states_argument_name, args, kwargs)
        return (text, shown) if about.return_encoder_hidden_states_index == 0 else (shown, text)

    return block.register_forward_hook(hook, with_kwargs=True)


def _perturbed(module: Any, active: Any) -> list[Any]:
    """Hooks by which self-attention gives each place its own value: what goes into the last projection is what came out
    of that of the values, for the picture and, where both attend together, for the prompt."""
    if getattr(module, "is_cross_attention", False) or not hasattr(module, "to_v"):
        return []
    outs = getattr(module, "to_out", None)
    pairs = (
        (module.to_v, outs[0] if outs else None),
        (getattr(module, "add_v_proj", None), getattr(module, "to_add_out", None)),
    )
    return [
        hook for value, out in pairs if value is not None and out is not None for hook in _short(value, out, active)
    ]


def _short(value: nn.Module, out: nn.Module, active: Any) -> list[Any]:
    kept: list[Tensor] = []

    def keep(module: nn.Module, args: Any, output: Tensor) -> None:
        if active():
            kept[:] = [output]

    def give(module: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        return (kept.pop(), *args[1:]) if active() and kept else None

    return [value.register_forward_hook(keep), out.register_forward_pre_hook(give)]
