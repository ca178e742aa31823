"""Events with numbers, for readers that come back."""

from __future__ import annotations

from collections.abc import Iterable

from .database import Database
from .job import Numbered


class Journal:
    """Events in the database, oldest dropped.

    Args:
        limit: Events to keep at least.
    """

    def __init__(self, database: Database, limit: int = 200_000) -> None:
        self._database, self.limit = database, limit
        last = database.row("SELECT seq FROM sqlite_sequence WHERE name = 'events'")
        first = database.row("SELECT min(number) FROM events")
        self.last = 0 if last is None else int(last[0])
        self.first = self.last + 1 if first is None or first[0] is None else int(first[0])

    def add(self, events: Iterable[tuple[str, str]]) -> list[Numbered]:
        """Keep (type, data) under the next numbers."""
        made = [Numbered(number, type, data) for number, (type, data) in enumerate(events, self.last + 1)]
        if made:
            rows = [(e.number, e.type, e.data) for e in made]
            self._database.run_many("INSERT INTO events (number, type, data) VALUES (?, ?, ?)", rows)
            self.last = made[-1].number
            if self.last - self.first > self.limit * 11 // 10:
                self.first = self.last - self.limit + 1
                self._database.run("DELETE FROM events WHERE number < ?", (self.first,))
        return made

    def after(self, number: int, limit: int = 1000) -> list[Numbered]:
        """The next events behind `number`."""
        sql = "SELECT number, type, data FROM events WHERE number > ? ORDER BY number LIMIT ?"
        return [Numbered(*row) for row in self._database.rows(sql, (number, limit))]
