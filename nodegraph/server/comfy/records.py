"""What is remembered of prompts and of the names of files: two tables beside the jobs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...jobs import Job
from ..site import Site


@dataclass(frozen=True, slots=True)
class Record:
    """A prompt and the job that it became.

    Attributes:
        origin: Our node for each of theirs.
        outputs: Ids of their nodes that show or save, each with where its files are said to lie.
    """

    id: str
    job: str
    prompt: Mapping[str, Any]
    extra: Mapping[str, Any]
    client: str
    origin: Mapping[str, str]
    outputs: Mapping[str, str]
    theirs: Mapping[str, str] = field(default_factory=dict)

    def ticket(self, job: Job) -> list[Any]:
        """The five values by which queue and history name a prompt."""
        return [job.number, self.id, self.prompt, self.extra, list(self.outputs)]


def add(site: Site, record: Record) -> None:
    plain = [json.dumps(value) for value in (record.prompt, record.extra)]
    last = [json.dumps(value) for value in (record.origin, record.outputs)]
    site.store.database.run(
        "INSERT OR REPLACE INTO prompts (id, job, prompt, extra, client, origin, outputs) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (record.id, record.job, *plain, record.client, *last),
    )


def get(site: Site, id: str) -> Record | None:
    """The prompt of an id, unless it was taken out of the history."""
    row = site.store.database.row("SELECT * FROM prompts WHERE id = ?", (id,))
    return None if row is None else _record(row)


def of_job(site: Site, job: str) -> Record | None:
    row = site.store.database.row("SELECT * FROM prompts WHERE job = ?", (job,))
    return None if row is None else _record(row)


def in_states(site: Site, *states: str, limit: int = 1000, offset: int = -1) -> list[Record]:
    """Prompts whose jobs are in these states, oldest first: of more than `limit` the newest, or with an `offset` of 0
    or more those behind so many."""
    marks, order = ", ".join("?" * len(states)), "DESC" if offset < 0 else "ASC"
    sql = (
        f"SELECT prompts.* FROM prompts JOIN jobs ON jobs.id = prompts.job WHERE jobs.state IN ({marks}) "  # noqa: S608
        f"ORDER BY jobs.number {order} LIMIT ? OFFSET ?"
    )
    found = [_record(row) for row in site.store.database.rows(sql, (*states, limit, max(offset, 0)))]
    return found if offset >= 0 else found[::-1]


def forget(site: Site, id: str) -> None:
    """Take a prompt out of the history. Its job and its results stay."""
    site.store.database.run("DELETE FROM prompts WHERE id = ?", (id,))


def _record(row: Any) -> Record:
    prompt, extra, origin, outputs = (json.loads(row[name]) for name in ("prompt", "extra", "origin", "outputs"))
    theirs = {ours: id for id, ours in origin.items()}
    return Record(row["id"], row["job"], prompt, extra, row["client"], origin, outputs, theirs)


def name_file(site: Site, kind: str, subfolder: str, name: str, upload: str) -> None:
    """Remember that an upload goes by this name."""
    sql = "INSERT OR REPLACE INTO names (kind, subfolder, name, upload) VALUES (?, ?, ?, ?)"
    site.store.database.run(sql, (kind, subfolder, name, upload))


def named_file(site: Site, kind: str, subfolder: str, name: str) -> str | None:
    """The upload that goes by a name."""
    sql = "SELECT upload FROM names WHERE kind = ? AND subfolder = ? AND name = ?"
    row = site.store.database.row(sql, (kind, subfolder, name))
    return None if row is None else str(row[0])


def file_names(site: Site, kind: str) -> list[str]:
    """The names of all uploads of a kind, with their folders."""
    rows = site.store.database.rows("SELECT subfolder, name FROM names WHERE kind = ? ORDER BY 1, 2", (kind,))
    return [f"{row['subfolder']}/{row['name']}" if row["subfolder"] else str(row["name"]) for row in rows]
