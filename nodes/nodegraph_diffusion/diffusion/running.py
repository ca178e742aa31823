"""How a loaded denoiser is run: attention, step caches, layers that come to the device as they are needed."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from .quantised import is_blocks


class UnsupportedOption(ValueError):
    """An option that this network or this machine has not. The message says which and what to do."""


def set_attention(module: Any, backend: str) -> None:
    """Have attention computed by a backend of diffusers. Raises `UnsupportedOption` where there is none such."""
    try:
        module.set_attention_backend(backend)
    except (AttributeError, ValueError, RuntimeError, ImportError) as error:
        text = " ".join(str(error).split())
        raise UnsupportedOption(f"attention {backend!r} cannot be used here ({text}); use 'auto'") from error


def enable_step_cache(module: Any, threshold: float) -> None:
    """Ask the blocks behind the first only if the first one's output has changed by more than `threshold` since they
    were asked (first block cache, from ParaAttention).

    Raises:
        UnsupportedOption: The network is of a kind that diffusers cannot cache.
    """
    from diffusers.hooks import FirstBlockCacheConfig

    try:
        module.enable_cache(FirstBlockCacheConfig(threshold=threshold))
    except (AttributeError, ValueError) as error:  # it has no blocks, or some that diffusers does not know
        raise UnsupportedOption(f"{type(module).__name__} has no step cache in diffusers; set it to 0") from error


def forget_steps(module: Any) -> None:
    """Forget what a step cache holds of the last run."""
    if getattr(module, "is_cache_enabled", False):
        module._reset_stateful_cache()


def remembering(module: Any, name: str) -> AbstractContextManager[Any]:
    """What a step cache remembers inside of the block is kept apart from what it remembers of other names."""
    if getattr(module, "is_cache_enabled", False):
        return module.cache_context(name)  # type: ignore[no-any-return]
    return nullcontext()


def keep_in_float8(module: Any, dtype: torch.dtype) -> None:
    """Keep the weights of layers in float8, and have each widened to `dtype` while it is used.

    Raises:
        UnsupportedOption: The network's weights are quantised already.
    """
    if any(is_blocks(weight) for weight in module.parameters()):
        raise UnsupportedOption("weights of a GGUF file are quantised already; set weights to 'as loaded'")
    module.enable_layerwise_casting(storage_dtype=torch.float8_e4m3fn, compute_dtype=dtype)


def compile_blocks(module: Any, device: torch.device) -> None:
    """Have the blocks that repeat compiled by PyTorch when they are first called; they share what is compiled.

    Raises:
        UnsupportedOption: There is no compiler for the device.
    """
    from torch._inductor import cpp_builder, exc
    from torch.utils._triton import has_triton

    if device.type == "cpu":
        try:
            cpp_builder.get_cpp_compiler()
        except (exc.InvalidCxxCompiler, RuntimeError, OSError) as error:
            raise UnsupportedOption(
                "compiling needs a C++ compiler (g++ or clang++); install one, or turn it off"
            ) from error
    elif not has_triton():
        raise UnsupportedOption("compiling for a graphics card needs triton; install it, or turn compile off")
    if getattr(module, "_repeated_blocks", None):
        module.compile_repeated_blocks()
    else:
        module.compile()


def offload(module: Any, device: torch.device) -> None:
    """Keep the layers in the memory of the CPU and bring each to `device` while it is used."""
    from diffusers.hooks import apply_group_offloading

    cuda = device.type == "cuda"
    apply_group_offloading(
        module, onload_device=device, offload_device=torch.device("cpu"), offload_type="leaf_level", use_stream=cuda
    )
