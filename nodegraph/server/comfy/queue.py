"""The queue as ComfyUI tells it, and how its clients interrupt."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from ..queueing import queue_view
from ..site import Site
from . import records
from .wire import body, strings, wire


def remaining(site: Site) -> int:
    """Jobs that wait or run."""
    return site.store.queue.count("pending") + site.store.queue.count("running")


@wire("GET", "/prompt")
async def exec_info(site: Site, request: web.Request) -> web.Response:
    """How many prompts wait or run."""
    return web.json_response({"exec_info": {"queue_remaining": remaining(site)}})


@wire("GET", "/queue")
async def listed(site: Site, request: web.Request) -> web.Response:
    """The prompts that run and those that wait; under `/api` this is also what our own queue says of itself."""
    own: dict[str, Any] = {}
    if request.path.startswith("/api/"):
        own = queue_view(site).model_dump()
    tickets = {state: _tickets(site, state) for state in ("running", "pending")}
    return web.json_response(own | {"queue_running": tickets["running"], "queue_pending": tickets["pending"]})


def _tickets(site: Site, state: str) -> list[list[Any]]:
    found = ((record, site.store.queue.get(record.job)) for record in records.in_states(site, state))
    return [record.ticket(job) for record, job in found if job is not None]


@wire("POST", "/queue", "run")
async def change(site: Site, request: web.Request) -> web.Response:
    """Take prompts that wait out of the queue: all with `clear`, or those in `delete`."""
    asked = await body(request)
    waiting = {record.id: record for record in records.in_states(site, "pending", limit=100_000)}
    chosen = waiting if asked.get("clear") is True else strings(asked.get("delete"))
    for id in list(chosen):
        if id in waiting:
            site.dispatcher.cancel(waiting[id].job)
    return web.Response()


@wire("POST", "/interrupt", "run")
async def interrupt(site: Site, request: web.Request) -> web.Response:
    """Stop the prompt that runs, or only that of an id if it runs."""
    only = (await body(request)).get("prompt_id")
    for record in records.in_states(site, "running"):
        if only is None or record.id == only:
            site.dispatcher.cancel(record.job)
    return web.Response()


@wire("POST", "/free", "run")
async def free(site: Site, request: web.Request) -> web.Response:
    """Asks to give memory back. Models and results make room for others by themselves, so there is nothing to do."""
    await body(request)
    return web.Response()
