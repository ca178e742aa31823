"""From a file that somebody has to a document."""

from __future__ import annotations

import asyncio
import json
import tempfile
from pathlib import Path
from typing import Any

from aiohttp import web
from pydantic import JsonValue

from ..carrier import read_document
from .errors import Refused
from .routing import View, post
from .site import Site
from .uploads import received


class Opened(View):
    document: JsonValue
    notes: list[str]


@post("/api/open", scope="view", accepts=("application/octet-stream", "multipart/form-data"))
async def open_file(site: Site, request: web.Request) -> Opened:
    """Read the workflow in a JSON file, or inside a picture that carries one."""
    data = await received(site, request)
    return await asyncio.to_thread(_open, site, data)


def _open(site: Site, data: bytes) -> Opened:
    try:
        raw: Any = json.loads(data if data.lstrip()[:1] in (b"{", b"[") else _carried(site, data))
    except (ValueError, OSError, RecursionError) as error:
        raise Refused(422, "no_workflow", f"the file holds no workflow that can be read: {error}") from None
    return Opened(document=site.documents.read(raw).to_dict(), notes=[])


def _carried(site: Site, data: bytes) -> str:
    with tempfile.NamedTemporaryFile(dir=site.store.folder, prefix=".", suffix=".part") as file:
        file.write(data)
        file.flush()
        return read_document(Path(file.name))
