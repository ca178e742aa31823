"""IP-Adapters (Ye et al. 2023, arXiv:2308.06721) beside a UNet, never in it.

While one is applied, each layer of cross-attention attends with the same queries to a picture too, and what that gives
is added before the layer's last projection. The network's processors and weights are not touched.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from ..checkpoint import ModelError
from .control import Acting
from .denoiser import Pair, Prompt

KeyValue = tuple[Tensor, Tensor]
"""Keys and values (1, T, width of the layer)."""


OWN = "Use one that was made for it"


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """An IP-Adapter as its file has it.

    Args:
        projection: From what an image encoder sees to tokens like those of a prompt.
        layers: The matrices (width of the layer, width of a token) that give keys and values, in the order of the
            UNet's layers.
    """

    projection: nn.Module
    layers: Sequence[KeyValue]


def read(path: Path, dtype: torch.dtype, device: torch.device) -> Weights:
    """The weights of an IP-Adapter. Raises `ModelError` where tensors are missing or of another shape."""
    from diffusers.loaders.unet import UNet2DConditionLoadersMixin

    state = load_file(path)
    picture = {n.removeprefix("image_proj."): v for n, v in state.items() if n.startswith("image_proj.")}
    numbers = sorted(int(name.split(".")[1]) for name in state if name.endswith("to_k_ip.weight"))
    try:
        # It is a function of its arguments alone: what it is called on plays no part.
        convert: Any = UNet2DConditionLoadersMixin._convert_ip_adapter_image_proj_to_diffusers
        projection = convert(None, picture, low_cpu_mem_usage=False)
        layers = [
            tuple(state[f"ip_adapter.{n}.to_{kind}_ip.weight"].to(device, dtype) for kind in "kv") for n in numbers
        ]
    except (KeyError, RuntimeError) as error:
        text = " ".join(str(error).split())
        raise ModelError(f"{path}: is no whole IP-Adapter ({text}). Get the file again") from error
    return Weights(projection.eval().requires_grad_(False).to(device, dtype), [(key, value) for key, value in layers])


@dataclass(frozen=True, slots=True, eq=False)
class Shown(Acting):
    """A picture as each layer of a UNet attends to it, for the positive and for the negative side."""

    positive: Sequence[KeyValue]
    negative: Sequence[KeyValue]
    strength: float


@torch.no_grad()
def shown(weights: Weights, seen: Tensor, unseen: Tensor, strength: float, start: float, end: float) -> Shown:
    """What an image encoder sees (N, T, D) in N pictures, and in none, brought to a UNet's layers."""

    def pairs(given: Tensor) -> list[KeyValue]:
        like = next(weights.projection.parameters())
        given = given.to(like)
        tokens = weights.projection(given.squeeze(1) if given.shape[1] == 1 else given)
        tokens = tokens.reshape(1, -1, tokens.shape[-1])
        return [(functional.linear(tokens, key), functional.linear(tokens, value)) for key, value in weights.layers]

    return Shown(start, end, pairs(seen), pairs(unseen), strength)


@dataclass(slots=True)
class Attended:
    """What the layers of a UNet attend to, beside the prompt, in the call that runs."""

    pictures: Sequence[Shown]
    now: Sequence[tuple[Sequence[KeyValue], float]] = ()

    @contextmanager
    def during(self, prompt: Prompt, batch: int, done: float, share: float) -> Iterator[None]:
        """The length of a call about `batch` latents, on a step that begins when the part `done` of all is done."""
        self.now = [
            (_sides(each, prompt, batch), each.strength) for each in self.pictures if each.acts(done, share)
        ]  # fmt: skip
        try:
            yield
        finally:
            self.now = ()


def _sides(picture: Shown, prompt: Prompt, batch: int) -> list[KeyValue]:
    """Keys and values (batch, T, width) for each latent of a call, by the side of guidance that it stands for."""

    def spread(one: Tensor, other: Tensor) -> Tensor:
        if isinstance(prompt, Pair):
            return torch.cat([one.expand(batch // 2, -1, -1), other.expand(batch // 2, -1, -1)])
        return (one if prompt.negative else other).expand(batch, -1, -1)

    pairs = zip(picture.negative, picture.positive, strict=True)
    return [(spread(k, key), spread(v, value)) for (k, v), (key, value) in pairs]


@contextmanager
def attending(network: nn.Module, pictures: Sequence[Shown], names: Sequence[str] = ()) -> Iterator[Attended]:
    """`network`, whose cross-attention attends to pictures too, for the thread that enters the block.

    Args:
        names: Of the adapters, for errors.
    Raises:
        ModelError: An adapter is for a UNet with more or fewer layers, or of other widths.
    """
    layers: list[Any] = [module for name, module in network.named_modules() if name.endswith("attn2")]
    for name, picture in zip(names, pictures, strict=False):
        if len(layers) != len(picture.positive):
            own = f"{len(picture.positive)} layers of cross-attention"
            raise ModelError(f"{name}: is an IP-Adapter for a UNet with {own}, but this model has {len(layers)}. {OWN}")
        for layer, (key, _) in zip(layers, picture.positive, strict=True):
            if (width := layer.to_q.weight.shape[0]) != key.shape[2]:
                own = f"layers of width {key.shape[2]}"
                raise ModelError(f"{name}: is an IP-Adapter for {own}, but this model has one of {width}. {OWN}")
    state = Attended(pictures)
    me = threading.get_ident()
    handles: list[Any] = []
    try:
        for index, layer in enumerate(layers if pictures else ()):
            handles += _hooks(layer, index, state, me)
        yield state
    finally:
        for handle in handles:
            handle.remove()


def _hooks(layer: Any, index: int, state: Attended, me: int) -> list[Any]:
    queries: list[Tensor] = []

    def keep(module: nn.Module, args: Any, query: Tensor) -> None:
        if threading.get_ident() == me and state.now:
            queries[:] = [query]

    def add(module: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        if threading.get_ident() != me or not queries:  # the module is shared with a run without the adapter
            return None
        query, out = queries.pop(), args[0]
        for pairs, strength in state.now:
            key, value = pairs[index]
            out = out + strength * _attention(query, key, value, layer.heads)
        return (out, *args[1:])

    return [layer.to_q.register_forward_hook(keep), layer.to_out[0].register_forward_pre_hook(add)]


def _attention(query: Tensor, key: Tensor, value: Tensor, heads: int) -> Tensor:
    """(B, places, width), from keys and values (B, T, width)."""

    def split(of: Tensor) -> Tensor:
        return of.reshape(*of.shape[:2], heads, -1).transpose(1, 2)

    out = functional.scaled_dot_product_attention(split(query), split(key), split(value))
    return out.transpose(1, 2).reshape(query.shape)
