"""What this machine computes on."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from typing import Any

import torch

INSTRUCTIONS = {
    torch.bfloat16: ("avx512_bf16", "amx_bf16", "bf16"),
    torch.float16: ("avx512_fp16", "amx_fp16", "fp16_arith"),
}
"""What a processor that computes in a half type has, one of these. Names are of `torch.cpu.get_capabilities`."""


def choose_device(wanted: str = "auto") -> torch.device:
    """The device to run on: what is `wanted`, or the best there is.

    Raises:
        ValueError: This machine has no such device.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if wanted == "auto":
        wanted = next(name for name, usable in there.items() if usable)
    try:
        device = torch.device(wanted)
    except RuntimeError:
        device = torch.device("meta")
    if not there.get(device.type) or (device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count()):
        usable = ", ".join(name for name, usable in there.items() if usable)
        raise ValueError(f"no device {wanted!r} that PyTorch can use; there is {usable}. Choose 'auto' or one of these")
    return device


def choose_dtype(device: torch.device, wanted: str = "auto") -> torch.dtype:
    """The dtype to run in: what is `wanted` ("float32", "float16", "bfloat16"), or the fastest that is safe.

    On a CPU that is float32, also where a half type is wanted that the processor has no instructions for: emulated, a
    convolution of Stable Diffusion takes 180 times as long. On CUDA float16, but float32 before compute capability 7
    (float16 runs at 1/64 of the speed) and on the GTX 16 series (it gives NaN). On Apple's GPUs float16.

    Raises:
        ValueError: No such dtype.
    """
    named = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
    if wanted != "auto":
        if wanted not in named:
            raise ValueError(f"no dtype {wanted!r}; choose 'auto', {', '.join(map(repr, named))}")
        return torch.float32 if device.type == "cpu" and not computes(named[wanted]) else named[wanted]
    if device.type == "cpu":
        return torch.float32
    if device.type == "cuda":
        old = torch.cuda.get_device_capability(device) < (7, 0)
        if old or "GTX 16" in torch.cuda.get_device_name(device):
            return torch.float32
    return torch.float16


@cache
def computes(dtype: torch.dtype) -> bool:
    """Whether the processor has instructions for a dtype. PyTorch before 2.12 does not tell: then for no half type."""
    known: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return dtype not in INSTRUCTIONS or any(known.get(name) for name in INSTRUCTIONS[dtype])


def memory(device: torch.device) -> int:
    """Bytes of memory that a device has in all."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    if device.type == "mps":
        return int(torch.mps.recommended_max_memory())
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
