"""The models of this server, with their small pictures."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

from aiohttp import web
from pydantic import Field

from ..library import Entry, entries
from .errors import not_found
from .files import picture_response
from .routing import View, get
from .site import Site

Source = Annotated[str, Field(min_length=1, max_length=500)]


class ModelView(View):
    source: str
    kind: str
    what: str
    bytes: int
    preview: str | None = Field(
        description="Where its picture is: made by `nodegraph models preview`, or beside its file."
    )


class ModelList(View):
    models: list[ModelView]


@get("/api/library")
async def list_models(site: Site) -> ModelList:
    """The models, LoRAs, ControlNets and others in the folders of models."""
    return await asyncio.to_thread(_listed, site)


@get("/api/library/preview", gives="image/webp")
async def read_preview(site: Site, source: Source) -> web.StreamResponse:
    """The small picture of a model."""
    picture = await asyncio.to_thread(_picture, site, source)
    if picture is None:
        raise not_found("preview of the model", source)
    return picture_response(picture, picture.name, cache="no-cache")


def _picture(site: Site, source: str) -> Path | None:
    if not _shows(site):
        return None
    found = next((entry for entry in _entries(site) if entry.source == source), None)
    return site.previews.read(found) if found is not None else None


def _listed(site: Site) -> ModelList:
    shows = _shows(site)
    made = []
    for entry in _entries(site):
        there = shows and site.previews.has(entry)
        preview = f"/api/library/preview?source={quote(entry.source, safe='')}" if there else None
        made.append(
            ModelView(source=entry.source, kind=entry.kind, what=entry.what, bytes=entry.bytes, preview=preview)
        )
    return ModelList(models=made)


def _entries(site: Site) -> list[Entry]:
    return list(entries(site.engine.registry, site.documents.folders))


def _shows(site: Site) -> bool:
    """Whether pictures leave that no policy has looked at."""
    return site.documents.policy is None
