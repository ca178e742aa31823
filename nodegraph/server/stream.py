"""Everything that happens, as server-sent events with numbers, so that a client that was away misses nothing."""

from __future__ import annotations

from typing import Annotated

from aiohttp import web
from pydantic import Field

from ..jobs.hub import Gone
from ..jobs.job import Said
from .routing import get
from .site import Site

Number = Annotated[int, Field(ge=0, le=2**53)]


@get("/api/events", gives="text/event-stream")
async def events(site: Site, request: web.Request, after: Number | None = None) -> web.StreamResponse:
    """What happens, from now on or from behind an event: `after`, or the header `Last-Event-ID`.

    Each has an `id`, a type and JSON. Reports of progress have no number and are not kept. An event `lost` says that
    those between were dropped long ago, so that a client reads the state anew.
    """
    journal = site.store.journal
    header = request.headers.get("Last-Event-ID", "")
    sent = int(header) if header.isascii() and header.isdigit() and len(header) < 17 else after
    if sent is None or sent > journal.last:
        sent = journal.last
    reader = site.dispatcher.hub.reader()
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
    try:
        await response.prepare(request)
        await response.write(b"retry: 1000\n\n")
        if sent + 1 < journal.first:
            lost = Said(0, "lost", f'{{"from": {sent + 1}, "to": {journal.first - 1}}}')
            await response.write(lost.frame)
            sent = journal.first - 1
        while batch := journal.after(sent):
            await response.write(b"".join([each.frame for each in batch]))
            sent = batch[-1].number
        while True:
            said = await reader.next()
            fresh = [each for each in said if not each.number or each.number > sent]
            await response.write(b"".join([each.frame for each in fresh]) or b": still here\n\n")
            sent = max([sent, *(each.number for each in fresh)])
    except (Gone, ConnectionError):
        return response
    finally:
        reader.leave()
