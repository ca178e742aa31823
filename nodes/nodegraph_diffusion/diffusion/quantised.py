"""Weights of few bits: GGUF's blocks, which stay as they are while they are used, and float8 with scales.

diffusers computes with GGUF's blocks: each linear layer makes its weights anew for the length of a call, or multiplies
with the blocks themselves where a kernel for CUDA is there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..checkpoint import ModelError
from ..checkpoint.gguf import PLAIN
from ..checkpoint.header import QUANTISED, Header

NEEDS = "needs the package gguf: pip install nodegraph[gguf]"
EIGHT = (torch.float8_e4m3fn, torch.float8_e5m2)
SCALES = re.compile(r"(.*)\.(scale_weight|weight_scale)$")
BESIDE = re.compile(r"(^|.*\.)(scaled_fp8|scale_input|input_scale|comfy_quant)$")
"""What ComfyUI's users pack beside weights, and what computing in full precision does not need."""


def read_blocks(path: Path, header: Header, prefixes: tuple[str, ...]) -> dict[str, Tensor]:
    """The tensors of a GGUF file as views of the mapped file, quantised ones in their blocks.

    Raises:
        ModelError: The package is missing that knows the blocks.
    """
    try:
        from diffusers.quantizers.gguf.utils import GGUFParameter, dequantize_gguf_tensor
        from gguf import GGMLQuantizationType
    except ImportError as error:
        raise ModelError(f"{path}: {NEEDS}") from error
    data = np.memmap(path, np.uint8, mode="c")  # copied where it is written to, which it never is
    plain = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
    found: dict[str, Tensor] = {}
    for name, tensor in header.under(*prefixes).items():
        stored = torch.from_numpy(data[tensor.start : tensor.start + tensor.bytes])
        if tensor.dtype in PLAIN:
            if stored.data_ptr() % PLAIN[tensor.dtype]:
                stored = stored.clone()
            found[name] = stored.view(plain[tensor.dtype]).reshape(tensor.shape)
        else:
            kind = GGMLQuantizationType[tensor.dtype]
            weights, length = QUANTISED[tensor.dtype]
            if tensor.shape[-1] % weights:  # its rows are no whole blocks, so they cannot stay in them
                plainly = dequantize_gguf_tensor(GGUFParameter(stored.reshape(-1, length), quant_type=kind))
                found[name] = plainly.reshape(tensor.shape)
            else:
                found[name] = GGUFParameter(stored.reshape(*tensor.shape[:-1], -1), quant_type=kind)
    return found


def is_blocks(value: Tensor) -> bool:
    """Whether a tensor holds GGUF's blocks."""
    return hasattr(value, "quant_type")


def shape_of(value: Tensor) -> tuple[int, ...]:
    """The shape of the weights that a tensor stands for."""
    return tuple(value.quant_shape if is_blocks(value) else value.shape)  # type: ignore[attr-defined]


def prepare(module: nn.Module, weights: Mapping[str, Tensor], dtype: torch.dtype) -> dict[str, Tensor]:
    """Make the layers of `module` ready for blocks, and give plain weights for what cannot have them."""
    if not any(is_blocks(value) for value in weights.values()):
        return dict(weights)
    from diffusers.quantizers.gguf.utils import GGUFLinear, _replace_with_gguf_linear, dequantize_gguf_tensor

    _replace_with_gguf_linear(module, dtype, weights)
    linear = {f"{name}.weight" for name, layer in module.named_modules() if isinstance(layer, GGUFLinear)}
    return {
        name: dequantize_gguf_tensor(value) if is_blocks(value) and name not in linear else value
        for name, value in weights.items()
    }


def rescaled(path: Path, weights: Mapping[str, Tensor], dtype: torch.dtype) -> dict[str, Tensor]:
    """Float8 weights in another dtype, with the scales that stand beside them.

    Raises:
        ModelError: They are packed in another way.
    """
    scales = {match[1]: value for name, value in weights.items() if (match := SCALES.match(name))}
    made: dict[str, Tensor] = {}
    for name, value in weights.items():
        if SCALES.match(name) or BESIDE.match(name):
            continue
        scale = scales.get(name.removesuffix(".weight")) if name.endswith(".weight") else None
        if scale is not None and value.dtype not in EIGHT:
            what = f"{name!r} is {value.dtype} with a scale beside it, needed float8"
            raise ModelError(f"{path}: {what}. Get a version in float8, bfloat16 or GGUF")
        if value.dtype in EIGHT:
            wide = value.to(torch.float32)
            made[name] = (wide if scale is None else wide * _by_row(scale.float(), wide)).to(dtype)
        else:
            made[name] = value
    return made


def _by_row(scale: Tensor, weight: Tensor) -> Tensor:
    """One scale for all, or one for each row."""
    return scale if scale.numel() == 1 else scale.reshape(-1, *[1] * (weight.ndim - 1))


def place(module: nn.Module, name: str, value: Tensor, device: Any) -> None:
    """Give a layer its blocks, whose shape in memory is not that of its weights."""
    owner, _, kind = name.rpartition(".")
    module.get_submodule(owner)._parameters[kind] = value.to(device)  # type: ignore[assignment]
