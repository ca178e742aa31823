"""The second tier: one file for each key, which survives restarts and may be shared by processes and machines.

A file is written under a temporary name and renamed, so a reader sees it whole or not at all; it begins with a digest
of itself, so one that was damaged is a miss. The file's modification time is its last use. All are in one folder: file
systems find names in it by their hash, and the first file in a new folder costs five times what a file does. What else
lies in the folder is not touched.
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..codec import Codec, Damaged

Outputs = Mapping[str, Any]
ENTRY = re.compile("[0-9a-f]{32}")
"""How the name of an entry begins: with the key of a call."""
PART = ".nodegraph-"
"""How the name of a temporary file begins."""
RECOUNT = 16
"""The folder is counted, and trimmed if need be, each time this part of its limit was written."""
STALE = 3600.0
"""Seconds after which a temporary file was left by a process that died."""


class Disk:
    """Outputs by key in a folder.

    Args:
        folder: Made when first written to.
        codec: Turns outputs into bytes.
        limit: Bytes to keep at most; the least recently used go first.
        worth: Seconds that outputs must have taken to be worth keeping: reading them back is not free either.
    """

    def __init__(self, folder: Path, codec: Codec, limit: int = 20 * 2**30, worth: float = 0.02) -> None:
        self.folder, self.codec, self.limit, self.worth = folder, codec, limit, worth
        self._place = f"{folder}/"
        self._lock = threading.Lock()
        self._unseen = limit  # bytes written since the folder was last counted; others may have written as well

    def path(self, key: str) -> Path:
        return self.folder / key

    def __contains__(self, key: str) -> bool:
        return os.path.exists(f"{self._place}{key}")  # asked for every node of a run

    def get(self, key: str) -> Outputs | None:
        """The outputs, or None for a miss. A damaged entry is removed."""
        path = self.path(key)
        try:
            data = path.read_bytes()
        except OSError:
            return None
        try:
            outputs: Outputs = self.codec.decode(data)
        except Damaged:
            with contextlib.suppress(OSError):
                path.unlink()
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        return outputs

    def put(self, key: str, outputs: Outputs, replace: bool = False) -> None:
        """Keep `outputs`; what is there already stays, unless `replace`.

        Raises `Unencodable`, or `OSError` when the disk refuses.
        """
        path = self.path(key)
        if not replace and path.exists():
            return
        data = self.codec.encode(dict(outputs))
        self.folder.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=self.folder, prefix=PART)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
        with self._lock:
            self._unseen += len(data)
            count = self._unseen > self.limit // RECOUNT
            self._unseen = 0 if count else self._unseen
        if count and self.size() > self.limit * (RECOUNT - 1) // RECOUNT:
            self.trim(self.limit * 9 // 10)

    def remove(self, key: str) -> None:
        """Forget the outputs, if they are there."""
        with contextlib.suppress(OSError):
            self.path(key).unlink()

    def entries(self) -> Iterator[tuple[Path, os.stat_result]]:
        """Every entry with what the file system says of it. Skips what another process removes meanwhile."""
        if not self.folder.is_dir():
            return
        for path in self.folder.iterdir():
            with contextlib.suppress(OSError):
                stat = path.stat()
                if ENTRY.match(path.name):
                    yield path, stat
                elif path.name.startswith(PART) and time.time() - stat.st_mtime > STALE:
                    path.unlink()

    def size(self) -> int:
        """Bytes of all entries."""
        return sum(stat.st_size for _, stat in self.entries())

    def trim(self, limit: int) -> int:
        """Remove the least recently used entries until at most `limit` bytes are left. Returns the bytes removed."""
        found = sorted(self.entries(), key=lambda entry: entry[1].st_mtime)
        left = sum(stat.st_size for _, stat in found)
        removed = 0
        for path, stat in found:
            if left - removed <= limit:
                break
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
            removed += stat.st_size
        return removed
