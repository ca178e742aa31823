"""From the queue to the workers and back: who runs what, and what becomes of it.

Everything here runs on one event loop, and each method that changes something does so in one transaction, so there is
no moment at which a `kill -9` could lose or double anything.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic_core import to_json

from ..problems import InvalidWorkflow, Problem
from .documents import Queueable
from .gallery import Saved
from .hub import Hub
from .job import Job, Said, State
from .places import Checked, Settings, Worker, setup, suits
from .process import Process, devices, environment
from .queue import Submission
from .store import Store

if TYPE_CHECKING:
    from .cluster import Cluster

log = logging.getLogger("nodegraph.jobs")

ANSWER = 5.0
"""Seconds that a worker has to say whether it remembers something."""
FRESH = 1.0
"""Seconds for which a plan stays true: it holds fingerprints of files, which may change."""
QUICK = 0.05
"""Seconds within which a job must have ended for a lone worker to be given the next but one too."""
DEADLY = 2
"""Workers that a job may kill before it is given up."""
UNLUCKY = 10
"""Times that a job may be begun before it counts as a kill that the machine was lost under it."""


class Given(NamedTuple):
    """A job for a worker."""

    worker: Worker
    job: Job
    document: str


class Dispatcher:
    """Feeds workers from the queue of a store, and writes down what they say."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self.store, self.settings, self.hub = store, settings, Hub()
        self.workers: list[Worker] = []
        self._cluster: Cluster | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._waits: dict[str, list[asyncio.Future[None]]] = {}
        self._requests = itertools.count()
        self._closing = asyncio.Event()
        self.on_end: Callable[[Job], None] | None = None
        """Called with a job, bare, when it has ended."""

    async def start(self) -> None:
        """Put back what was interrupted, and start the workers."""
        for job in self.store.queue.recover():
            log.info("job %s was interrupted and %s", job.id, "waits again" if job.state == "pending" else job.state)
            self.store.sweep(job.id)
            self.hub.publish(self.store.journal.add([_job_event(job)]))
        if self.settings.ray is None:
            found = devices()
            count = self.settings.workers or len(found)
            self._hire([found[i % len(found)] for i in range(count)])
        else:
            from .cluster import Cluster

            self._cluster = Cluster(self.settings.ray)
            self._tasks.append(asyncio.create_task(self._join(self._cluster), name="cluster"))

    def _hire(self, devices: Sequence[str]) -> None:
        """Make a place for a worker for each device, beside those that there are."""
        for device in devices:
            worker = Worker(len(self.workers), device)
            self.workers.append(worker)
            self._tasks.append(asyncio.create_task(self._tend(worker), name=f"worker {worker.number}"))

    async def _join(self, cluster: Cluster) -> None:
        """Have a worker for each device of the cluster, also of machines that join later."""
        async for found in cluster.devices():
            self._hire(list((Counter(found) - Counter(worker.device for worker in self.workers)).elements()))

    async def close(self) -> None:
        """Stop. Running nodes may save their state until patience ends; their jobs wait for the next start."""
        self._closing.set()
        for worker in self.workers:
            for job in reversed(worker.jobs):  # what waits first, or it would be begun
                assert worker.process is not None
                worker.process.send({"do": "cancel", "job": job.id})
        until = time.monotonic() + self.settings.patience
        while time.monotonic() < until and any(w.jobs for w in self.workers):
            await asyncio.sleep(0.02)
        for worker in self.workers:
            if worker.process is not None:
                worker.process.kill()
        if self._cluster is not None:
            for task in self._tasks:  # one may wait for a device that never comes back
                task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._cluster is not None:
            await self._cluster.leave()
        for worker in self.workers:
            for job in worker.jobs:
                self.store.queue.put_back(job.id)
        self.hub.close()

    # What clients ask for.

    def submit(self, asked: Submission, *, later: bool = False) -> tuple[Job, bool]:
        """Queue a job. Returns it, and whether it is new (or its key was known).

        Args:
            later: The caller is in a transaction with more of them: workers are fed when it is over.
        """
        with self.store.database.transaction():
            job, new = self.store.queue.add(asked)
            lines = [_job_event(job)] if new else []
            given = [] if later else self._give(lines)
            told = self.store.journal.add(lines)
        self._send(given)
        self.hub.publish(told)
        if later:
            asyncio.get_running_loop().call_soon(self._feed)
        return job, new

    def cancel(self, id: str) -> None:
        """End a job: at once if it waits; if it runs, when its node notices or patience ends."""
        with self.store.database.transaction():
            job = self.store.queue.bare(id)
            if job is None or job.has_ended:
                return
            if job.state == "pending":
                job = self._end(id, "cancelled")
                told = self.store.journal.add([_job_event(job)])
            else:
                self.store.queue.ask_to_cancel(id)
                told = []
        for worker in self.workers:
            if any(job.id == id for job in worker.jobs) and worker.process is not None:
                worker.process.send({"do": "cancel", "job": id})
                asyncio.get_running_loop().call_later(self.settings.patience, self._kill_if_at, worker, id)
        self._tell(job, told)

    def _kill_if_at(self, worker: Worker, job: str) -> None:
        if worker.job is not None and worker.job.id == job and worker.process is not None:
            log.warning("worker %d did not notice that job %s was cancelled; killing it", worker.number, job)
            worker.process.kill()

    def retry(self, id: str) -> Job:
        """Queue the same again."""
        with self.store.database.transaction():
            job = self.store.queue.retry(id)
            told = self.store.journal.add([_job_event(job)])
        self.hub.publish(told)
        self._feed()
        return job

    def reorder(self, id: str, priority: int) -> None:
        """A higher priority goes first; of equal ones the older."""
        self.store.queue.reorder(id, priority)
        self._say("queue", {"what": "reordered", "job": id, "priority": priority})

    def pause(self, paused: bool) -> None:
        """Begin no job while paused. Those that run go on."""
        self.store.pause(paused)
        self._say("queue", {"what": "paused" if paused else "resumed", "paused": paused})
        self._feed()

    async def wait(self, id: str) -> None:
        """Return once the job has ended."""
        if self.store.queue.state(id) not in ("pending", "running"):
            return
        waiting = asyncio.get_running_loop().create_future()
        self._waits.setdefault(id, []).append(waiting)
        try:
            await waiting
        finally:
            with contextlib.suppress(ValueError, KeyError):
                self._waits[id].remove(waiting)

    async def keep(self, document: str, node: str) -> bool:
        """Have a worker that remembers what `node` gave write it to the cache on disk. Whether one did."""
        order = {"do": "keep", "document": document, "node": node}
        asked = [self._ask(worker, order)[1] for worker in self.workers if worker.ready]
        if not asked:
            return False
        answered, _ = await asyncio.wait(asked, timeout=ANSWER)
        return any(waiting.result() for waiting in answered)

    async def check(self, document: str, inputs: Mapping[str, Any], targets: Sequence[str]) -> Queueable | None:
        """Have an idle worker of this machine check a document, which is likely to run it; None where there is none.

        Raises:
            InvalidWorkflow: It cannot run.
        """
        near = (w for w in self.workers if w.is_idle and w.process is not None and w.process.is_near)
        worker = next(near, None)
        if worker is None:
            return None
        order = {"do": "check", "document": document, "inputs": inputs, "targets": targets}
        number, answer = self._ask(worker, order)
        mine = worker.checked = Checked(number, None, tuple(targets), time.monotonic())
        found = await answer
        if found is None:
            return None
        if "problems" in found:
            raise InvalidWorkflow([Problem(**problem) for problem in found["problems"]])
        document = found["document"] or document
        if worker.checked is mine:  # it was sent neither a job since, nor another document
            worker.checked = mine._replace(document=document, time=time.monotonic())
        return Queueable(found["name"], document, tuple(found["models"]))

    def _ask(self, worker: Worker, order: dict[str, Any]) -> tuple[int, asyncio.Future[Any]]:
        """Send a request. Returns its number, and what will be the answer; None where the worker dies of it."""
        assert worker.process is not None
        number = next(self._requests)
        answer = worker.asked[number] = asyncio.get_running_loop().create_future()
        worker.process.send({**order, "request": number})
        return number, answer

    # Workers.

    async def _tend(self, worker: Worker) -> None:
        """Keep a process in a worker's place."""
        first = setup(self.store, self.settings)
        while not self._closing.is_set():
            try:
                if self._cluster is None:
                    worker.process = await Process.start(first, environment(worker.device, len(self.workers)))
                else:
                    worker.process = self._cluster.start(first, worker.device)
            except OSError as error:  # no memory, or too many processes
                worker.deaths += 1
                log.error("worker %d could not be started: %s", worker.number, error)
                await self._rest(worker)
                continue
            if self._closing.is_set():  # meanwhile
                worker.process.kill()
            try:
                async for message in worker.process:
                    self._heard(worker, message)
            except Exception:  # what a process says is not to be trusted with the life of the server
                log.exception("worker %d said something that could not be understood", worker.number)
                worker.process.kill()
            how = await worker.process.wait()
            was_ready, worker.ready, worker.holds, worker.checked = worker.ready, False, frozenset(), None
            for waiting in worker.asked.values():
                if not waiting.done():
                    waiting.set_result(None)
            worker.asked.clear()
            if self._closing.is_set():
                return
            worker.deaths += 1
            worker.died_of = how
            log.warning("worker %d (process %d) died: %s", worker.number, worker.process.pid, how)
            if worker.job is not None:
                self._killed(worker, how)
            if not was_ready:
                await self._rest(worker)

    async def _rest(self, worker: Worker) -> None:
        """Wait, longer each time, before a place is filled again that nothing would live in."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), min(30.0, 0.5 * 2 ** min(worker.deaths, 6)))

    def _killed(self, worker: Worker, how: str) -> None:
        """A worker died of its job, or with it. What it was to do next is nobody's fault."""
        assert worker.job is not None
        assert worker.process is not None
        id, queue = worker.job.id, self.store.queue
        with self.store.database.transaction():
            job = queue.put_back(id, killed=not worker.process.lost or worker.job.attempts >= UNLUCKY)
            if job.kills >= DEADLY:
                reason = f"killed its worker {job.kills} times (the last: {how})"
                advice = "; it may need more memory than there is: make the picture or the batch smaller"
                job = self._end(id, "failed", reason + (advice if how == "SIGKILL" else ""))
            others = [queue.put_back(other.id) for other in worker.jobs[1:]]
            told = self.store.journal.add([_job_event(each) for each in (job, *others)])
        worker.jobs.clear()
        self.store.sweep(id)
        self._tell(job, told)
        for other in others:
            self._tell(other, ())
        self._feed()

    def _feed(self) -> None:
        if any(worker.is_idle for worker in self.workers):
            events: list[str] = []
            with self.store.database.transaction():
                given = self._give(events)
                told = self.store.journal.add(events)
            self._send(given)
            self.hub.publish(told)

    def _give(self, events: list[str], free: Worker | None = None) -> list[Given]:
        """Take jobs for idle workers, and for one that has just ended a job: what is to be sent, once it is committed.

        What is to be told of it is added to `events`. While the jobs of a lone worker are quick it is given two, so
        that it need not wait for us between them.
        """
        given: list[Given] = []
        if self._closing.is_set() or self.store.paused:
            return given
        idle = [worker for worker in self.workers if worker.is_idle]
        if free is not None:
            is_quick = len(self.workers) == 1 and time.monotonic() - free.began < QUICK
            idle += [free] * (2 + is_quick - len(free.jobs))
        while idle and (taken := self.store.queue.take()) is not None:
            job, document = taken
            worker = max(idle, key=partial(suits, job))
            idle.remove(worker)
            given.append(Given(worker, job, document))
            events.append(_job_event(job))
        return given

    def _send(self, given: Iterable[Given]) -> None:
        """Send jobs to the workers that they were given to."""
        for worker, job, document in given:
            if not worker.jobs:
                worker.began = time.monotonic()
            worker.jobs.append(job)
            if job.attempts > 1:
                self.store.sweep(job.id)
            order: dict[str, Any] = {
                "do": "run", "job": job.id, "models": job.models, "targets": job.targets, "checked": None,
            }  # fmt: skip
            known, worker.checked = worker.checked, None
            if known is not None and known[1:3] == (document, job.targets) and time.monotonic() - known.time < FRESH:
                order["checked"] = known.request
            else:
                order["document"] = document
            assert worker.process is not None
            worker.process.send(order)

    def _heard(self, worker: Worker, message: dict[str, Any]) -> None:
        if "ready" in message:
            worker.ready = True
            self._feed()
        elif "answers" in message:
            waiting = worker.asked.pop(message["answers"])
            if not waiting.done():
                waiting.set_result(message["answer"])
        elif (job := next((job for job in worker.jobs if job.id == message["job"]), None)) is not None:
            self._progressed(worker, job, message)

    def _progressed(self, worker: Worker, job: Job, message: dict[str, Any]) -> None:
        """Write down what a worker says about its job, all in one transaction, then tell it."""
        now, was = time.time(), job
        lines: list[str] = []
        doubles = False
        given: list[Given] = []
        with self.store.database.transaction():
            for line in message.get("lines", ()):
                if isinstance(line, str):
                    lines.append(line)
                elif (result := self._saved(job, line)) is not None:
                    lines.append(_line("Saved", {"job": job.id, "time": now, **result}))
                else:
                    doubles = True
            self.store.queue.record(job.id, message.get("states", {}))
            for node, trace in message.get("traces", {}).items():
                log.error("job %s, node %s failed\n%s", job.id, node, trace.rstrip())
            for fields in message.get("progress", ()):
                if not fields["what"]:  # not of a part of it, such as loading
                    self.store.queue.advance(job.id, fields["node"], fields["step"], fields["total"])
            if (end := message.get("end")) is not None:
                if end["state"] == "cancelled" and self._closing.is_set():
                    job = self.store.queue.put_back(job.id)
                else:
                    job = self._end(job.id, end["state"], end["error"])
                lines.append(_job_event(job))
                worker.holds = frozenset(end["holds"])
                given = self._give(lines, worker)
            told = self.store.journal.add(lines)
        progress = [
            Said(0, "Progress", to_json({"job": job.id, "time": now, **fields}).decode())
            for fields in message.get("progress", ())
        ]
        if end is not None:
            worker.done += 1
            if was is worker.job:
                worker.began = time.monotonic()
            worker.jobs.remove(was)
            if doubles:
                self.store.sweep(job.id)
        self._send(given)
        self._tell(job, [*progress, *told])

    def _saved(self, job: Job, fields: dict[str, Any]) -> dict[str, Any] | None:
        """Record a file. Returns what is told of it; None where that save was recorded before."""
        file = f"{job.id}/{fields['name']}"
        saved = Saved(
            job.id, fields["node"], fields["ordinal"], file, fields["name"], fields["bytes"], fields.get("width"),
            fields.get("height"), fields.get("hash"), fields["prompt"], fields["negative"], fields["seed"],
            fields["model"], job.workflow or job.name,
        )  # fmt: skip
        id, new = self.store.gallery.add(saved)
        return {"node": fields["node"], "result": id, "name": fields["name"], "file": file} if new else None

    # Telling.

    def _end(self, id: str, state: State, error: str | None = None) -> Job:
        """Record how a job ended. Returns it, bare."""
        job = self.store.queue.end(id, state, error) or self.store.queue.bare(id)
        assert job is not None
        log.info("job %s %s", id, job.state)
        return job

    def _say(self, type: str, fields: dict[str, Any]) -> None:
        self.hub.publish(self.store.journal.add([_line(type, {"time": time.time(), **fields})]))

    def _tell(self, job: Job, events: Iterable[Said]) -> None:
        """Publish what happened to a job, and wake who waits for its end."""
        self.hub.publish(events)
        if job.has_ended:
            for waiting in self._waits.pop(job.id, ()):
                if not waiting.done():
                    waiting.set_result(None)
            if self.on_end is not None:
                self.on_end(job)


def _job_event(job: Job) -> str:
    """What is told of a job when its state has changed."""
    fields = {"job": job.id, "time": time.time(), "state": job.state, "name": job.name, "error": job.error}
    return _line("job", fields)


def _line(type: str, fields: dict[str, Any]) -> str:
    return f"{type} {json.dumps(fields)}"
