"""Networks from safetensors files: those that ship, and those that people have."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from ...checkpoint import ASSETS, ModelError
from .compact import Compact
from .foreign import load_foreign
from .span import Span
from .tiles import Network

FOLDER = ASSETS / "upscale"
SHIPPED = {
    "span": ("span_x2_ch48.fp16.safetensors", "span_x4_ch48.fp16.safetensors"),
    "realesr-anime": ("realesr-animevideov3.fp16.safetensors",),
}
"""Files in `FOLDER` by what people call the network."""


def load_network(file: Path, device: torch.device) -> Network:
    """The network in `file`, in float32: these are small, and half precision shows in dark gradients.

    Raises:
        ModelError: The file holds no network that is known, or is damaged.
    """
    if file.parent != FOLDER:
        return load_foreign(file, device)
    try:
        network = _shipped({name: value.float() for name, value in load_file(file).items()})
    except (OSError, SafetensorError, RuntimeError, KeyError, ValueError) as error:
        message = f"{file}: does not hold the network that it should ({error}). Install nodegraph anew"
        raise ModelError(message) from error
    # Convolutions on a CPU take two thirds of the time in this layout
    module: nn.Module = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    module.eval().requires_grad_(False)
    return network


def _shipped(weights: Mapping[str, Tensor]) -> Span | Compact:
    with torch.device("meta"):
        if "mean" in weights:
            made: Span | Compact = Span(math.isqrt(len(weights["up.weight"]) // 3))
        else:
            last = max((name for name in weights if name.endswith("bias")), key=lambda name: int(name.split(".")[1]))
            made = Compact(math.isqrt(len(weights[last]) // 3))
    made.load_state_dict(weights, assign=True)
    return made
