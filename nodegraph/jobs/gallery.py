"""The index of results: words, filters, likeness."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from .database import Database, Row
from .job import Result

NEAR = 12
"""Of 64 bits, how many may differ between pictures that look alike."""


class Saved(NamedTuple):
    """A file that a worker reports."""

    job: str
    node: str
    ordinal: int
    file: str
    name: str
    bytes: int
    width: int | None = None
    height: int | None = None
    hash: int | None = None
    prompt: str = ""
    negative: str = ""
    seed: int | None = None
    model: str = ""
    workflow: str = ""


class Search(NamedTuple):
    """Which results. `words` may be the beginnings of words; all must occur."""

    words: str = ""
    model: str | None = None
    workflow: str | None = None
    starred: bool | None = None
    since: float | None = None
    until: float | None = None
    job: str | None = None
    width: int | None = None
    height: int | None = None
    before: int | None = None
    limit: int = 50


class Gallery:
    """Results in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, saved: Saved) -> tuple[str, bool]:
        """Record a file, once for each save of a job's node. Returns its id, and whether it is new."""
        id = hashlib.blake2b(f"{saved.job}/{saved.node}/{saved.ordinal}".encode(), digest_size=8).hexdigest()
        made = self._database.run(
            "INSERT OR IGNORE INTO results (id, job, node, ordinal, file, name, bytes, width, height, hash, prompt, "
            "negative, seed, model, workflow, created) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (id, *saved, time.time()),
        )
        return id, made.rowcount == 1

    def get(self, id: str) -> Result | None:
        row = self._database.row("SELECT * FROM results WHERE id = ?", (id,))
        return None if row is None else _result(row)

    def files(self, job: str) -> set[str]:
        return {row["file"] for row in self._database.rows("SELECT file FROM results WHERE job = ?", (job,))}

    def search(self, wanted: Search) -> list[Result]:
        """Newest first."""
        where: list[str] = []
        values: list[Any] = []
        terms = " ".join(f'"{word}"*' for word in re.findall(r"\w+", wanted.words))
        if terms:
            where.append("number IN (SELECT rowid FROM words WHERE words MATCH ?)")
            values.append(terms)
        for condition, value in (
            ("model = ?", wanted.model), ("workflow = ?", wanted.workflow), ("starred = ?", wanted.starred),
            ("created >= ?", wanted.since), ("created < ?", wanted.until), ("job = ?", wanted.job),
            ("width = ?", wanted.width), ("height = ?", wanted.height), ("number < ?", wanted.before),
        ):  # fmt: skip
            if value is not None:
                where.append(condition)
                values.append(value)
        condition = f"WHERE {' AND '.join(where)}" if where else ""
        sql = f"SELECT * FROM results {condition} ORDER BY number DESC LIMIT ?"  # noqa: S608
        return [_result(row) for row in self._database.rows(sql, (*values, wanted.limit))]

    def similar(self, id: str, limit: int = 50) -> list[Result]:
        """Those that look like it, nearest first."""
        found = self.get(id)
        if found is None or found.hash is None:
            return []
        rows = self._database.rows("SELECT number, hash FROM results WHERE hash IS NOT NULL AND id != ?", (id,))
        near = sorted((d, -row["number"]) for row in rows if (d := (row["hash"] ^ found.hash).bit_count()) <= NEAR)
        return self._numbered([-number for _, number in near[:limit]])

    def _numbered(self, numbers: Sequence[int]) -> list[Result]:
        marks = ", ".join("?" * len(numbers))
        rows = self._database.rows(f"SELECT * FROM results WHERE number IN ({marks})", numbers)  # noqa: S608
        by_number = {row["number"]: _result(row) for row in rows}
        return [by_number[number] for number in numbers]

    def star(self, id: str, starred: bool) -> None:
        self._database.run("UPDATE results SET starred = ? WHERE id = ?", (starred, id))

    def remove(self, id: str) -> None:
        self._database.run("DELETE FROM results WHERE id = ?", (id,))


def _result(row: Row) -> Result:
    return Result(**{**dict(row), "starred": bool(row["starred"])})
