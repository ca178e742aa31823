"""IP-Adapters (Ye et al. 2023, arXiv:2308.06721) beside a network, never in it.

While one is applied, layers attend with the same queries to a picture too: each of a UNet's cross-attention, where
what that gives is added before the layer's last projection, and each of Flux's double blocks, where it is added to the
block's output. The network's processors and weights are not touched.
"""

from __future__ import annotations

import re
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
from ..checkpoint.ip_adapters import FLUX
from .control import Acting
from .denoiser import Pair, Prompt

KeyValue = tuple[Tensor, Tensor]
"""Keys and values (1, T, width of the layer)."""


OWN = "Use one that was made for it"


@dataclass(frozen=True, slots=True, eq=False)
class Linear:
    """A layer's matrix (width of the layer, width of a token) that gives keys or values, and its bias, if any."""

    weight: Tensor
    bias: Tensor | None


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """An IP-Adapter as its file has it.

    Args:
        projection: From what an image encoder sees to tokens like those of a prompt.
        layers: What gives keys and values, in the order of the network's layers.
    """

    projection: nn.Module
    layers: Sequence[tuple[Linear, Linear]]


PICTURE = ("image_proj.", FLUX)
LAYER = re.compile(
    r"(ip_adapter|double_blocks)\.(?P<number>\d+)\.(to_|processor\.ip_adapter_double_stream_)k(_ip|_proj)\.weight"
)


def read(path: Path, dtype: torch.dtype, device: torch.device) -> Weights:
    """The weights of an IP-Adapter. Raises `ModelError` where tensors are missing or of another shape."""
    from diffusers.loaders.transformer_flux import FluxTransformer2DLoadersMixin
    from diffusers.loaders.unet import UNet2DConditionLoadersMixin

    state = load_file(path)
    picture = {n.removeprefix(p): v for n, v in state.items() for p in PICTURE if n.startswith(p)}
    flux = any(name.startswith(FLUX) for name in state)
    names = {int(match["number"]): name for name in state if (match := LAYER.fullmatch(name))}

    def linear(name: str) -> Linear:
        bias = state.get(name.replace(".weight", ".bias"))
        return Linear(state[name].to(device, dtype), None if bias is None else bias.to(device, dtype))

    try:
        # They are functions of their arguments alone: what they are called on plays no part.
        owner: Any = FluxTransformer2DLoadersMixin if flux else UNet2DConditionLoadersMixin
        projection = owner._convert_ip_adapter_image_proj_to_diffusers(None, picture, low_cpu_mem_usage=False)
        layers = [
            (linear(names[n]), linear(names[n].replace("k_ip", "v_ip").replace("k_proj", "v_proj")))
            for n in sorted(names)
        ]
    except (KeyError, RuntimeError, AttributeError) as error:
        text = " ".join(str(error).split())
        raise ModelError(f"{path}: is no whole IP-Adapter ({text}). Get the file again") from error
    return Weights(projection.eval().requires_grad_(False).to(device, dtype), layers)


@dataclass(frozen=True, slots=True, eq=False)
class Shown(Acting):
    """A picture as each layer attends to it, for the positive and for the negative side; with a mask (1, H, W) as much
    as that says where."""

    positive: Sequence[KeyValue]
    negative: Sequence[KeyValue]
    strength: float
    mask: Tensor | None = None


@torch.no_grad()
def shown(
    weights: Weights,
    seen: Tensor,
    unseen: Tensor,
    strength: float,
    start: float,
    end: float,
    mask: Tensor | None = None,
) -> Shown:
    """What an image encoder sees (N, T, D) in N pictures, and in none, brought to a network's layers."""

    def pairs(given: Tensor) -> list[KeyValue]:
        like = next(weights.projection.parameters())
        given = given.to(like)
        tokens = weights.projection(given.squeeze(1) if given.shape[1] == 1 else given)
        tokens = tokens.reshape(1, -1, tokens.shape[-1])
        return [
            (functional.linear(tokens, key.weight, key.bias), functional.linear(tokens, value.weight, value.bias))
            for key, value in weights.layers
        ]

    return Shown(start, end, pairs(seen), pairs(unseen), strength, mask)


@dataclass(slots=True)
class Attended:
    """What layers attend to, beside the prompt, in the call that runs."""

    pictures: Sequence[Shown]
    now: Sequence[tuple[Sequence[KeyValue], float, Tensor | None]] = ()

    @contextmanager
    def during(self, prompt: Prompt, batch: int, done: float, share: float) -> Iterator[None]:
        """The length of a call about `batch` latents, on a step that begins when the part `done` of all is done."""
        self.now = [
            (_sides(each, prompt, batch), each.strength, each.mask) for each in self.pictures if each.acts(done, share)
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
    """`network`, a UNet or Flux's transformer, which attends to pictures too, for the thread that enters the block.

    Args:
        names: Of the adapters, for errors.
    Raises:
        ModelError: An adapter is for a network with more or fewer layers, or of other widths.
    """
    blocks: list[Any] = list(getattr(network, "transformer_blocks", ()))
    layers: list[Any] = [block.attn for block in blocks] or [
        module for name, module in network.named_modules() if name.endswith("attn2")
    ]
    for name, picture in zip(names, pictures, strict=False):
        if len(layers) != len(picture.positive):
            own = f"{len(picture.positive)} layers that attend to pictures"
            raise ModelError(f"{name}: is an IP-Adapter for {own}, but this model has {len(layers)}. {OWN}")
        for layer, (key, _) in zip(layers, picture.positive, strict=True):
            if (width := layer.to_q.weight.shape[0]) != key.shape[2]:
                own = f"layers of width {key.shape[2]}"
                raise ModelError(f"{name}: is an IP-Adapter for {own}, but this model has one of {width}. {OWN}")
    state = Attended(pictures)
    me = threading.get_ident()
    handles: list[Any] = []
    try:
        for index, layer in enumerate(layers if pictures else ()):
            handles += _hooks(layer, blocks[index] if blocks else None, index, state, me)
        yield state
    finally:
        for handle in handles:
            handle.remove()


def _hooks(layer: Any, block: Any | None, index: int, state: Attended, me: int) -> list[Any]:
    queries: list[Tensor] = []

    def keep(module: nn.Module, args: Any, query: Tensor) -> None:
        if threading.get_ident() == me and state.now:
            queries[:] = [query.flatten(2)]

    def added(out: Tensor) -> Tensor:
        query = queries.pop()
        for pairs, strength, mask in state.now:
            key, value = pairs[index]
            seen = _attention(query, key, value, layer.heads)
            out = out + strength * (seen if mask is None else seen * _placed(mask, seen))
        return out

    def before(module: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        if threading.get_ident() != me or not queries:  # the module is shared with a run without the adapter
            return None
        return (added(args[0]), *args[1:])

    def after(module: nn.Module, args: Any, output: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor] | None:
        if threading.get_ident() != me or not queries:
            return None
        return output[0], added(output[1])

    if block is not None:
        return [layer.norm_q.register_forward_hook(keep), block.register_forward_hook(after)]
    return [layer.to_q.register_forward_hook(keep), layer.to_out[0].register_forward_pre_hook(before)]


def _placed(mask: Tensor, places: Tensor) -> Tensor:
    """A mask (1, H, W) over the places (B, places, width) of a layer, which lie in rows of its proportions."""
    from diffusers.image_processor import IPAdapterMaskProcessor

    found: Tensor = IPAdapterMaskProcessor.downsample(mask, *places.shape)
    return found.to(places)


def _attention(query: Tensor, key: Tensor, value: Tensor, heads: int) -> Tensor:
    """(B, places, width), from keys and values (B, T, width)."""

    def split(of: Tensor) -> Tensor:
        return of.reshape(*of.shape[:2], heads, -1).transpose(1, 2)

    out = functional.scaled_dot_product_attention(split(query), split(key), split(value))
    return out.transpose(1, 2).reshape(query.shape)
