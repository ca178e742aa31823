"""Stored workflows with all their versions, and the index of uploads."""

from __future__ import annotations

import time
from typing import NamedTuple

from .database import Database


class Stored(NamedTuple):
    """One version of a stored workflow. `document` is JSON."""

    name: str
    version: int
    document: str
    created: float


class Upload(NamedTuple):
    """A picture that was sent to us, by the digest of its content."""

    name: str
    width: int
    height: int
    bytes: int
    created: float


class Library:
    """Workflows and uploads in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, name: str, document: str) -> int:
        """Store a new version. The same document as the latest stays that version."""
        with self._database.transaction():
            latest = self.get(name)
            if latest is not None and latest.document == document:
                return latest.version
            row = self._database.row("SELECT coalesce(max(version), 0) + 1 FROM workflows WHERE name = ?", (name,))
            assert row is not None
            values = (name, row[0], document, time.time())
            self._database.run("INSERT INTO workflows VALUES (?, ?, ?, ?)", values)
            return int(row[0])

    def get(self, name: str, version: int | None = None) -> Stored | None:
        sql = "SELECT name, version, document, created FROM workflows WHERE name = ?"
        if version is None:
            row = self._database.row(f"{sql} ORDER BY version DESC LIMIT 1", (name,))
        else:
            row = self._database.row(f"{sql} AND version = ?", (name, version))
        return None if row is None else Stored(*row)

    def latest(self) -> list[Stored]:
        """The latest version of every workflow, by name."""
        rows = self._database.rows(
            "SELECT name, version, document, created FROM workflows AS w WHERE version = "
            "(SELECT max(version) FROM workflows WHERE name = w.name) ORDER BY name"
        )
        return [Stored(*row) for row in rows]

    def versions(self, name: str) -> list[tuple[int, float]]:
        """Number and time of every version, newest first."""
        sql = "SELECT version, created FROM workflows WHERE name = ? ORDER BY version DESC"
        return [(row["version"], row["created"]) for row in self._database.rows(sql, (name,))]

    def remove(self, name: str) -> bool:
        return self._database.run("DELETE FROM workflows WHERE name = ?", (name,)).rowcount > 0

    def add_upload(self, upload: Upload) -> None:
        self._database.run("INSERT OR IGNORE INTO uploads VALUES (?, ?, ?, ?, ?)", upload)

    def upload(self, name: str) -> Upload | None:
        row = self._database.row("SELECT name, width, height, bytes, created FROM uploads WHERE name = ?", (name,))
        return None if row is None else Upload(*row)
