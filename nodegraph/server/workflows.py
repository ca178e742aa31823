"""Stored workflows with their versions, the examples beside them, and each as an endpoint of its own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from typing import Annotated, Any
from urllib.parse import quote, unquote

from aiohttp import web
from pydantic import Field, JsonValue

from ..pack import nearest
from ..plan import Plan
from ..ports import exposed, value
from ..problems import InvalidWorkflow, Problem, shown
from ..workflow import Workflow
from .errors import Refused, not_found
from .files import picture_response
from .outputs import read_output
from .queueing import JobView, Seconds, Submit, WorkflowName, ended, enqueue, stored_document, view
from .results import read_image
from .routing import Closed, Reply, View, get, post, route
from .site import Site

Version = Annotated[int, Field(ge=1, le=2**53)]
KINDS: Mapping[Any, Any] = {
    "integer": (int, float),
    "number": (int, float),
    "string": str,
    "boolean": bool,
    "array": list,
    "object": dict,
}
"""JSON Schema's types. A whole number may be written 3.0, and no number is true or false."""


class InputView(View):
    """An exposed input: its JSON Schema (with `x-type`, `x-widget`, `x-choices`) and the value it has now."""

    name: str
    title: str
    description: str
    schema_: dict[str, JsonValue] = Field(alias="schema")
    value: JsonValue


class WorkflowView(View):
    name: str
    title: str
    description: str
    version: int
    updated: float
    template: bool
    inputs: list[InputView]
    outputs: list[str]
    thumbnail: str | None = None


class WorkflowList(View):
    workflows: list[WorkflowView]


class WorkflowDocument(View):
    name: str
    version: int
    template: bool
    document: JsonValue


class Put(Closed):
    document: JsonValue


class VersionView(View):
    version: int
    created: float


class VersionList(View):
    versions: list[VersionView]


class OutputView(View):
    """An output of a finished job: where it is, and the value itself where it is plain."""

    type: str
    url: str


class ResultLink(View):
    id: str
    url: str


class Answer(View):
    job: JobView
    outputs: dict[str, OutputView]
    results: list[ResultLink]


@get("/api/workflows")
async def list_workflows(site: Site) -> WorkflowList:
    """Every stored workflow and example, with its exposed inputs."""
    return await asyncio.to_thread(_listed, site, site.store.library.latest())


@get("/api/workflows/{name}/thumbnail", gives="image/webp")
async def read_template_thumbnail(site: Site, name: WorkflowName) -> web.StreamResponse:
    """A small picture of what an example makes."""
    template = site.templates.get(name)
    if template is None or template.thumbnail is None:
        raise not_found("thumbnail of the workflow", name)
    return picture_response(template.thumbnail, template.thumbnail.name, cache="max-age=3600")


def _listed(site: Site, latest: list[Any]) -> WorkflowList:
    found: dict[str, WorkflowView] = {}
    for name, template in site.templates.items():
        made = _view(site, name, template.document, 1, template.changed, True)
        small = f"/api/workflows/{quote(name)}/thumbnail" if template.thumbnail else None
        found[name] = made.model_copy(update={"thumbnail": small})
    for stored in latest:
        found[stored.name] = _view(
            site, stored.name, json.loads(stored.document), stored.version, stored.created, False
        )
    return WorkflowList(workflows=list(found.values()))


def _view(site: Site, name: str, raw: Any, version: int, updated: float, template: bool) -> WorkflowView:
    try:
        workflow = site.documents.read(raw)
    except InvalidWorkflow as error:  # written by another version of the program
        return WorkflowView(
            name=name, title=name, description=str(error), version=version, updated=updated, template=template,
            inputs=[], outputs=[],
        )  # fmt: skip
    return WorkflowView(
        name=name, title=workflow.name or name, description=workflow.description, version=version, updated=updated,
        template=template, inputs=inputs_of(site, workflow), outputs=list(workflow.outputs),
    )  # fmt: skip


def inputs_of(site: Site, workflow: Workflow) -> list[InputView]:
    """What a workflow asks for, as a form would show it."""
    return [
        InputView(
            name=name, title=workflow.inputs[name].title or name, description=workflow.inputs[name].description,
            schema=port.schema(), value=_plain(value(workflow, name)),
        )
        for name, port in exposed(workflow, site.engine.registry).items()
    ]  # fmt: skip


def _plain(found: Any) -> JsonValue:
    return found if isinstance(found, bool | int | float | str | list) else None


@get("/api/workflows/{name}")
async def read_workflow(site: Site, name: WorkflowName, version: Version | None = None) -> WorkflowDocument:
    """A stored workflow or example, in its latest version or another."""
    raw = stored_document(site, name, version)
    stored = site.store.library.get(name, version)
    workflow = await asyncio.to_thread(site.documents.read, raw)
    return WorkflowDocument(
        name=name, version=stored.version if stored else 1, template=stored is None, document=workflow.to_dict()
    )


@route("PUT", "/api/workflows/{name}", scope="run")
async def put_workflow(site: Site, name: WorkflowName, body: Put) -> VersionView:
    """Store a workflow under a name, as a new version. It need not be without problems yet."""
    if name in site.templates:
        message = f"{name!r} is an example and stays as it is; store yours under another name"
        raise Refused(409, "read_only", message)
    workflow = await asyncio.to_thread(site.documents.read, body.document)
    version = site.store.library.put(name, json.dumps(workflow.to_dict(), ensure_ascii=False))
    stored = site.store.library.get(name, version)
    assert stored is not None
    return VersionView(version=version, created=stored.created)


@route("DELETE", "/api/workflows/{name}", scope="run", status=204)
async def delete_workflow(site: Site, name: WorkflowName) -> None:
    """Remove a stored workflow with all its versions."""
    if not site.store.library.remove(name):
        if name in site.templates:
            raise Refused(409, "read_only", f"{name!r} is an example and stays")
        raise not_found("workflow", name)


@get("/api/workflows/{name}/versions")
async def list_versions(site: Site, name: WorkflowName) -> VersionList:
    """The versions of a stored workflow, newest first."""
    found = site.store.library.versions(name)
    if not found and name in site.templates:
        found = [(1, site.templates[name].changed)]
    if not found:
        raise not_found("workflow", name)
    return VersionList(versions=[VersionView(version=v, created=c) for v, c in found])


@post("/api/w/{name}", also=(202,), gives="image/*")
async def call(
    site: Site,
    request: web.Request,
    name: WorkflowName,
    body: dict[str, JsonValue] | None = None,
    timeout: Seconds = 3600.0,
) -> Reply[Answer] | web.StreamResponse:
    """Run a stored workflow with its exposed inputs as the body, and wait for its outputs and pictures.

    The OpenAPI document has an entry with the typed body for each workflow. If `timeout` seconds are not enough the
    status is 202, and the job goes on. Who accepts `image/*` or `image/png` first is given the picture itself.
    """
    workflow = await asyncio.to_thread(site.documents.read, stored_document(site, name))
    _check_body(inputs_of(site, workflow), body or {})
    job, _ = await enqueue(site, Submit(workflow=name, inputs=body or {}))
    job = await ended(site, job, timeout)
    results = [ResultLink(id=id, url=f"/api/results/{id}/image") for id in job.results]
    document = site.store.queue.document(job.id)
    assert document is not None
    plan = await asyncio.to_thread(site.engine.compile, site.engine.read(json.loads(document)))
    answer = Answer(job=view(job), outputs=_outputs(job.id, plan), results=results)
    if job.state == "failed":
        raise Refused(500, "job_failed", f"job {job.id}: {job.error or 'failed'}")
    if job.state == "done" and request.headers.get("Accept", "").startswith("image/"):
        return await _picture(site, answer)
    return Reply(answer, 200 if job.has_ended else 202)


def _check_body(inputs: Iterable[InputView], body: Mapping[str, JsonValue]) -> None:
    """Raises `InvalidWorkflow` for what the OpenAPI document does not offer. Documents are read more leniently."""
    known = {item.name: item.schema_ for item in inputs}
    problems = []
    for name, given in body.items():
        kind = known.get(name, {}).get("type")
        if name not in known:
            message = f"has no input {name!r}{nearest(name, known)}; its inputs: {', '.join(known) or 'none'}"
            problems.append(Problem("unknown_exposed", "", None, message))
        elif kind in KINDS and not (isinstance(given, KINDS[kind]) and isinstance(given, bool) == (kind == "boolean")):
            problems.append(Problem("bad_value", "", None, f"{name}: needs a {kind}, but {shown(given)} is given"))
    if problems:
        raise InvalidWorkflow(problems)


async def _picture(site: Site, answer: Answer) -> web.StreamResponse:
    """The first picture that a job saved; where it saved none, the first of its outputs that is one."""
    for id in answer.job.results:
        made: web.StreamResponse = await read_image.handler(site, id)
        if made.content_type.startswith("image/"):
            return made
    for output in answer.outputs.values():
        node, port = output.url.split("/")[-2:]
        made = await read_output.handler(site, answer.job.id, unquote(node), port)
        if made.content_type.startswith("image/"):
            return made
    message = f"workflow {answer.job.workflow!r} gives no picture; accept application/json to read what it gives"
    raise Refused(406, "no_picture", message)


def _outputs(job: str, plan: Plan) -> dict[str, OutputView]:
    return {
        name: OutputView(
            type=str(plan.calls[ref.node].outputs[ref.port]),
            url=f"/api/jobs/{job}/outputs/{quote(ref.node, safe='')}/{ref.port}",
        )
        for name, ref in plan.outputs.items()
        if ref.node in plan.calls
    }
