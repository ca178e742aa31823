"""Events with numbers, for readers that come back."""

from __future__ import annotations

from collections.abc import Sequence

from .database import Database
from .job import Said


class Journal:
    """Events in the database, a row for those that were told together, oldest dropped.

    Args:
        limit: Events to keep at least.
    """

    def __init__(self, database: Database, limit: int = 200_000) -> None:
        self._database, self.limit = database, limit
        last = database.row("SELECT seq FROM sqlite_sequence WHERE name = 'events'")
        self.last = 0 if last is None else int(last[0])
        self.first = self._first()

    def add(self, events: Sequence[tuple[str, str]]) -> list[Said]:
        """Keep (type, data) under the next numbers. The data is JSON on one line."""
        made = [Said(number, type, data) for number, (type, data) in enumerate(events, self.last + 1)]
        if made:
            lines = "\n".join([f"{type} {data}" for type, data in events])
            first, self.last = self.last + 1, made[-1].number
            self._database.run("INSERT INTO events (last, first, lines) VALUES (?, ?, ?)", (self.last, first, lines))
            if self.last - self.first > self.limit * 11 // 10:
                self._database.run("DELETE FROM events WHERE last <= ?", (self.last - self.limit,))
                self.first = self._first()
        return made

    def after(self, number: int, limit: int = 1000) -> list[Said]:
        """The next events behind `number`: `limit` of them, and those that were told together with the last."""
        found: list[Said] = []
        sql = "SELECT first, lines FROM events WHERE last > ? ORDER BY last"
        for first, lines in self._database.run(sql, (number,)):
            parts = [line.partition(" ") for line in lines.split("\n")]
            found += [Said(n, type, data) for n, (type, _, data) in enumerate(parts, first) if n > number]
            if len(found) >= limit:
                break
        return found

    def _first(self) -> int:
        row = self._database.row("SELECT first FROM events ORDER BY last LIMIT 1")
        return self.last + 1 if row is None else int(row[0])
