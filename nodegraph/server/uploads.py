"""Pictures that clients send, by the digest of their content."""

from __future__ import annotations

import asyncio
from typing import Annotated

from aiohttp import web
from pydantic import Field

from ..jobs.intake import UPLOAD, keep_picture
from .errors import Refused, not_found
from .files import picture_response
from .routing import View, get, post
from .site import Site

UploadName = Annotated[str, Field(pattern=rf"^{UPLOAD}$")]


class UploadView(View):
    name: UploadName
    width: int
    height: int
    bytes: int


async def received(site: Site, request: web.Request) -> bytes:
    """The raw body, or the field `file` of a form."""
    if request.content_type == "multipart/form-data":
        try:
            reader = await request.multipart()
            while (part := await reader.next()) is not None:
                if getattr(part, "name", None) == "file" and hasattr(part, "read_chunk"):
                    return await _read(site, part.read_chunk)
        except (ValueError, AssertionError) as error:
            raise Refused(400, "bad_request", f"the form cannot be read: {error}") from None
        raise Refused(400, "bad_request", "the form needs a field 'file'")
    return await _read(site, request.content.readany)


async def _read(site: Site, chunk: object) -> bytes:
    assert callable(chunk)
    made = bytearray()
    while data := await chunk():
        made += data
        if len(made) > site.limits.upload:
            raise Refused(413, "too_large", f"a file may have at most {site.limits.upload:,} bytes; make it smaller")
    return bytes(made)


@post("/api/uploads", status=201, accepts=("application/octet-stream", "multipart/form-data"))
async def upload(site: Site, request: web.Request) -> UploadView:
    """Send a picture: as the raw body, or as the field `file` of a form.

    The name that comes back is what a file input of a document holds. The same picture has the same name.
    """
    data = await received(site, request)
    try:
        made = await asyncio.to_thread(keep_picture, data, site.store.uploads)
    except ValueError as error:
        raise Refused(415, "not_a_picture", f"the file cannot be used: {error}") from None
    site.store.library.add_upload(made)
    return UploadView(name=made.name, width=made.width, height=made.height, bytes=made.bytes)


@get("/api/uploads/{name}", gives="image/*")
async def read_upload(site: Site, request: web.Request, name: UploadName) -> web.StreamResponse:
    """A picture that was sent."""
    path = site.store.uploads / name
    if not path.is_file():
        raise not_found("upload", name)
    return picture_response(path, name)
