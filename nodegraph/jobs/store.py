"""The data folder: one database, and the files beside it."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

from .database import Database
from .gallery import Gallery
from .job import Result
from .journal import Journal
from .library import Library
from .queue import Queue
from .sweeps import Sweeps


class FolderInUse(RuntimeError):
    """Another process has the data folder open."""


class Store:
    """Everything durable of one service.

    Args:
        folder: Made where there is none. One process at a time may have it open.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.results, self.uploads, self.cache = (self.folder / n for n in ("results", "uploads", "cache"))
        for made in (self.folder, self.results, self.uploads):
            made.mkdir(parents=True, exist_ok=True)
        self._lock = (self.folder / "lock").open("a")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.close()
            message = f"{str(self.folder)!r} is in use by another server; stop it, or choose another folder with --data"
            raise FolderInUse(message) from None
        self.database = Database(self.folder / "nodegraph.db")
        self.queue = Queue(self.database)
        self.journal = Journal(self.database)
        self.gallery = Gallery(self.database)
        self.library = Library(self.database)
        self.sweeps = Sweeps(self.database)
        self.paused = self.setting("paused") == "yes"

    def pause(self, paused: bool) -> None:
        """Remember whether jobs are to be begun, also over a restart."""
        self.set("paused", "yes" if paused else "no")
        self.paused = paused

    def setting(self, name: str) -> str | None:
        row = self.database.row("SELECT value FROM settings WHERE name = ?", (name,))
        return None if row is None else str(row[0])

    def set(self, name: str, value: str) -> None:
        self.database.run("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, value))

    def output(self, job: str) -> Path:
        """Where a job's files go."""
        return self.results / job

    def thumbnail(self, result: Result) -> Path:
        return self.results / f"{result.file}.thumbnail.webp"

    def sweep(self, job: str) -> None:
        """Remove what an interrupted run of a job wrote and nobody recorded."""
        folder = self.output(job)
        known = self.gallery.files(job)
        kept = known | {f"{file}.thumbnail.webp" for file in known}
        with contextlib.suppress(FileNotFoundError):
            for entry in os.scandir(folder):
                if f"{job}/{entry.name}" not in kept:
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(entry.path)

    def discard(self, result: Result) -> None:
        """Remove a result and its files."""
        self.gallery.remove(result.id)
        (self.results / result.file).unlink(missing_ok=True)
        self.thumbnail(result).unlink(missing_ok=True)

    def close(self) -> None:
        self.database.close()
        self._lock.close()
