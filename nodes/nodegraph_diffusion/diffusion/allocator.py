"""Keep the C library from giving memory back after every operation, and have large tensors lie in large pages.

A denoiser's intermediate results are large tensors, which glibc maps from the kernel one by one and unmaps when they
are dropped; each page of the next one is then zeroed by the kernel again on first touch. See `docs/decisions/`.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterator

M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3
M_MMAP_MAX = -4
M_ARENA_MAX = -8

MAPPED = 2**26
"""Bytes. From this size on `give_back_at_once` maps a tensor on its own."""
MAPPINGS = 2**16
"""At most so many at a time: glibc's own number."""
_is_tuned = False


def tune_allocator() -> bool:
    """Have glibc serve all memory from one heap that it never shrinks by itself, for this process from now on.

    Freed memory stays with the process until `release_memory`. Results do not change. True if it took effect; where the
    C library is not glibc nothing happens. Tensors of 2 MiB and more are laid out for pages of that size (Linux), if
    torch was not imported before: it reads the setting once.
    """
    if "torch" not in sys.modules:
        os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    global _is_tuned
    settings = ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, -1), (M_ARENA_MAX, 1))
    libc = _glibc()
    _is_tuned = libc is not None and all(libc.mallopt(name, value) == 1 for name, value in settings)
    return _is_tuned


@contextlib.contextmanager
def give_back_at_once() -> Iterator[None]:
    """Give back what was freed before; within, a tensor of `MAPPED` bytes is mapped by itself, unmapped when dropped.

    For work whose tensors grow as it goes on, like decoding: what is left of the smaller ones fits none of the larger
    and would come on top. Before and after, the heap of `tune_allocator` serves everything; without it nothing changes.
    """
    libc = _glibc()
    if libc is None or not _is_tuned:
        yield
        return
    release_memory()
    libc.mallopt(M_MMAP_THRESHOLD, MAPPED)
    libc.mallopt(M_MMAP_MAX, MAPPINGS)
    try:
        yield
    finally:
        libc.mallopt(M_MMAP_MAX, 0)


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
