"""GLIGEN (Li et al. 2023, arXiv:2301.07093): gated attention to phrases in boxes, between a block's two attentions.

The gates are a network's own, where it was saved with them, or stand beside it in a file; either way its modules and
weights are not touched: hooks let a block's first attention answer with what the gate makes of it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers.models.attention import BasicTransformerBlock, GatedSelfAttentionDense
from diffusers.models.embeddings import GLIGENTextBoundingboxProjection
from safetensors.torch import load_file
from torch import Tensor, nn

from ..checkpoint import ModelError
from ..checkpoint.gligen import FUSER, POSITION
from .denoiser import Ground, Pair, Prompt

MOST = 30
"""Phrases that GLIGEN was trained to read at once; places without one are filled."""


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """A GLIGEN as its file has it.

    Args:
        position: From phrases and boxes to the tokens that gates attend to.
        fusers: The tensors of each gate, by the block as the file names it.
    """

    position: nn.Module
    fusers: Mapping[str, Mapping[str, Tensor]]


def read(path: Path, dtype: torch.dtype, device: torch.device) -> Weights:
    """The weights of a GLIGEN in a file of its own. Raises `ModelError` where it is not whole."""
    position: dict[str, Tensor] = {}
    fusers: dict[str, dict[str, Tensor]] = {}
    for name, value in load_file(path).items():
        if match := FUSER.fullmatch(name):
            fusers.setdefault(match["block"], {})[match["name"]] = value.to(device, dtype)
        elif POSITION in name:
            position[name.partition(POSITION)[2]] = value.to(device, dtype)
    try:
        with torch.device("meta"):
            made = GLIGENTextBoundingboxProjection(
                len(position["null_positive_feature"]), position["linears.4.weight"].shape[0]
            )
        made.load_state_dict(position, assign=True)
    except (KeyError, RuntimeError) as error:
        raise ModelError(f"{path}: is no whole GLIGEN ({' '.join(str(error).split())}). Get the file again") from error
    return Weights(made.eval().requires_grad_(False), fusers)


@dataclass(slots=True)
class Grounded:
    """What gates attend to in the call that runs: tokens (B, 30, D), or nothing, and they are shut.

    On a step they are open for all prompts or for none, as they were in training: a prompt without phrases that act is
    given tokens that say so.
    """

    position: Any
    grounds: Sequence[Ground]
    now: Tensor | None = None

    @contextmanager
    def during(self, prompt: Prompt, batch: int, done: float, share: float) -> Iterator[None]:
        """The length of a call about `batch` latents, on a step that begins when the part `done` of all is done."""
        if any(ground.acts(done, share) for ground in self.grounds):
            tokens = self._tokens([ground for ground in prompt.grounds if ground.acts(done, share)])
            if isinstance(prompt, Pair):
                half = batch // 2
                self.now = torch.cat([self._tokens([]).expand(half, -1, -1), tokens.expand(half, -1, -1)])
            else:
                self.now = tokens.expand(batch, -1, -1)
        try:
            yield
        finally:
            self.now = None

    def _tokens(self, grounds: Sequence[Ground]) -> Tensor:
        like = self.position.null_positive_feature
        boxes, masks = like.new_zeros(1, MOST, 4), like.new_zeros(1, MOST)
        phrases = like.new_zeros(1, MOST, len(like))
        for place, ground in enumerate(grounds):
            boxes[0, place] = torch.tensor(ground.box)
            phrases[0, place] = ground.phrase[0].to(like)
            masks[0, place] = 1
        made: Tensor = self.position(boxes=boxes, masks=masks, positive_embeddings=phrases)
        return made


@contextmanager
def grounding(
    network: Any,
    grounds: Sequence[Ground],
    weights: Weights | None = None,
    name: str = "",
    adapted: Callable[[str], Sequence[str]] = lambda name: (),
) -> Iterator[Grounded]:
    """`network`, a UNet whose blocks attend to `grounds` too, for the thread that enters the block.

    Args:
        grounds: All of the run.
        weights: The gates; None takes the network's own.
        name: Of the file with the gates, for errors.
        adapted: The modules of the network, by diffusers' names, that one of the original code is.
    Raises:
        ModelError: The gates are for another network.
    """
    if not grounds:
        yield Grounded(None, ())
        return
    blocks = {path: block for path, block in network.named_modules() if isinstance(block, BasicTransformerBlock)}
    if weights is None:
        fusers: dict[str, Any] = {path: block.fuser for path, block in blocks.items()}
    else:
        fusers = {next(iter(adapted(path)), path): weights.fusers[path] for path in weights.fusers}
        if fusers.keys() != blocks.keys():
            gates = f"blocks such as {next(iter(fusers.keys() - blocks.keys()), '?')!r}, {len(fusers)} in all"
            raise ModelError(f"{name}: is a GLIGEN for {gates}, but this model has {len(blocks)}. Use one made for it")
        fusers = {path: _gate(fusers[path], blocks[path], f"{name}: {path}") for path in fusers}
    state = Grounded(network.position_net if weights is None else weights.position, grounds)
    me = threading.get_ident()
    handles: list[Any] = []
    try:
        for path, block in blocks.items():
            handles += _hooks(block, fusers[path], state, me)
        yield state
    finally:
        for handle in handles:
            handle.remove()


def _gate(tensors: Mapping[str, Tensor], block: Any, where: str) -> Any:
    """A gate of a file as a module for `block`. Raises `ModelError` where it does not fit."""
    attention = block.attn1
    width, heads = attention.to_q.weight.shape[1], attention.heads
    try:
        with torch.device("meta"):
            made = GatedSelfAttentionDense(width, tensors["linear.weight"].shape[1], heads, width // heads)
        made.load_state_dict(tensors, assign=True)
    except (KeyError, RuntimeError) as error:
        what = f"the gate does not fit a block of width {width} ({' '.join(str(error).split())})"
        raise ModelError(f"{where}: {what}. Use one made for it") from error
    made.eval().requires_grad_(False)
    return made


def _hooks(block: Any, fuser: Any, state: Grounded, me: int) -> list[Any]:
    entered: list[Tensor] = []

    def keep(module: nn.Module, args: tuple[Tensor, ...], kwargs: Mapping[str, Any]) -> None:
        if threading.get_ident() == me and state.now is not None:
            entered[:] = [args[0] if args else kwargs["hidden_states"]]

    def gated(module: nn.Module, args: Any, output: Tensor) -> Tensor | None:
        if threading.get_ident() != me or not entered:  # the module is shared with a run without boxes
            return None
        x = entered.pop()
        made: Tensor = fuser(x + output, state.now)
        return made - x  # to which the block adds x

    return [
        block.register_forward_pre_hook(keep, with_kwargs=True),
        block.attn1.register_forward_hook(gated),
    ]
