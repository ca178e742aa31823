"""LoRAs (Hu et al. 2021, arXiv:2106.09685) beside the weights they change, never in them.

While a LoRA is applied, each layer it changes adds `strength * alpha / rank * up(down(x))` to its output. The layer's
weights are not touched, so the model without it is the same to the bit, and several LoRAs are a sum.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from ..checkpoint import ModelError
from ..checkpoint.adapters import LOW_RANK, part_of


@dataclass(frozen=True, slots=True, eq=False)
class LowRank:
    """The change of one module, as its file has it."""

    module: str
    down: Tensor
    up: Tensor
    scale: float


Parts = Mapping[str, Sequence[LowRank]]
"""The changes of a model by part: "denoiser", "text_encoder", "text_encoder_2"."""


def read(path: Path, dtype: torch.dtype, device: torch.device) -> Parts:
    """The changes that a LoRA holds. Raises `ModelError` where one side of a pair is missing."""
    found: dict[str, dict[str, Tensor]] = {}
    for name, value in load_file(path).items():
        if match := LOW_RANK.match(name):
            side = {"down": "down", "A": "down", "up": "up", "B": "up"}.get(match["side"] or "", "alpha")
            found.setdefault(match["module"] or match["other"], {})[side] = value
    parts: dict[str, list[LowRank]] = {}
    for module, sides in found.items():
        if "down" not in sides or "up" not in sides:
            raise ModelError(f"{path}: has only one half of the change of {module!r}. Get the file again")
        down, up = (sides[side].to(device, dtype) for side in ("down", "up"))
        scale = float(sides["alpha"]) / down.shape[0] if "alpha" in sides else 1.0
        part, name = part_of(module)
        parts.setdefault(part, []).append(LowRank(name, down, up, scale))
    return parts


def size(parts: Parts) -> int:
    """Bytes."""
    return sum(change.down.nbytes + change.up.nbytes for changes in parts.values() for change in changes)


Adapted = Callable[[str], Sequence[str]]


@contextmanager
def applied(
    module: nn.Module, loras: Sequence[tuple[str, Sequence[LowRank], float]], adapted: Adapted = lambda name: ()
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
    lora: str, layers: Sequence[nn.Module], names: Sequence[str], change: LowRank, strength: float, me: int
) -> list[Any]:
    """Hooks on each layer that a change belongs to; of a fused one each takes its own rows."""
    handles, row = [], 0
    for layer, name in zip(layers, names, strict=True):
        weight = getattr(layer, "weight", None)
        if not isinstance(weight, Tensor) or weight.ndim not in (2, 4):
            raise ModelError(f"{lora}: changes {name!r}, which is no linear or convolutional layer here")
        rows = weight.shape[0] if len(layers) > 1 else change.up.shape[0]
        up = change.up[row : row + rows]
        row += rows
        inner = change.down.shape[1]
        if up.shape[0] != weight.shape[0] or inner != weight.shape[1]:
            raise ModelError(
                f"{lora}: changes {name!r} from {inner} to {up.shape[0]} channels, but this model's has "
                f"{weight.shape[1]} to {weight.shape[0]}. It is for another model"
            )
        handles.append(layer.register_forward_hook(_added(change.down, up, change.scale * strength, me)))
    return handles


def _added(down: Tensor, up: Tensor, scale: float, me: int) -> Callable[[nn.Module, Any, Tensor], Tensor | None]:
    def hook(layer: nn.Module, args: Any, output: Tensor) -> Tensor | None:
        if threading.get_ident() != me:  # the module is shared with a run that does not have this LoRA
            return None
        x = args[0]
        if isinstance(layer, nn.Conv2d):
            small = functional.conv2d(x, _kernel(down), None, layer.stride, layer.padding, layer.dilation)
            return output + scale * functional.conv2d(small, _kernel(up))
        return output + scale * functional.linear(functional.linear(x, down.flatten(1)), up.flatten(1))

    return hook


def _kernel(weight: Tensor) -> Tensor:
    return weight if weight.ndim == 4 else weight[:, :, None, None]
