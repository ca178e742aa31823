"""Tensors that are views of mapped files: have the disk read them ahead of their first use."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from functools import cache
from mmap import PAGESIZE
from pathlib import Path

from torch import Tensor

MADV_WILLNEED = 3  # on Linux and macOS alike
CHUNK = 524_288
"""Bytes asked for in one call: Linux reads no more than what a device takes at once, often about a megabyte."""

PROBED = 8 * 2**20
"""Bytes between the places at which `in_cache` looks."""


def in_cache(path: Path) -> bool:
    """Whether the system holds the file in its cache, as far as a look every few megabytes tells; False where it says
    nothing (only Linux does), or cannot be asked of this file.
    """
    nowait = getattr(os, "RWF_NOWAIT", None)
    if nowait is None:
        return False
    probe = [bytearray(1)]
    try:
        with path.open("rb") as file:
            descriptor, size = file.fileno(), os.stat(path).st_size
            return all(os.preadv(descriptor, probe, at, nowait) for at in (*range(0, size, PROBED), max(0, size - 1)))
    except OSError:  # BlockingIOError: it would have to be read; others: the file system has no such answer
        return False


def read_ahead(tensor: Tensor) -> None:
    """Ask the system to read the pages of `tensor` now, where it can be asked.

    What is read stays in the system's cache and is not counted as this process's memory until it is used: of a text
    encoder's table of words, a prompt uses a few rows, and a text to a picture no encoder of pictures.
    """
    advise = _madvise()
    if advise is None:
        return
    first, end = tensor.data_ptr(), tensor.data_ptr() + tensor.nbytes
    for address in range(first - first % CHUNK, end, CHUNK):
        begin = max(address, first - first % PAGESIZE)
        advise(begin, min(address + CHUNK, end) - begin, MADV_WILLNEED)


@cache
def _madvise() -> Callable[[int, int, int], int] | None:
    try:
        advise = ctypes.CDLL(None).madvise
    except (OSError, TypeError, AttributeError):  # TypeError: Windows has no name for "this process"
        return None
    advise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    return advise
