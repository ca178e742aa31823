"""Keep the C library from giving memory back after every operation.

A denoiser's intermediate results are large tensors, which glibc maps from the kernel one by one and unmaps when they
are dropped; each page of the next one is then zeroed by the kernel again on first touch. See `docs/decisions/`.
"""

from __future__ import annotations

import ctypes

M_TRIM_THRESHOLD = -1
M_MMAP_MAX = -4
M_ARENA_MAX = -8


def tune_allocator() -> bool:
    """Have glibc serve all memory from one heap that it never shrinks by itself, for this process from now on.

    Freed memory stays with the process until `release_memory`. Results do not change. True if it took effect; where the
    C library is not glibc nothing happens.
    """
    settings = ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, -1), (M_ARENA_MAX, 1))
    libc = _glibc()
    return libc is not None and all(libc.mallopt(name, value) == 1 for name, value in settings)


def release_memory() -> None:
    """Give the pages of freed memory back, after something large was dropped."""
    libc = _glibc()
    if libc is not None:
        libc.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    try:
        libc = ctypes.CDLL(None)
    except (OSError, TypeError):  # TypeError: Windows has no name for "this process"
        return None
    return libc if hasattr(libc, "gnu_get_libc_version") else None
