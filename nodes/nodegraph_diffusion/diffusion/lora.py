"""LoRAs (Hu et al. 2021, arXiv:2106.09685) and their kin beside the weights they change, never in them.

While one is applied, each layer it changes adds `strength * change(x)` to its output, where the change is

- of a LoRA `alpha / rank * up(down(x))`;
- of a DoRA (Liu et al. 2024, arXiv:2402.09353) what the layer gives with such a change and its weights brought to a
  magnitude of their own, less what it gives without;
- of a LoHa (Hyeon-Woo et al. 2021, arXiv:2108.06098) and a LoKr (Yeh et al. 2023, arXiv:2309.14859) a matrix that is
  the product, place by place or of Kronecker, of two small ones;
- of an OFT (Qiu et al. 2023, arXiv:2306.07280) what the layer gives without its bias, turned by small blocks of
  channels, less what it gives as it is.

Those of convolutions may be thin matrices around a core, which has the kernel (Tucker's decomposition).

The layer's weights are not touched, so the model without it is the same to the bit, and several are a sum.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from ..checkpoint import ModelError
from ..checkpoint.adapters import part_of, piece_of
from .quantised import EIGHT, is_blocks, shape_of


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """The change of one module, as its file has it: its pieces by name, see `checkpoint.adapters.piece_of`."""

    module: str
    pieces: Mapping[str, Tensor]
    scale: float
    """Of an OFT, how far its turns may go in all; 0 is any."""

    @property
    def low_rank(self) -> bool:
        """Whether it is two thin matrices, and not a whole one that is made of its pieces."""
        return "down" in self.pieces and "mid" not in self.pieces

    def whole(self) -> Tensor:
        """The change of the weights, rows first; (rows, columns) also for convolutions."""
        made = self.pieces
        if self.low_rank:
            return self.scale * (made["up"].flatten(1) @ made["down"].flatten(1))
        if "mid" in made:
            return self.scale * _around(made["mid"], made["up"].flatten(1), made["down"].flatten(1))
        if "hada_t1" in made:  # with a core its first matrix lies the other way
            one, other = (_around(made[f"hada_t{i}"], made[f"hada_w{i}_a"].T, made[f"hada_w{i}_b"]) for i in (1, 2))
            return self.scale * one * other
        if "hada_w1_a" in made:
            one, other = (made[f"hada_w{i}_a"] @ made[f"hada_w{i}_b"] for i in (1, 2))
            return self.scale * one * other
        left = made["lokr_w1"] if "lokr_w1" in made else made["lokr_w1_a"] @ made["lokr_w1_b"]
        if "lokr_t2" in made:
            right = _around(made["lokr_t2"], made["lokr_w2_a"].T, made["lokr_w2_b"])
        else:
            right = made["lokr_w2"] if "lokr_w2" in made else made["lokr_w2_a"] @ made["lokr_w2_b"]
        left = left.reshape(*left.shape, *[1] * (right.ndim - left.ndim))
        return self.scale * torch.kron(left, right.contiguous())


def _around(core: Tensor, up: Tensor, down: Tensor) -> Tensor:
    """The kernel (rows, columns, height, width) of three convolutions, of which the middle one has the size."""
    return torch.einsum("oi...,po,ic->pc...", core, up, down)


Parts = Mapping[str, Sequence[Change]]
"""The changes of a model by part: "denoiser", "text_encoder", "text_encoder_2"."""
WHOLE: tuple[tuple[str, ...], ...] = (
    ("oft_blocks",),
    ("down", "up"),
    ("down", "mid", "up"),
    ("hada_t1", "hada_w1_a", "hada_w1_b", "hada_t2", "hada_w2_a", "hada_w2_b"),
    ("lokr_w1", "lokr_t2", "lokr_w2_a", "lokr_w2_b"),
    ("lokr_w1_a", "lokr_w1_b", "lokr_t2", "lokr_w2_a", "lokr_w2_b"),
    ("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b"),
    ("lokr_w1", "lokr_w2"),
    ("lokr_w1_a", "lokr_w1_b", "lokr_w2"),
    ("lokr_w1", "lokr_w2_a", "lokr_w2_b"),
    ("lokr_w1_a", "lokr_w1_b", "lokr_w2_a", "lokr_w2_b"),
)
"""The pieces that make a change."""


def read(path: Path, dtype: torch.dtype, device: torch.device) -> Parts:
    """The changes that a LoRA holds. Raises `ModelError` where a piece of one is missing."""
    found: dict[str, dict[str, Tensor]] = {}
    for name, value in load_file(path).items():
        if piece := piece_of(name):
            by_row = "lora_magnitude_vector" in name  # peft's; of a convolution it lies in the second dimension
            found.setdefault(piece[0], {})[piece[1]] = value.flatten() if by_row else value
    parts: dict[str, list[Change]] = {}
    for module, pieces in found.items():
        if not any(set(whole) == pieces.keys() - {"alpha", "magnitude", "rescale"} for whole in WHOLE):
            raise ModelError(f"{path}: has only a part of the change of {module!r}. Get the file again")
        part, name = part_of(module)
        placed = {each: value.to(device, dtype) for each, value in pieces.items() if each != "alpha"}
        parts.setdefault(part, []).append(Change(name, placed, _scale(pieces)))
    return parts


def _scale(pieces: Mapping[str, Tensor]) -> float:
    """`alpha / rank`; a LoKr of two matrices without factors has none. Of an OFT it is for each row."""
    if (blocks := pieces.get("oft_blocks")) is not None:
        return float(pieces["alpha"]) * blocks.shape[0] * blocks.shape[1] if "alpha" in pieces else 0.0
    factor = next((name for name in ("down", "hada_w1_b", "lokr_w1_b", "lokr_w2_b") if name in pieces), None)
    if factor is None or "alpha" not in pieces:
        return 1.0
    return float(pieces["alpha"]) / pieces[factor].shape[0]


Adapted = Callable[[str], Sequence[str]]


@contextmanager
def applied(
    module: nn.Module, loras: Sequence[tuple[str, Sequence[Change], float]], adapted: Adapted = lambda name: ()
) -> Iterator[list[str]]:
    """`module` with LoRAs, for the thread that enters the block and for as long as it is in there.

    Args:
        loras: Name, changes and strength of each.
        adapted: The modules that one of the model's original code is, or is fused of.
    Yields:
        What the user should know: LoRAs of which a part has no place in this module.
    Raises:
        ModelError: A LoRA changes nothing of this module, or its layers are of another size.
    """
    layers = dict(module.named_modules())
    flat = {name.replace(".", "_"): name for name in layers}
    me = threading.get_ident()
    handles: list[Any] = []
    notes: list[str] = []
    try:
        for name, changes, strength in loras:
            hit = 0
            for change in changes:
                targets = _targets(change.module, layers, flat, adapted)
                hit += bool(targets)
                handles += _hook(name, [layers[t] for t in targets], targets, change, strength, me)
            if 0 < hit < len(changes):
                missed = next(c.module for c in changes if not _targets(c.module, layers, flat, adapted))
                notes.append(
                    f"{name}: {len(changes) - hit} of its {len(changes)} changes are of layers that the model has not, "
                    f"such as {missed!r}; they are left out"
                )
            if changes and not hit:
                raise ModelError(
                    f"{name}: changes none of the layers of {type(module).__name__}: it has {changes[0].module!r}. It "
                    "is for another family of models"
                )
        yield notes
    finally:
        for handle in handles:
            handle.remove()


def _targets(name: str, layers: Mapping[str, nn.Module], flat: Mapping[str, str], adapted: Adapted) -> list[str]:
    short = name.removeprefix("text_model.").removeprefix("text_model_")
    for known in (name, short, f"text_model.{short}", f"text_model_{short}"):
        if known in layers or known in flat:
            return [known if known in layers else flat[known]]
    found = [each if each in layers else flat.get(each.replace(".", "_"), "") for each in adapted(name)]
    return found if all(found) else []


def _hook(
    lora: str, layers: Sequence[nn.Module], names: Sequence[str], change: Change, strength: float, me: int
) -> list[Any]:
    """Hooks on each layer that a change belongs to; of a fused one each takes its own rows."""
    if "oft_blocks" in change.pieces:
        return [
            layer.register_forward_hook(_added(add, strength, me))
            for layer, add in zip(layers, _turns(lora, layers, names, change), strict=True)
        ]
    handles, row = [], 0
    whole = None if change.low_rank else change.whole()
    down, up = (change.pieces["down"], change.pieces["up"]) if whole is None else (None, whole)
    magnitude = change.pieces.get("magnitude")
    for layer, name in zip(layers, names, strict=True):
        weight = getattr(layer, "weight", None)
        shape = shape_of(weight) if isinstance(weight, Tensor) else ()
        if len(shape) not in (2, 4):
            raise ModelError(f"{lora}: changes {name!r}, which is no linear or convolutional layer here")
        rows = shape[0] if len(layers) > 1 else up.shape[0]
        own = up[row : row + rows]
        inner = own[0].numel() // prod(shape[2:]) if down is None else down.shape[1]
        if own.shape[0] != shape[0] or inner != shape[1]:
            raise ModelError(
                f"{lora}: changes {name!r} from {inner} to {own.shape[0]} channels, but this model's has "
                f"{shape[1]} to {shape[0]}. It is for another model"
            )
        add = _whole(own.reshape(shape)) if down is None else _thin(down, own, change.scale)
        if magnitude is not None:
            assert isinstance(weight, Tensor)
            if is_blocks(weight) or weight.dtype in EIGHT:
                raise ModelError(f"{lora}: is a DoRA, which needs the weights of {name!r} and not blocks of few bits. "
                                 "Use the model in float16")  # fmt: skip
            delta = change.whole()[row : row + rows].reshape(shape)
            size = magnitude[row : row + rows] if magnitude.shape[0] == change.whole().shape[0] else magnitude
            add = _with_magnitude(add, weight, delta, size)
        row += rows
        handles.append(layer.register_forward_hook(_added(add, strength, me)))
    return handles


Add = Callable[[nn.Module, Tensor], Tensor]
"""What a change adds to a layer's output for an input, at a strength of 1."""


def _added(add: Add, strength: float, me: int) -> Callable[[nn.Module, Any, Tensor], Tensor | None]:
    def hook(layer: nn.Module, args: Any, output: Tensor) -> Tensor | None:
        if threading.get_ident() != me:  # the module is shared with a run that does not have this LoRA
            return None
        return output + strength * add(layer, args[0])

    return hook


def _thin(down: Tensor, up: Tensor, scale: float) -> Add:
    def add(layer: nn.Module, x: Tensor) -> Tensor:
        if isinstance(layer, nn.Conv2d):
            return scale * functional.conv2d(_through(layer, x, _kernel(down)), _kernel(up))
        return scale * functional.linear(functional.linear(x, down.flatten(1)), up.flatten(1))

    return add


def _whole(delta: Tensor) -> Add:
    def add(layer: nn.Module, x: Tensor) -> Tensor:
        return _through(layer, x, delta)

    return add


def _with_magnitude(add: Add, weight: Tensor, delta: Tensor, magnitude: Tensor) -> Add:
    """Weights of a magnitude of their own: `m / |W + change| * (W + change)`, by rows or by columns as it has them."""
    by_row = magnitude.numel() == weight.shape[0] and (magnitude.ndim < 2 or magnitude.shape[0] == weight.shape[0])
    changed = weight + delta
    if not by_row:
        norm = changed.transpose(0, 1).flatten(1).norm(dim=1)
        wanted = (magnitude.flatten() / norm).reshape(1, -1, *[1] * (weight.ndim - 2))
        return _whole(changed * wanted - weight)
    ratio = magnitude.flatten() / changed.flatten(1).norm(dim=1)

    def scaled(layer: nn.Module, x: Tensor) -> Tensor:
        rows: Tensor = ratio.reshape(-1, 1, 1) if isinstance(layer, nn.Conv2d) else ratio
        return (rows - 1) * _through(layer, x, weight) + rows * add(layer, x)

    return scaled


def _turns(lora: str, layers: Sequence[nn.Module], names: Sequence[str], change: Change) -> list[Add]:
    """Of each layer, the turn of its own rows: `(1 + Q) (1 - Q)^-1` for blocks of `Q = block - block^T` (Cayley)."""
    blocks = change.pieces["oft_blocks"].float()
    skew = blocks - blocks.transpose(1, 2)
    if change.scale:
        skew = skew * min(1.0, change.scale / (float(skew.norm()) + 1e-8))
    one = torch.eye(skew.shape[1], device=skew.device)
    turns, size = (one + skew) @ torch.linalg.inv(one - skew), skew.shape[1]
    stretch = change.pieces.get("rescale")
    made, row = [], 0
    for layer, name in zip(layers, names, strict=True):
        weight = getattr(layer, "weight", None)
        rows = shape_of(weight)[0] if isinstance(weight, Tensor) else 0
        left = len(turns) * size - row
        if not rows or rows % size or rows > left or (len(layers) == 1 and rows < left):
            raise ModelError(
                f"{lora}: turns {len(turns)} blocks of {size} channels of {name!r}, which has {rows} channels here. It "
                "is for another model"
            )
        own = turns[row // size : (row + rows) // size]
        made.append(_turned(own, None if stretch is None else stretch.flatten()[row : row + rows]))
        row += rows
    return made


def _turned(turns: Tensor, stretch: Tensor | None) -> Add:
    def add(layer: nn.Module, x: Tensor) -> Tensor:
        channels = 1 if isinstance(layer, nn.Conv2d) else -1
        given: Tensor = layer.forward(x).movedim(channels, -1)  # without what other hooks add
        if layer.bias is not None:
            given = given - layer.bias
        cells = given.unflatten(-1, (-1, turns.shape[1]))
        made = torch.einsum("nij,...nj->...ni", turns.to(given), cells).flatten(-2)
        if stretch is not None:
            made = made * stretch.to(given)
        return (made - given).movedim(-1, channels)

    return add


def _through(layer: nn.Module, x: Tensor, weight: Tensor) -> Tensor:
    """What the layer would give with these weights, without its bias."""
    if isinstance(layer, nn.Conv2d):
        return functional.conv2d(x, weight, None, layer.stride, layer.padding, layer.dilation)
    return functional.linear(x, weight)


def _kernel(weight: Tensor) -> Tensor:
    return weight if weight.ndim == 4 else weight[:, :, None, None]
