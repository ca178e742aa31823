"""One SQLite file, in WAL mode: what was committed survives the death of the process at any moment.

What is in the log goes into the file now and then, and both to the disk: some 20 ms, for which no commit should wait.
So a thread of its own does it, each second, and a loss of power takes no more than that.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .schema import STEPS

Row = sqlite3.Row
PAUSE = 1.0
"""Seconds between two looks whether something was written that the file lacks."""
LONG = 50_000
"""Pages of a log that a commit brings into the file itself, since nobody else has."""


class NewerDatabase(RuntimeError):
    """The file was written by a later version of the program."""


class Database:
    """A connection that one thread uses, and a thread that tidies up. Transactions nest: the outermost commits.

    Args:
        path: The file; made, with its folder, where there is none.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._connection = sqlite3.connect(path, isolation_level=None, timeout=10)
        self._connection.row_factory = sqlite3.Row
        self._depth = 0
        for pragma in (
            "journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON", "cache_size = -32000",
            f"wal_autocheckpoint = {LONG}",
        ):  # fmt: skip
            self._connection.execute(f"PRAGMA {pragma}")
        self._migrate()
        self._closed = threading.Event()
        self._tidier = threading.Thread(target=self._tidy, name="database", daemon=True)
        self._tidier.start()

    def _migrate(self) -> None:
        version = int(self._connection.execute("PRAGMA user_version").fetchone()[0])
        if version > len(STEPS):
            raise NewerDatabase(
                f"{str(self.path)!r} is of version {version}, and this program reads up to {len(STEPS)}; update "
                "nodegraph, or choose another data folder"
            )
        for number, step in enumerate(STEPS[version:], version + 1):
            self._connection.executescript(f"BEGIN IMMEDIATE; {step} PRAGMA user_version = {number}; COMMIT;")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of the block or nothing of it."""
        if self._depth:
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
            return
        self._connection.execute("BEGIN IMMEDIATE")
        self._depth = 1
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        else:
            self._connection.execute("COMMIT")
        finally:
            self._depth = 0

    def run(self, sql: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        return self._connection.execute(sql, values)

    def run_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        self._connection.executemany(sql, rows)

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        return self._connection.execute(sql, values).fetchall()

    def row(self, sql: str, values: Sequence[Any] = ()) -> Row | None:
        found: Row | None = self._connection.execute(sql, values).fetchone()
        return found

    def _tidy(self) -> None:
        seen = 0
        with contextlib.closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            while not self._closed.wait(PAUSE):
                with contextlib.suppress(OSError, sqlite3.Error):  # it is only tried again
                    written = os.stat(f"{self.path}-wal").st_mtime_ns
                    if written != seen:
                        connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
                        seen = written

    def close(self) -> None:
        self._closed.set()
        self._tidier.join()
        self._connection.close()
