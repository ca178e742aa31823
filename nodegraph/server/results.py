"""The gallery: every picture with what made it."""

from __future__ import annotations

import asyncio
import json
import tempfile
import zipfile
from collections.abc import Sequence
from typing import IO, Annotated

from aiohttp import web
from pydantic import Field, JsonValue

from ..jobs import Result
from ..jobs.gallery import Search
from .errors import not_found
from .files import picture_response
from .queueing import ID, Before, JobId, Limit
from .routing import Closed, View, get, post, route
from .site import Site

ResultId = Annotated[str, Field(pattern=rf"^{ID}$")]
Words = Annotated[str, Field(max_length=500)]
Pixels = Annotated[int, Field(ge=1, le=2**31)]
CHUNK = 2**16


class ResultView(View):
    id: ResultId
    number: int
    job: JobId
    node: str
    name: str
    width: int | None
    height: int | None
    bytes: int
    prompt: str
    negative: str
    seed: int | None
    model: str
    workflow: str
    created: float
    starred: bool
    url: str
    thumbnail: str | None


class ResultPage(View):
    results: list[ResultView]
    next: int | None


class Star(Closed):
    starred: bool


class Zip(Closed):
    ids: list[ResultId] = Field(min_length=1, max_length=500)


class DocumentView(View):
    document: JsonValue


def view(result: Result) -> ResultView:
    base = f"/api/results/{result.id}"
    return ResultView(
        id=result.id, number=result.number, job=result.job, node=result.node, name=result.name, width=result.width,
        height=result.height, bytes=result.bytes, prompt=result.prompt, negative=result.negative, seed=result.seed,
        model=result.model, workflow=result.workflow, created=result.created, starred=result.starred,
        url=f"{base}/image", thumbnail=f"{base}/thumbnail" if result.hash is not None else None,
    )  # fmt: skip


def found(site: Site, id: str) -> Result:
    result = site.store.gallery.get(id)
    if result is None:
        raise not_found("result", id)
    return result


@get("/api/results")
async def list_results(
    site: Site,
    q: Words = "",
    model: Words | None = None,
    workflow: Words | None = None,
    starred: bool | None = None,
    since: float | None = None,
    until: float | None = None,
    job: JobId | None = None,
    width: Pixels | None = None,
    height: Pixels | None = None,
    before: Before | None = None,
    limit: Limit = 50,
) -> ResultPage:
    """Results, newest first.

    `q` are beginnings of words of the prompt, the model, the workflow or the file's name; all must occur. `since` and
    `until` are seconds since 1970. `next` is what `before` is for the page behind.
    """
    wanted = Search(q, model, workflow, starred, since, until, job, width, height, before, limit + 1)
    results = site.store.gallery.search(wanted)
    shown = results[:limit]
    return ResultPage(results=[view(r) for r in shown], next=shown[-1].number if len(results) > limit else None)


@get("/api/results/{id}")
async def read_result(site: Site, id: ResultId) -> ResultView:
    """One result."""
    return view(found(site, id))


@get("/api/results/{id}/image", gives="image/*")
async def read_image(site: Site, id: ResultId, download: bool = False) -> web.StreamResponse:
    """Its file, as it was saved, with its workflow inside."""
    result = found(site, id)
    path = site.store.results / result.file
    if not path.is_file():
        raise not_found("file of the result", id)
    return picture_response(path, result.name, download)


@get("/api/results/{id}/thumbnail", gives="image/webp")
async def read_thumbnail(site: Site, id: ResultId) -> web.StreamResponse:
    """A small picture of it."""
    path = site.store.thumbnail(found(site, id))
    if not path.is_file():
        raise not_found("thumbnail of the result", id)
    return picture_response(path, path.name)


@get("/api/results/{id}/document")
async def read_document(site: Site, id: ResultId) -> DocumentView:
    """The workflow that made it, with its inputs filled in."""
    document = site.store.queue.document(found(site, id).job)
    if document is None:
        raise not_found("document of the result", id)
    return DocumentView(document=json.loads(document))


@get("/api/results/{id}/similar")
async def list_similar(site: Site, id: ResultId, limit: Limit = 50) -> ResultPage:
    """Results that look like it, the most alike first."""
    found(site, id)
    return ResultPage(results=[view(r) for r in site.store.gallery.similar(id, limit)], next=None)


@route("PATCH", "/api/results/{id}", scope="run")
async def star(site: Site, id: ResultId, body: Star) -> ResultView:
    """Mark it, or take the mark off."""
    found(site, id)
    site.store.gallery.star(id, body.starred)
    return view(found(site, id))


@route("DELETE", "/api/results/{id}", scope="run", status=204)
async def delete(site: Site, id: ResultId) -> None:
    """Remove it and its files."""
    site.store.discard(found(site, id))


@post("/api/results/zip", scope="view", gives="application/zip")
async def download(site: Site, request: web.Request, body: Zip) -> web.StreamResponse:
    """Several results in one file."""
    results = [found(site, id) for id in dict.fromkeys(body.ids)]
    with tempfile.TemporaryFile(dir=site.store.folder) as file:
        size = await asyncio.to_thread(_pack, site, results, file)
        headers = {
            "Content-Type": "application/zip",
            "Content-Disposition": 'attachment; filename="results.zip"',
            "Content-Length": str(size),
        }
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        while chunk := file.read(CHUNK):
            await response.write(chunk)
        await response.write_eof()
    return response


def _pack(site: Site, results: Sequence[Result], file: IO[bytes]) -> int:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as made:  # pictures are compressed already
        for result in results:
            path = site.store.results / result.file
            if path.is_file():
                made.write(path, f"{result.number:06}-{result.name}")
    size = file.tell()
    file.seek(0)
    return size
