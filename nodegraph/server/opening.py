"""From a file that somebody has to a document."""

from __future__ import annotations

import asyncio
import json

from aiohttp import web
from pydantic import JsonValue

from ..interop import open_document
from ..jobs.documents import text_of
from ..problems import InvalidWorkflow
from .checks import ProblemView, view
from .errors import Refused
from .routing import View, post
from .site import Site
from .uploads import received


class Opened(View):
    document: JsonValue
    notes: list[ProblemView]


@post("/api/open", scope="view", accepts=("application/octet-stream", "multipart/form-data"))
async def open_file(site: Site, request: web.Request) -> Opened:
    """Read the workflow in a file: ours, ComfyUI's or A1111's, or a picture that carries one.

    `notes` says what is not in the document as it was in the file, and at which node.
    """
    data = await received(site, request)
    return await asyncio.to_thread(opened, site, data)


def opened(site: Site, data: bytes) -> Opened:
    """The workflow in a file. Raises `Refused` or `InvalidWorkflow`."""
    try:
        found = open_document(data, site.engine.registry, site.documents.choices)
    except InvalidWorkflow as error:
        first = error.problems[0]
        if first.code == "unreadable_document":
            raise Refused(422, "no_workflow", f"the file {first.message}") from None
        raise
    text = text_of(site.documents.read(found.workflow.to_dict()))
    return Opened(document=json.loads(text), notes=[view(note) for note in found.notes])
