"""Sweeps: which jobs belong together, and the place of each along the axes."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from .database import Database, Row


class Sweep(NamedTuple):
    """Jobs of one document with other values.

    Attributes:
        axes: The values of each input that varies.
        cells: Place along each axis, and id of the job, in the order of their submission.
    """

    id: str
    name: str
    axes: Mapping[str, list[Any]]
    created: float
    cells: Sequence[tuple[tuple[int, ...], str]]


class Sweeps:
    """Sweeps in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self,
        name: str,
        axes: Mapping[str, Sequence[Any]],
        cells: Iterable[tuple[tuple[int, ...], str]],
        key: str | None,
    ) -> Sweep:
        """Record a sweep whose jobs are queued."""
        id = secrets.token_hex(8)
        with self._database.transaction():
            self._database.run(
                "INSERT INTO sweeps (id, key, name, axes, created) VALUES (?, ?, ?, ?, ?)",
                (id, key, name, json.dumps(axes), time.time()),
            )
            rows = [(id, json.dumps(place), job) for place, job in cells]
            self._database.run_many("INSERT INTO cells VALUES (?, ?, ?)", rows)
        made = self.get(id)
        assert made is not None
        return made

    def get(self, id: str) -> Sweep | None:
        row = self._database.row("SELECT * FROM sweeps WHERE id = ?", (id,))
        return None if row is None else self._whole(row)

    def known(self, key: str) -> Sweep | None:
        """The sweep that was asked for with this key."""
        row = self._database.row("SELECT * FROM sweeps WHERE key = ?", (key,))
        return None if row is None else self._whole(row)

    def latest(self, limit: int) -> list[Sweep]:
        """Newest first."""
        return [
            self._whole(r) for r in self._database.rows("SELECT * FROM sweeps ORDER BY number DESC LIMIT ?", (limit,))
        ]

    def _whole(self, row: Row) -> Sweep:
        cells = self._database.rows(
            "SELECT place, job FROM cells JOIN jobs ON jobs.id = job WHERE sweep = ? ORDER BY jobs.number", (row["id"],)
        )
        places = [(tuple(json.loads(c["place"])), str(c["job"])) for c in cells]
        return Sweep(row["id"], row["name"], json.loads(row["axes"]), row["created"], places)
