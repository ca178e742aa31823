"""Events with numbers, for readers that come back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

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

    def add(self, lines: Sequence[str]) -> list[Said]:
        """Keep events under the next numbers. Each is a line: its type, a space, and JSON."""
        made = _said(lines, self.last + 1)
        if made:
            first, self.last = self.last + 1, made[-1].number
            values = self.last, first, "\n".join(lines)
            self._database.run("INSERT INTO events (last, first, lines) VALUES (?, ?, ?)", values)
            if self.last - self.first > self.limit * 11 // 10:
                self._database.run("DELETE FROM events WHERE last <= ?", (self.last - self.limit,))
                self.first = self._first()
        return made

    def after(self, number: int, limit: int = 1000) -> list[Said]:
        """The next events behind `number`: `limit` of them, and those that were told together with the last."""
        found: list[Said] = []
        sql = "SELECT first, lines FROM events WHERE last > ? ORDER BY last"
        for first, lines in self._database.run(sql, (number,)):
            found += _said(lines.split("\n"), first)[max(0, number + 1 - first) :]
            if len(found) >= limit:
                break
        return found

    def _first(self) -> int:
        row = self._database.row("SELECT first FROM events ORDER BY last LIMIT 1")
        return self.last + 1 if row is None else int(row[0])


def _said(lines: Iterable[str], first: int) -> list[Said]:
    parts = [line.partition(" ") for line in lines]
    return [Said(number, type, data) for number, (type, _, data) in enumerate(parts, first)]
