"""Whether what was read of a file, or of a folder of them, still holds."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from functools import lru_cache, wraps
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from .header import ModelError

P = ParamSpec("P")
T = TypeVar("T")
KEPT = 512
RECENT = 100_000_000
"""Nanoseconds in which a file may change again without its times showing it: the clocks of file systems tick."""
Entry = tuple[str, int, int, int]
State = tuple[Entry, ...]


def state(path: Path) -> State:
    """Name, size and times of change of the file, or of all that a folder holds to a depth of two.

    Equal to an earlier one while nothing of it was changed. Never equal where something was changed just now.
    """
    now = time.time_ns()
    never = (str(path), 0, 0, now)
    try:
        found = tuple(_below(path, 2) if path.is_dir() else [_entry(path)])
    except OSError:  # who reads it says what is wrong
        return (never,)
    is_recent = now - max((changed for *_, changed in found), default=0) < RECENT
    return (*found, never) if is_recent else found


def once(read: Callable[Concatenate[Path, P], T]) -> Callable[Concatenate[Path, P], T]:
    """`read`, done once while the file or folder stays as it is: every check of a document asks, and every list that
    opens. What it refused as a model is refused again."""

    def tried(path: Path, _: State, /, *args: P.args, **kwargs: P.kwargs) -> T | ModelError:
        try:
            return read(path, *args, **kwargs)
        except ModelError as error:
            return error.with_traceback(None)

    kept: Callable[..., T | ModelError] = lru_cache(maxsize=KEPT)(tried)

    @wraps(read)
    def known(path: Path, /, *args: P.args, **kwargs: P.kwargs) -> T:
        found = kept(path, state(path), *args, **kwargs)
        if isinstance(found, ModelError):
            raise ModelError(*found.args)
        return found

    return known


def _below(folder: Path | str, depth: int) -> Iterator[Entry]:
    with os.scandir(folder) as listed:
        inside = sorted(listed, key=lambda entry: entry.name)
    for entry in inside:
        yield _entry(entry.path)
        if depth > 1 and entry.is_dir():
            yield from _below(entry.path, depth - 1)


def _entry(path: Path | str) -> Entry:
    stat = os.stat(path)
    return str(path), stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns  # a program can set the first, not the second
