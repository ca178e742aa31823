"""The queue: jobs in their order, and how they move from state to state."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic_core import from_json, to_json

from .database import Database, Row
from .job import ENDED, Job, NodeState, State

PLAIN = (
    "number", "id", "state", "name", "workflow", "priority", "client", "created", "started", "ended", "error",
    "attempts", "kills", "webhook",
)  # fmt: skip
COLUMNS = ", ".join((*PLAIN, "inputs", "targets", "models"))


class Submission(NamedTuple):
    """What is asked for. `document` is the JSON of a workflow whose inputs are filled in."""

    document: str
    name: str = ""
    workflow: str = ""
    inputs: Mapping[str, Any] = {}
    targets: tuple[str, ...] = ()
    priority: int = 0
    client: str = ""
    key: str | None = None
    webhook: str | None = None
    models: tuple[str, ...] = ()


class Queue:
    """Jobs in the database. What becomes of their nodes is written there when they end: before it is worth nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._running: dict[str, dict[str, NodeState]] = {}

    def add(self, asked: Submission) -> tuple[Job, bool]:
        """Put a job at the end of the line. A key that was given before returns that job and False."""
        with self._database.transaction():
            if asked.key is not None and (known := self.known(asked.key)) is not None:
                return known, False
            id = secrets.token_hex(8)
            made = self._database.row(
                "INSERT INTO jobs (id, state, name, workflow, priority, client, key, inputs, targets, created, "  # noqa: S608
                "webhook, models) VALUES (?, 'pending', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
                f"RETURNING {COLUMNS}",
                (
                    id, asked.name, asked.workflow, asked.priority, asked.client, asked.key, json.dumps(asked.inputs),
                    json.dumps(asked.targets), time.time(), asked.webhook, json.dumps(asked.models),
                ),
            )  # fmt: skip
            assert made is not None
            self._database.run("INSERT INTO documents VALUES (?, ?)", (made["number"], asked.document))
        return self._bare(made), True

    def known(self, key: str) -> Job | None:
        """The job that was asked for with this key."""
        return next(iter(self._whole("WHERE key = ?", (key,))), None)

    def get(self, id: str) -> Job | None:
        """The job with its nodes and results."""
        return next(iter(self._whole("WHERE id = ?", (id,))), None)

    def bare(self, id: str) -> Job | None:
        """The job without its nodes and results, of which there may be thousands."""
        row = self._database.row(f"SELECT {COLUMNS} FROM jobs WHERE id = ?", (id,))  # noqa: S608
        return None if row is None else self._bare(row)

    def state(self, id: str) -> str | None:
        row = self._database.row("SELECT state FROM jobs WHERE id = ?", (id,))
        return None if row is None else str(row[0])

    def document(self, id: str) -> str | None:
        row = self._database.row("SELECT document FROM documents, jobs WHERE job = number AND id = ?", (id,))
        return None if row is None else str(row[0])

    def page(self, states: Iterable[State] = (), before: int | None = None, limit: int = 50) -> list[Job]:
        """Jobs with their nodes and results, newest first."""
        wanted = tuple(states)
        marks = ", ".join("?" * len(wanted))
        where = [f"state IN ({marks})"] if wanted else []
        values: list[Any] = list(wanted)
        if before is not None:
            where.append("number < ?")
            values.append(before)
        condition = f"WHERE {' AND '.join(where)}" if where else ""
        return self._whole(f"{condition} ORDER BY number DESC LIMIT ?", (*values, limit))

    def count(self, state: State, client: str | None = None) -> int:
        if client is None:
            row = self._database.row("SELECT count(*) FROM jobs WHERE state = ?", (state,))
        else:
            row = self._database.row("SELECT count(*) FROM jobs WHERE state = ? AND client = ?", (state, client))
        assert row is not None
        return int(row[0])

    def take(self) -> tuple[Job, str] | None:
        """The first job in line, now running, and its document."""
        with self._database.transaction():
            row = self._database.row(
                "SELECT number, document FROM jobs INDEXED BY jobs_in_line JOIN documents ON job = number "
                "WHERE state = 'pending' ORDER BY priority DESC, number LIMIT 1"
            )
            if row is None:
                return None
            taken = self._database.row(
                "UPDATE jobs SET state = 'running', started = coalesce(started, ?), attempts = attempts + 1 "  # noqa: S608
                f"WHERE number = ? RETURNING {COLUMNS}",
                (time.time(), row["number"]),
            )
            assert taken is not None
            return self._bare(taken), str(row["document"])

    def end(self, id: str, state: State, error: str | None = None) -> Job | None:
        """Record how a job ended, once. Returns it, bare; None where it had ended before."""
        assert state in ENDED, state
        nodes = to_json(self._running.pop(id, {})).decode()
        row = self._database.row(
            "UPDATE jobs SET state = ?, error = ?, ended = ?, nodes = ? "  # noqa: S608
            f"WHERE id = ? AND state IN ('pending', 'running') RETURNING {COLUMNS}",
            (state, error, time.time(), nodes, id),
        )
        return None if row is None else self._bare(row)

    def put_back(self, id: str, killed: bool = False) -> Job:
        """Return a running job to its place in the line, and bare. One that is being cancelled ends instead.

        Args:
            killed: Counts a worker that died of it.
        """
        if self._cancelling(id):
            self.end(id, "cancelled")
        else:
            self._running.pop(id, None)
            self._database.run(
                "UPDATE jobs SET state = 'pending', kills = kills + ? WHERE id = ? AND state = 'running'", (killed, id)
            )
        job = self.bare(id)
        assert job is not None
        return job

    def recover(self) -> list[Job]:
        """After a death of the server: put back what was running."""
        with self._database.transaction():
            running = self._database.rows("SELECT id FROM jobs WHERE state = 'running'")
            return [self.put_back(row["id"]) for row in running]

    def ask_to_cancel(self, id: str) -> None:
        """Remember that a running job is to be cancelled, so that it is not begun again."""
        self._database.run("UPDATE jobs SET cancelling = 1 WHERE id = ? AND state = 'running'", (id,))

    def _cancelling(self, id: str) -> bool:
        row = self._database.row("SELECT cancelling FROM jobs WHERE id = ?", (id,))
        return row is not None and bool(row[0])

    def reorder(self, id: str, priority: int) -> None:
        self._database.run("UPDATE jobs SET priority = ? WHERE id = ?", (priority, id))

    def retry(self, id: str) -> Job:
        """Another job that asks for the same as the one with this id."""
        row = self._database.row("SELECT * FROM jobs JOIN documents ON job = number WHERE id = ?", (id,))
        assert row is not None, id
        asked = Submission(
            row["document"], row["name"], row["workflow"], json.loads(row["inputs"]), tuple(json.loads(row["targets"])),
            row["priority"], row["client"], None, row["webhook"], tuple(json.loads(row["models"])),
        )  # fmt: skip
        return self.add(asked)[0]

    def to_notify(self) -> list[Job]:
        """Jobs that have ended and whose webhook was not answered yet."""
        rows = self._database.rows(
            f"SELECT {COLUMNS} FROM jobs WHERE webhook IS NOT NULL AND notified = 0 "  # noqa: S608
            "AND state IN ('done', 'failed', 'cancelled')"
        )
        return [self._bare(row) for row in rows]

    def notified(self, id: str) -> None:
        self._database.run("UPDATE jobs SET notified = 1 WHERE id = ?", (id,))

    def record(self, id: str, states: Mapping[str, NodeState]) -> None:
        """What became of some nodes of a job that runs."""
        self._running.setdefault(id, {}).update(states)

    def advance(self, id: str, node: str, step: int, total: int) -> None:
        """How far a node that runs has come. Of one that has ended, which may be told late, nothing is written."""
        known = self._running.get(id, {}).get(node)
        if known is not None and known["state"] == "running":
            known["step"], known["total"] = step, total

    def _whole(self, condition: str, values: Sequence[Any]) -> list[Job]:
        """The jobs of which `condition` is true, with their nodes and results."""
        rows = self._database.rows(f"SELECT {COLUMNS}, nodes FROM jobs {condition}", values)  # noqa: S608
        marks = ", ".join("?" * len(rows))
        sql = f"SELECT job, id FROM results WHERE job IN ({marks}) ORDER BY number"  # noqa: S608
        results: dict[str, list[str]] = {}
        for job, id in self._database.rows(sql, [row["id"] for row in rows]):
            results.setdefault(job, []).append(id)
        made = []
        for row in rows:
            nodes = self._running.get(row["id"]) or from_json(row["nodes"])
            made.append(self._bare(row, nodes=nodes, results=tuple(results.get(row["id"], ()))))
        return made

    @staticmethod
    def _bare(row: Row, **more: Any) -> Job:
        fields = {name: row[name] for name in PLAIN}
        inputs, targets, models = (json.loads(row[name]) for name in ("inputs", "targets", "models"))
        return Job(**fields, inputs=inputs, targets=tuple(targets), models=tuple(models), **more)
