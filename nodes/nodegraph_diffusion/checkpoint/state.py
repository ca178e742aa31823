"""Whether what was read of a file, or of a folder of them, still holds."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

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
