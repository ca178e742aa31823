"""Jobs: submit, follow, cancel, retry, reorder; the queue as a whole."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated, Any

from aiohttp import web
from pydantic import Field, JsonValue, model_validator

from ..interop.prompt import is_prompt
from ..jobs import Job, State
from ..jobs.documents import Queueable, written
from ..jobs.queue import Submission
from .errors import Refused, not_found
from .opening import opened
from .routing import Closed, Reply, View, get, post, route
from .site import Site
from .uploads import received
from .webhooks import check_webhook

ID = "[0-9a-f]{16}"
"""What the id of a job, a result or a sweep looks like."""
JobId = Annotated[str, Field(pattern=rf"^{ID}$")]
WorkflowName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_\-]{0,99}$")]
Priority = Annotated[int, Field(ge=-1000, le=1000)]
Limit = Annotated[int, Field(ge=1, le=500)]
Before = Annotated[int, Field(ge=0, le=2**53)]
Seconds = Annotated[float, Field(gt=0, le=86400)]


class Submit(Closed):
    """A job to do: a document, or the name of a stored workflow or example."""

    document: JsonValue = None
    workflow: WorkflowName | None = None
    inputs: dict[str, JsonValue] = Field(default_factory=dict)
    targets: list[str] = Field(default_factory=list, max_length=1000)
    priority: Priority = 0
    client: str = Field(default="", max_length=100)
    key: str | None = Field(default=None, min_length=1, max_length=200, description="The same key is the same job.")
    webhook: str | None = Field(default=None, max_length=2000, description="Sent the job when it has ended.")

    @model_validator(mode="before")
    @classmethod
    def _bare(cls, given: Any) -> Any:
        """A document by itself is one to run."""
        if not isinstance(given, dict) or given.keys() & {"document", "workflow"}:
            return given
        bare = given.keys() & {"format", "nodes"} or is_prompt(given) or is_prompt(given.get("prompt"))
        return {"document": given} if bare else given

    @model_validator(mode="after")
    def _one_of_them(self) -> Submit:
        if (self.document is None) == (self.workflow is None):
            raise ValueError("needs either a document or the name of a workflow")
        return self


class Reorder(Closed):
    priority: Priority


class NodeView(View):
    state: str
    step: int | None = None
    total: int | None = None
    seconds: float | None = None
    ended: float | None = None
    memory: int | None = None
    error: str | None = None
    port: str | None = None


class JobView(View):
    id: JobId
    number: int
    state: State
    name: str
    workflow: str
    priority: int
    client: str
    created: float
    started: float | None
    ended: float | None
    error: str | None
    attempts: int
    kills: int
    nodes: dict[str, NodeView]
    results: list[str]
    inputs: dict[str, JsonValue]
    targets: list[str]


class JobWithDocument(JobView):
    document: JsonValue


class JobPage(View):
    jobs: list[JobView]
    next: int | None


class QueueView(View):
    paused: bool
    pending: int
    running: int


class WorkerView(View):
    number: int
    device: str
    host: str
    process: int | None
    ready: bool
    job: str | None
    done: int
    deaths: int
    died_of: str | None
    holds: list[str]


class WorkersView(View):
    workers: list[WorkerView]


def view(job: Job) -> JobView:
    return JobView.model_validate(job, from_attributes=True)


def found(site: Site, id: str) -> Job:
    job = site.store.queue.get(id)
    if job is None:
        raise not_found("job", id)
    return job


async def enqueue(site: Site, asked: Submit) -> tuple[Job, bool]:
    """Check what is asked for, and put it into the queue. What was taken once, by its key, is not checked again."""
    if asked.key is not None and (known := site.store.queue.known(asked.key)) is not None:
        return known, False
    if asked.webhook is not None:
        check_webhook(asked.webhook, site.private_webhooks)
    raw = asked.document if asked.workflow is None else stored_document(site, asked.workflow)
    made = await _checked(site, raw, asked)
    check_room(site, asked.client)
    return site.dispatcher.submit(
        Submission(
            made.document, made.name, asked.workflow or "", asked.inputs, tuple(asked.targets), asked.priority,
            asked.client, asked.key, asked.webhook, made.models,
        )
    )  # fmt: skip


async def _checked(site: Site, raw: JsonValue, asked: Submit) -> Queueable:
    """Check a document: a small one here, a larger one in a worker that is idle, else in a thread of this process."""
    text = written(raw)
    if site.documents.is_quick(raw):
        return site.documents.accept(text, asked.inputs, asked.targets).queueable
    found = await site.dispatcher.check(text, asked.inputs, asked.targets)
    return found or (await asyncio.to_thread(site.documents.accept, text, asked.inputs, asked.targets)).queueable


def check_room(site: Site, client: str, more: int = 1) -> None:
    """Raises `Refused` if with `more` jobs of `client` more would wait than may."""
    limit, queue = site.limits.pending, site.store.queue
    every = queue.count("pending")
    if every + more <= limit:
        return
    own = queue.count("pending", client)
    if own + more > limit or every + more > 10 * limit:
        message = (
            f"of at most {limit:,} jobs of one client {own:,} wait already, and {every:,} of {10 * limit:,} in all"
        )
        raise Refused(429, "queue_full", f"{message}; wait until some are done, or cancel some")


def stored_document(site: Site, name: str, version: int | None = None) -> JsonValue:
    """The document of a stored workflow, or of an example where none is stored under its name."""
    stored = site.store.library.get(name, version)
    if stored is not None:
        document: JsonValue = json.loads(stored.document)
        return document
    if name in site.templates and version in (None, 1):
        return dict(site.templates[name].document)
    raise not_found("workflow", name if version is None else f"{name} (version {version})")


async def ended(site: Site, job: Job, timeout: float) -> Job:
    """The job when it has ended, or as it is when time is up."""
    try:
        async with asyncio.timeout(timeout):
            await site.dispatcher.wait(job.id)
    except TimeoutError:
        pass
    return found(site, job.id)


@post(
    "/api/jobs", status=201, accepts=("image/png", "image/webp", "image/jpeg", "application/octet-stream"), also=(200,)
)
async def submit(
    site: Site, request: web.Request, body: Submit | None = None, wait: bool = False, timeout: Seconds = 3600.0
) -> Reply[JobView]:
    """Queue a job. With `wait` the answer comes when it has ended, or when `timeout` seconds are over.

    The body may also be a document by itself, ours or ComfyUI's, a picture that carries one, or A1111's lines. It runs
    as it is there.
    """
    if body is None:
        picture = await asyncio.to_thread(opened, site, await received(site, request))
        body = Submit(document=picture.document)
    job, new = await enqueue(site, body)
    if wait:
        job = await ended(site, job, timeout)
    return Reply(view(job), 201 if new else 200)


@get("/api/jobs")
async def list_jobs(site: Site, state: State | None = None, before: Before | None = None, limit: Limit = 50) -> JobPage:
    """Jobs, newest first. `next` is what `before` is for the page behind."""
    jobs = site.store.queue.page(() if state is None else (state,), before, limit + 1)
    shown = jobs[:limit]
    return JobPage(jobs=[view(job) for job in shown], next=shown[-1].number if len(jobs) > limit else None)


@get("/api/jobs/{id}")
async def read_job(site: Site, id: JobId) -> JobWithDocument:
    """A job with the state of its nodes and its document, inputs filled in."""
    job = found(site, id)
    document = site.store.queue.document(id)
    assert document is not None
    return JobWithDocument(**dict(view(job)), document=json.loads(document))


@post("/api/jobs/{id}/cancel")
async def cancel(site: Site, id: JobId) -> JobView:
    """Stop a job. One that runs ends at the next step of its node, or a few seconds later with its worker."""
    found(site, id)
    site.dispatcher.cancel(id)
    return view(found(site, id))


@post("/api/jobs/{id}/retry", status=201)
async def retry(site: Site, id: JobId) -> JobView:
    """Queue the same again, as a new job. What its nodes had computed is taken from the cache."""
    check_room(site, found(site, id).client)
    return view(site.dispatcher.retry(id))


@route("PATCH", "/api/jobs/{id}", scope="run")
async def reorder(site: Site, id: JobId, body: Reorder) -> JobView:
    """Move a job in the queue: a higher priority goes first, and of equal ones the older."""
    found(site, id)
    site.dispatcher.reorder(id, body.priority)
    return view(found(site, id))


def queue_view(site: Site) -> QueueView:
    queue = site.store.queue
    return QueueView(paused=site.store.paused, pending=queue.count("pending"), running=queue.count("running"))


@get("/api/queue")
async def read_queue(site: Site) -> QueueView:
    """The queue in numbers."""
    return queue_view(site)


@post("/api/queue/pause", scope="admin")
async def pause(site: Site) -> QueueView:
    """Begin no more jobs. Those that run go on."""
    site.dispatcher.pause(True)
    return queue_view(site)


@post("/api/queue/resume", scope="admin")
async def resume(site: Site) -> QueueView:
    """Begin jobs again."""
    site.dispatcher.pause(False)
    return queue_view(site)


@get("/api/workers")
async def workers(site: Site) -> WorkersView:
    """The processes that run jobs, and what each is at."""
    listed = [
        WorkerView(
            number=w.number, device=w.device, host=w.process.host if w.process else "",
            process=(w.process.pid or None) if w.process else None, ready=w.ready, job=w.job.id if w.job else None,
            done=w.done, deaths=w.deaths, died_of=w.died_of, holds=sorted(w.holds),
        )
        for w in site.dispatcher.workers
    ]  # fmt: skip
    return WorkersView(workers=listed)
