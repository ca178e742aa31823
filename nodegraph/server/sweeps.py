"""Sweeps: one document for many values, a job for each cell."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from pydantic import Field, JsonValue

from ..axes import Axis, Mode, ordered, points, read_values, unknown
from ..jobs.queue import Submission
from ..jobs.sweeps import Sweep
from ..problems import InvalidWorkflow, Problem
from ..workflow import Workflow
from .errors import not_found
from .queueing import ID, JobView, Submit, check_room, stored_document, view
from .routing import Reply, View, get, post
from .site import Site
from .webhooks import check_webhook

SweepId = Annotated[str, Field(pattern=rf"^{ID}$")]
Values = Annotated[str, Field(min_length=1, max_length=100_000)] | Annotated[list[JsonValue], Field(min_length=1)]


class SubmitSweep(Submit):
    """A document, and the values of the inputs that vary. The same key is the same sweep."""

    axes: dict[str, Values] = Field(
        min_length=1,
        max_length=4,
        description="Exposed inputs or node.input, with their values: a list, or as the command line takes them, such "
        "as 4,7,10 or 0..3; of several lines each counts.",
    )
    mode: Mode = "product"


class AxisView(View):
    name: str
    values: list[JsonValue]


class CellView(View):
    place: list[int]
    inputs: dict[str, JsonValue]
    job: JobView


class SweepView(View):
    id: SweepId
    name: str
    created: float
    axes: list[AxisView]
    cells: list[CellView]


class SweepLine(View):
    id: SweepId
    name: str
    created: float
    axes: list[AxisView]
    jobs: list[str]


class SweepList(View):
    sweeps: list[SweepLine]


class SweepSize(View):
    cells: int
    axes: list[AxisView]


def _shown(site: Site, sweep: Sweep) -> SweepView:
    cells = []
    for place, id in sweep.cells:
        job = site.store.queue.get(id)
        if job is not None:
            inputs = {name: values[i] for (name, values), i in zip(sweep.axes.items(), place, strict=True)}
            cells.append(CellView(place=list(place), inputs=inputs, job=view(job)))
    return SweepView(id=sweep.id, name=sweep.name, created=sweep.created, axes=_axes(sweep.axes.items()), cells=cells)


def _axes(axes: Any) -> list[AxisView]:
    return [AxisView(name=name, values=list(values)) for name, values in axes]


def _read(site: Site, raw: JsonValue, asked: SubmitSweep) -> tuple[Workflow, list[Axis]]:
    """The document and the axes. Raises `InvalidWorkflow`."""
    workflow = site.documents.read(raw, asked.inputs)

    def lines(file: str) -> list[str]:
        raise ValueError(f"{file!r}: files of lines are read by the command line alone; write the lines here")

    axes = []
    for name, given in asked.axes.items():
        values: list[Any] = []
        if isinstance(given, str):
            try:
                for line in filter(str.strip, given.splitlines()):
                    values += read_values(name, line, workflow, site.engine.registry, lines).values
            except ValueError as error:
                node, _, port = name.partition(".")
                raise InvalidWorkflow([Problem("bad_sweep", node if port else "", port or None, str(error))]) from None
        else:
            values += given
        axes.append(Axis(name, tuple(values)))
    return workflow, axes


def _cells(
    site: Site, raw: JsonValue, asked: SubmitSweep
) -> tuple[Workflow, list[Axis], list[tuple[tuple[int, ...], Submission]]]:
    """What to queue, in the order that repeats least. Raises `InvalidWorkflow` if one cell cannot run."""
    workflow, axes = _read(site, raw, asked)
    try:
        found = points(axes, asked.mode)
    except ValueError as error:
        raise unknown(error) from error
    if len(found) > site.limits.pending:
        message = f"has {len(found):,} cells, and at most {site.limits.pending:,} jobs may wait; take fewer values"
        raise InvalidWorkflow([Problem("bad_sweep", "", None, message)])
    cells = []
    for point in ordered(found, axes, workflow):
        inputs = {**asked.inputs, **point.inputs}
        filled = site.documents.read(raw, inputs)
        made = site.documents.queueable(filled, asked.targets)
        key = None if asked.key is None else f"{asked.key} {'/'.join(map(str, point.place))}"
        cells.append((point.place, Submission(
            made.document, filled.name, asked.workflow or "", inputs, tuple(asked.targets), asked.priority,
            asked.client, key, asked.webhook, made.models,
        )))  # fmt: skip
    return workflow, axes, cells


@post("/api/sweeps", status=201, also=(200,))
async def sweep(site: Site, body: SubmitSweep) -> Reply[SweepView]:
    """Queue a job for every combination of values; every one is checked before the first is queued."""
    if body.webhook is not None:
        check_webhook(body.webhook, site.private_webhooks)
    if body.key is not None and (known := site.store.sweeps.known(body.key)):
        return Reply(_shown(site, known), 200)
    raw = body.document if body.workflow is None else stored_document(site, body.workflow)
    workflow, axes, cells = await asyncio.to_thread(_cells, site, raw, body)
    check_room(site, body.client, len(cells))
    with site.store.database.transaction():
        made = [(place, site.dispatcher.submit(asked, later=True)[0].id) for place, asked in cells]
        added = site.store.sweeps.add(workflow.name, {a.name: a.values for a in axes}, made, body.key)
    return Reply(_shown(site, added), 201)


@post("/api/sweeps/size", scope="view")
async def size(site: Site, body: SubmitSweep) -> SweepSize:
    """How many cells a sweep would have, and which values. Queues nothing."""
    raw = body.document if body.workflow is None else stored_document(site, body.workflow)

    def measured() -> SweepSize:
        _, axes = _read(site, raw, body)
        try:
            return SweepSize(cells=len(points(axes, body.mode)), axes=_axes((a.name, a.values) for a in axes))
        except ValueError as error:
            raise unknown(error) from error

    return await asyncio.to_thread(measured)


@get("/api/sweeps")
async def list_sweeps(site: Site, limit: Annotated[int, Field(ge=1, le=100)] = 20) -> SweepList:
    """Sweeps, newest first, with the ids of their jobs."""
    found = site.store.sweeps.latest(limit)
    return SweepList(sweeps=[
        SweepLine(id=s.id, name=s.name, created=s.created, axes=_axes(s.axes.items()), jobs=[job for _, job in s.cells])
        for s in found
    ])  # fmt: skip


@get("/api/sweeps/{id}")
async def read_sweep(site: Site, id: SweepId) -> SweepView:
    """A sweep with the job of each cell."""
    return _shown(site, _found(site, id))


@post("/api/sweeps/{id}/cancel")
async def cancel_sweep(site: Site, id: SweepId) -> SweepView:
    """Stop the jobs of a sweep that have not ended."""
    found = _found(site, id)
    for _, job in reversed(found.cells):  # those that wait first, or a worker would take the next
        site.dispatcher.cancel(job)
    return _shown(site, found)


def _found(site: Site, id: str) -> Sweep:
    sweep = site.store.sweeps.get(id)
    if sweep is None:
        raise not_found("sweep", id)
    return sweep
