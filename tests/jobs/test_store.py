"""The store: what it acknowledged is there after any death, once."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nodegraph.jobs import Store
from nodegraph.jobs.database import Database, NewerDatabase
from nodegraph.jobs.gallery import Saved, Search
from nodegraph.jobs.job import NodeState
from nodegraph.jobs.journal import Journal
from nodegraph.jobs.queue import Submission
from nodegraph.jobs.schema import STEPS
from nodegraph.jobs.store import FolderInUse


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "data")
    yield made
    made.close()


def asked(name: str = "", **rest: object) -> Submission:
    return Submission("{}", name, **rest)  # type: ignore[arg-type]


def test_jobs_are_taken_by_priority_then_age(store: Store) -> None:
    queue = store.queue
    for name, priority in (("a", 0), ("b", 5), ("c", 0), ("d", 5), ("e", -1)):
        queue.add(asked(name, priority=priority))
    taken = []
    while (found := queue.take()) is not None:
        taken.append(found[0].name)
    assert taken == ["b", "d", "a", "c", "e"]


def test_a_job_ends_once(store: Store) -> None:
    job, _ = store.queue.add(asked())
    store.queue.take()
    assert store.queue.end(job.id, "done") == store.queue.bare(job.id)
    assert store.queue.end(job.id, "failed", "late") is None
    found = store.queue.get(job.id)
    assert found is not None
    assert (found.state, found.error) == ("done", None)


def test_what_ran_at_a_death_waits_again_and_what_was_cancelled_does_not(store: Store) -> None:
    queue = store.queue
    jobs = [queue.add(asked(name))[0] for name in "abc"]
    for _ in range(2):
        queue.take()
    queue.record(jobs[0].id, {"n": NodeState(state="running")})
    queue.ask_to_cancel(jobs[1].id)
    assert [(j.id, j.state) for j in queue.recover()] == [(jobs[0].id, "pending"), (jobs[1].id, "cancelled")]
    states = [(found.state, dict(found.nodes)) for j in jobs if (found := queue.get(j.id))]
    assert states == [("pending", {}), ("cancelled", {}), ("pending", {})]


def test_a_result_is_recorded_once(store: Store) -> None:
    saved = Saved("job", "save", 0, "job/a_00001.png", "a_00001.png", 10, prompt="a fox")
    first, second = store.gallery.add(saved), store.gallery.add(saved._replace(file="job/a_00002.png"))
    assert first == (second[0], True)
    assert second[1] is False
    assert [r.file for r in store.gallery.search(Search(words="fox"))] == ["job/a_00001.png"]


def test_a_removed_result_is_not_found_by_its_words(store: Store) -> None:
    id, _ = store.gallery.add(Saved("job", "save", 0, "job/a.png", "a.png", 10, prompt="a fox"))
    store.gallery.remove(id)
    assert store.gallery.search(Search(words="fox")) == []


def test_sweeping_keeps_what_is_recorded(store: Store) -> None:
    folder = store.output("job")
    folder.mkdir()
    for name in ("a.png", "a.png.thumbnail.webp", "b.png", ".c.part"):
        (folder / name).touch()
    store.gallery.add(Saved("job", "save", 0, "job/a.png", "a.png", 10))
    store.sweep("job")
    assert sorted(p.name for p in folder.iterdir()) == ["a.png", "a.png.thumbnail.webp"]


def test_a_folder_has_one_server(store: Store) -> None:
    with pytest.raises(FolderInUse, match="--data"):
        Store(store.folder)


def test_a_transaction_is_all_or_nothing(store: Store) -> None:
    def fail() -> None:
        with store.database.transaction():
            store.queue.add(asked())
            with store.database.transaction():
                store.queue.add(asked())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert store.queue.page() == []


def test_a_kill_loses_no_acknowledged_job_and_keeps_no_other(tmp_path: Path) -> None:
    """The child says each job that was committed, then dies inside a transaction."""
    code = (
        "import os, sys; from pathlib import Path; from nodegraph.jobs import Store\n"
        "from nodegraph.jobs.queue import Submission\n"
        "store = Store(Path(sys.argv[1]))\n"
        "for i in range(20): print(store.queue.add(Submission('{}', str(i)))[0].id, flush=True)\n"
        "with store.database.transaction():\n"
        "    store.queue.add(Submission('{}', 'open')); os.kill(os.getpid(), 9)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "data")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == -9, done.stderr
    store = Store(tmp_path / "data")
    assert [j.id for j in reversed(store.queue.page())] == done.stdout.split()
    store.close()


def test_events_are_numbered_on_and_the_oldest_go(tmp_path: Path) -> None:
    database = Database(tmp_path / "x.db")
    journal = Journal(database, limit=10)
    for i in range(13):
        journal.add([f"a {i}"])
    assert (journal.first, journal.last) == (4, 13)
    assert [e.number for e in journal.after(0)] == list(range(4, 14))
    assert [e.number for e in Journal(database, 10).add(["a {}"])] == [14]
    database.close()


def test_events_that_were_told_together_are_found_from_any_of_them(tmp_path: Path) -> None:
    database = Database(tmp_path / "x.db")
    journal = Journal(database)
    for count in (1, 3, 2):
        journal.add(['a {"text": "\\n b"}'] * count)
    for number in range(7):
        found = journal.after(number)
        assert [e.number for e in found] == list(range(number + 1, 7))
        assert {(e.type, e.data) for e in found} <= {("a", '{"text": "\\n b"}')}
    assert [e.number for e in journal.after(0, limit=2)] == [1, 2, 3, 4]
    database.close()


def test_a_file_of_an_older_version_is_brought_up_to_date(tmp_path: Path) -> None:
    old = sqlite3.connect(tmp_path / "nodegraph.db")
    for step in STEPS[:5]:
        old.executescript(step)
    old.executescript(
        "PRAGMA user_version = 5;"
        "INSERT INTO jobs (id, state, name, workflow, priority, client, document, inputs, targets, created) VALUES"
        " ('a', 'failed', '', '', 0, '', 'A', '{}', '[]', 0), ('b', 'running', '', '', 0, '', 'B', '{}', '[]', 0);"
        "INSERT INTO nodes VALUES ('a', 'm', 'done', 0.5, 7, NULL, NULL), ('a', 'n', 'failed', NULL, NULL, 'no', 'x');"
        "INSERT INTO events (type, data) VALUES ('job', '{}'), ('Finished', '{\"node\": \"m\"}');"
    )
    old.close()
    store = Store(tmp_path)
    (job,) = (job for job in store.queue.page() if job.id == "a")
    empty = {"memory": None, "error": None, "port": None}
    assert job.nodes == {
        "m": {"state": "done", "seconds": 0.5, **empty, "memory": 7},
        "n": {"state": "failed", "seconds": None, **empty, "error": "no", "port": "x"},
    }
    assert [job.id for job in store.queue.recover()] == ["b"]
    assert [store.queue.document(id) for id in "ab"] == ["A", "B"]
    assert store.journal.add(["b {}"])[0].number == 3
    assert [(e.type, e.data) for e in store.journal.after(0)] == [
        ("job", "{}"), ("Finished", '{"node": "m"}'), ("b", "{}"),
    ]  # fmt: skip
    store.close()


def test_numbers_are_not_used_again_when_all_events_are_gone(tmp_path: Path) -> None:
    database = Database(tmp_path / "x.db")
    Journal(database).add(["a {}"] * 3)
    database.run("DELETE FROM events")
    assert [e.number for e in Journal(database).add(["a {}"])] == [4]
    database.close()


def test_a_new_file_has_todays_version_and_a_later_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    Database(path).close()
    raw = sqlite3.connect(path)
    assert raw.execute("PRAGMA user_version").fetchone()[0] == len(STEPS)
    assert raw.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    raw.execute(f"PRAGMA user_version = {len(STEPS) + 1}")
    raw.close()
    with pytest.raises(NewerDatabase, match="update nodegraph"):
        Database(path)


def test_workflows_have_versions(store: Store) -> None:
    library = store.library
    assert [library.put("a", d) for d in ("{}", "{}", '{"x":1}')] == [1, 1, 2]
    library.put("b", "{}")
    assert [(s.name, s.version) for s in library.latest()] == [("a", 2), ("b", 1)]
    assert library.remove("a") is True
    assert library.remove("a") is False
